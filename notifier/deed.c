#include "notifier/deed.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "notifier/append.h"
#include "notifier/service_event.h"

enum { LOST_AT_A_TIME = 10 }; /* two questions each, beside the renewals of a lease of some seconds */

/* The note is what Redis keeps: the event without its end. */
struct deed {
    const struct settings *settings;
    char *type, *note; /* NULL: nobody wants to know */
};

/* Redis's clock is that of all members: of one whose own is wrong no deed is lost too soon, or too late. */
#define NOW_MS "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "

/* ARGV: how long without a word, the note. */
static const char keep_script[] =
    NOW_MS "return redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[1]), ARGV[2])";

/* ARGV: how many. */
static const char lost_script[] =
    NOW_MS "return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])";

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
    bool ok = redis_do(r, arena, NULL, err, "EVAL %s 1 " DEEDS_UNDER_WAY " %lld %s", keep_script,
                       (long long)DEED_LIFE_MS, note);

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

/* A link that Redis closed meanwhile is known only once it is used: the second time it is another. */
static bool tell_end(const struct deed *d, struct redis *r, const char *failed, int exit_code, struct error *err)
{
    for (int tries = 0; tries < 2; tries++)
        if (tell(d->settings, r, d->note, failed ? failure(failed, exit_code) : NULL, err))
            return true;
    return error_in(err, "the audit will say of %s that its end is unknown", d->type);
}

bool deed_end(struct deed *d, struct redis *r, const char *failed, int exit_code, struct error *err)
{
    bool ok = !d->note || tell_end(d, r, failed, exit_code, err);

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

/* A note that nobody can read, of another version say, keeps none of the others back. */
static bool tell_lost(const struct settings *s, struct redis *r, const char *note, struct error *err)
{
    json_t *end =
        json_pack("{s:s, s:s}", "outcome", "unknown", "reason", "its process was gone before it told the end");

    if (tell(s, r, note, end, err))
        return true;
    if (err->kind != ERROR_INPUT)
        return false;
    log_error("a deed that was not ended cannot be told to the audit: %s: %.500s", err->text, note);
    return forget(note, r, err);
}

bool deeds_tell_lost(const struct settings *s, struct redis *r, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *lost;
    bool ok =
        redis_do(r, arena, &lost, err, "EVAL %s 1 " DEEDS_UNDER_WAY " %lld", lost_script, (long long)LOST_AT_A_TIME);

    for (size_t i = 0; ok && i < lost->count; i++)
        ok = tell_lost(s, r, lost->items[i].text, err);
    arena_free(arena);
    return ok;
}
