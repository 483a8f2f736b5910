#include "notifier/service_event.h"

#include <assert.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "notifier/append.h"
#include "notifier/pattern.h"
#include "notifier/service_action.h"

/* What the user at the command line does: this process has one. NULL: nothing, or how it ended was said. */
static struct {
    char *type, *subject;
} deed;

/* Who sits at the command line, also behind sudo. */
static const char *operator_name(void)
{
    const char *before_sudo = getenv("SUDO_USER");
    const struct passwd *entry = getpwuid(getuid());

    if (before_sudo && *before_sudo)
        return before_sudo;
    return entry ? entry->pw_name : "unknown";
}

/* actor NULL: who is at the command line; once NULL: each time anew. */
struct said {
    const char *type, *subject, *actor, *once;
};

static void id_of(const struct said *said, char out[ID_TEXT_BYTES])
{
    const char *const parts[] = {said->type, said->subject, said->once};
    unsigned char secret[ID_BYTES];
    struct digest *d;

    if (!said->once) {
        random_secret(secret, sizeof secret);
        hash_hex(secret, sizeof secret, out);
        return;
    }
    d = digest_new();
    digest_start(d);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        digest_part(d, parts[i], strlen(parts[i]));
    digest_end_id(d, out);
    digest_free(d);
}

static void fill(struct event *e, struct arena *arena, const struct said *said, const struct buf *data)
{
    char id[ID_TEXT_BYTES], host[65] = "localhost", now[TIME_TEXT_BYTES];

    id_of(said, id);
    gethostname(host, sizeof host - 1);
    *e = (struct event){.revision = REVISION_NONE, .time_us = clock_wall_us()};
    e->id = e->unique = span_of(arena_text(arena, id));
    e->source = span_of(arena_printf(arena, "crier:%s", host));
    e->type = span_of(arena_printf(arena, "crier.%s", said->type));
    e->time = span_of(arena_text(arena, time_text(e->time_us, now)));
    e->subject = span_of(said->subject);
    e->actor = span_of(said->actor ? said->actor : arena_printf(arena, "operators/%s", operator_name()));
    e->operation = e->traceparent = e->only = SPAN_NONE;
    e->data = (struct span){data->data, data->length};
}

bool service_event_is(struct span type)
{
    return patterns_match("crier.**", type);
}

static void forget_deed(void)
{
    free(deed.type);
    free(deed.subject);
    deed.type = deed.subject = NULL;
}

static void remember_deed(const char *type, const char *subject, bool ended)
{
    forget_deed();
    if (ended)
        return;
    deed.type = xstrdup(type);
    deed.subject = xstrdup(subject);
}

static bool send(const struct settings *s, struct redis *r, const struct said *said, json_t *data, struct error *err)
{
    struct append *append = append_new(s, r);
    struct arena *arena = arena_new();
    struct buf text = BUF_INIT;
    struct event event;
    const struct event *one = &event;
    enum append_outcome outcome;
    bool ok, ended = json_object_get(data, "outcome") != NULL;

    assert(service_action_is(said->type));
    if (data)
        json_add(&text, data);
    fill(&event, arena, said, &text);
    ok = append_events(append, &one, 1, &outcome, err) || error_in(err, "this could not be recorded for the audit");
    if (ok && !said->actor)
        remember_deed(said->type, said->subject, ended);
    json_decref(data);
    buf_release(&text);
    arena_free(arena);
    append_free(append);
    return ok;
}

bool service_event_send(const struct settings *s, struct redis *r, const char *type, const char *subject,
                        const char *actor, json_t *data, struct error *err)
{
    return send(s, r, &(struct said){type, subject, actor, NULL}, data, err);
}

bool service_event_send_once(const struct settings *s, struct redis *r, const char *type, const char *subject,
                             const char *once, json_t *data, struct error *err)
{
    return send(s, r, &(struct said){type, subject, "services/crier", once}, data, err);
}

bool service_event_deed_failed(const struct settings *s, int exit_code, const char *why, struct error *err)
{
    struct redis *r;
    json_t *data;
    char *type = deed.type, *subject = deed.subject;
    bool ok;

    if (!type)
        return true;
    deed.type = deed.subject = NULL;
    data = json_pack("{s:s, s:i}", "outcome", "failure", "exit", exit_code);
    if (*why)
        json_object_set_new(data, "reason", json_stringn_nocheck(why, text_utf8_valid(why, strlen(why))));
    r = settings_redis(s);
    ok = service_event_send(s, r, type, subject, NULL, data, err);
    redis_free(r);
    free(type);
    free(subject);
    return ok;
}
