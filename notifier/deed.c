#include "notifier/deed.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "notifier/append.h"
#include "notifier/service_event.h"

enum { LOST_AT_A_TIME = 100 };

/* The note is what Redis keeps: the event without its end. */
struct deed {
    const struct settings *settings;
    char *type, *note; /* NULL: nobody wants to know */
};

static bool is_wanted(const struct settings *s, struct redis *r, const char *type)
{
    struct append *append = append_new(s, r);
    struct buf name = BUF_INIT;
    bool wanted;

    buf_printf(&name, "crier.%s", type);
    wanted = append_wanted(append, (struct span){name.data, name.length});
    buf_release(&name);
    append_free(append);
    return wanted;
}

static bool keep(const char *note, struct redis *r, struct error *err)
{
    struct arena *arena = arena_new();
    bool ok = redis_do(r, arena, NULL, err, "ZADD " DEEDS_UNDER_WAY " %lld %s",
                       (long long)(clock_wall_us() / 1000 + DEED_LIFE_MS), note);

    arena_free(arena);
    return ok;
}

static bool forget(const char *note, struct redis *r, struct error *err)
{
    struct arena *arena = arena_new();
    bool ok = redis_do(r, arena, NULL, err, "ZREM " DEEDS_UNDER_WAY " %s", note);

    arena_free(arena);
    return ok;
}

static void deed_free(struct deed *d)
{
    free(d->type);
    free(d->note);
    free(d);
}

struct deed *deed_begin(const struct settings *s, struct redis *r, const char *type, const char *subject,
                        const char *actor, json_t *data, struct error *err)
{
    struct deed *d = xcalloc(1, sizeof *d);

    d->settings = s;
    if (!is_wanted(s, r, type)) {
        json_decref(data);
        return d;
    }
    d->type = xstrdup(type);
    d->note = service_event_note(type, subject, actor, data);
    if (keep(d->note, r, err))
        return d;
    error_in(err, "this could not be recorded for the audit");
    deed_free(d);
    return NULL;
}

bool deed_go_on(struct deed *d, struct redis *r, struct error *err)
{
    return !d->note || keep(d->note, r, err);
}

/* Told again after a crash before it was forgotten, it is the same event. */
static bool tell(const struct settings *s, struct redis *r, const char *note, json_t *end, struct error *err)
{
    return service_event_send_noted(s, r, note, end, err) && forget(note, r, err);
}

static json_t *failure(const char *why, int exit_code)
{
    json_t *end = json_pack("{s:s}", "outcome", "failure");

    if (exit_code)
        json_object_set_new(end, "exit", json_integer(exit_code));
    if (*why)
        json_object_set_new(end, "reason", json_stringn_nocheck(why, text_utf8_valid(why, strlen(why))));
    return end;
}

bool deed_end(struct deed *d, struct redis *r, const char *failed, int exit_code, struct error *err)
{
    bool ok = !d->note || tell(d->settings, r, d->note, failed ? failure(failed, exit_code) : NULL, err) ||
              error_in(err, "the audit will say of %s that its end is unknown", d->type);

    deed_free(d);
    return ok;
}

bool deed_settle(struct deed *d, struct redis *r, bool done, const struct error *err)
{
    struct error untold = ERROR_INIT; /* the caller is told of the deed's own */

    if (!deed_end(d, r, done ? NULL : err->text, 0, &untold))
        log_warn("%s", untold.text);
    return done;
}

/* ------------------------------------------------------------------------------------------------------- the lost */

bool deeds_tell_lost(const struct settings *s, struct redis *r, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *lost;
    bool ok = redis_do(r, arena, &lost, err, "ZRANGEBYSCORE " DEEDS_UNDER_WAY " -inf %lld LIMIT 0 %lld",
                       (long long)(clock_wall_us() / 1000), (long long)LOST_AT_A_TIME);

    for (size_t i = 0; ok && i < lost->count; i++)
        ok =
            tell(s, r, lost->items[i].text,
                 json_pack("{s:s, s:s}", "outcome", "unknown", "reason", "its process was gone before it told the end"),
                 err);
    arena_free(arena);
    return ok;
}
