#include "scheduler/configuration_said.h"

#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"
#include "notifier/service_event.h"

#define KEPT_SECONDS "31536000" /* from the last start on */

static void add_digest(const struct settings *s, const struct config_outside *outside, char out[ID_TEXT_BYTES])
{
    struct buf shown = BUF_INIT;
    struct digest *digest = digest_new();

    settings_add_shown(s, outside, &shown);
    digest_start(digest);
    digest_part(digest, shown.data, shown.length);
    digest_end_id(digest, out);
    digest_free(digest);
    buf_release(&shown);
}

static bool say(const struct settings *s, struct redis *r, const char *subject, const char *previous,
                const char *digest, struct error *err)
{
    json_t *data = json_pack("{s:s, s:s, s:s, s:s?}", "file", s->path, "version", CRIER_VERSION, "digest", digest,
                             "previous", previous);

    return service_event_send(s, r, "configuration.loaded", subject, NULL, data, err);
}

/* The digest is kept after it was said: a process that dies between says it twice rather than never. */
bool configuration_say(const struct settings *s, const struct config_outside *outside, struct error *err)
{
    struct redis *r = settings_redis(s);
    struct arena *arena = arena_new();
    char digest[ID_TEXT_BYTES], host[65] = "localhost";
    const struct reply *reply;
    const char *subject;
    bool ok;

    gethostname(host, sizeof host - 1);
    add_digest(s, outside, digest);
    subject = arena_printf(arena, "configurations/%s:%s", host, s->path);
    ok = redis_do(r, arena, &reply, err, "GET crier:{service}:%s", subject);
    if (ok && !(reply->kind == REPLY_TEXT && text_same(reply->text, digest)))
        ok = say(s, r, subject, reply->kind == REPLY_TEXT ? reply->text : NULL, digest, err);
    ok = ok && redis_do(r, arena, NULL, err, "SET crier:{service}:%s %s EX " KEPT_SECONDS, subject, digest);
    arena_free(arena);
    redis_free(r);
    return ok;
}
