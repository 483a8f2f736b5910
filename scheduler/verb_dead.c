#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/listing.h"
#include "notifier/dead.h"
#include "notifier/refusal.h"
#include "notifier/stream.h"
#include "notifier/verb_deed.h"
#include "scheduler/verbs.h"

enum { PAGE = 500, LIST_DEFAULT = 100 };

struct dead_call {
    const struct verb_call *call;
    struct redis *redis;
    struct arena *arena;
    const char *queue, *handler; /* NULL: any */
    bool all;
};

/* ---------------------------------------------------------------------------------------------------- looking */

static void list_letter(struct listing *l, const char *queue, const struct dead_letter *d, struct arena *arena)
{
    listing_text(l, queue);
    listing_text(l, d->id);
    listing_text(l, d->died);
    listing_text(l, d->handler);
    listing_int(l, d->tries);
    listing_text(l, arena_copy(arena, d->event.type.text, d->event.type.length));
    listing_text(l, arena_copy(arena, d->event.id.text, d->event.id.length));
    listing_text(l, d->reason);
    listing_text(l, *d->reply ? d->reply : NULL);
}

static bool chosen(const struct dead_call *d, const struct dead_letter *letter)
{
    return !d->handler || strcmp(d->handler, letter->handler) == 0;
}

typedef bool letter_visit(struct dead_call *d, const char *queue, const struct dead_letter *letter, void *context,
                          struct error *err);

/* Those there are now: a letter that was tried again meanwhile, and came back, is not met a second time. */
static bool each_letter_of(struct dead_call *d, const char *queue, letter_visit *visit, void *context,
                           struct error *err)
{
    struct queue_state state;
    struct dead_letter *letters;
    char last[64] = "";
    size_t count = 1;

    if (!stream_state(d->redis, queue, d->arena, &state, err))
        return false;
    for (int64_t left = state.dead; left > 0 && count > 0; left -= (int64_t)count) {
        arena_reset(d->arena);
        if (!dead_list(d->redis, queue, *last ? last : NULL, left < PAGE ? (size_t)left : PAGE, d->arena, &letters,
                       &count, err))
            return false;
        for (size_t i = 0; i < count; i++)
            if (chosen(d, &letters[i]) && !visit(d, queue, &letters[i], context, err))
                return false;
        if (count > 0)
            snprintf(last, sizeof last, "%s", letters[count - 1].id);
    }
    return true;
}

/* Calls visit for every letter of the queues asked for, until it returns false. */
static bool each_letter(struct dead_call *d, letter_visit *visit, void *context, struct error *err)
{
    const struct settings *s = d->call->settings;

    for (size_t q = 0; q < s->queue_count; q++)
        if ((!d->queue || strcmp(d->queue, s->queues[q].name) == 0) &&
            !each_letter_of(d, s->queues[q].name, visit, context, err))
            return false;
    return true;
}

struct listed {
    struct listing *listing;
    int64_t left;
};

static bool visit_list(struct dead_call *d, const char *queue, const struct dead_letter *letter, void *context,
                       struct error *err)
{
    struct listed *l = context;

    (void)err;
    if (l->left-- > 0)
        list_letter(l->listing, queue, letter, d->arena);
    return true;
}

static int dead_verb_list(struct dead_call *d)
{
    struct listed l = {listing_new("queue id died handler tries type event reason reply"),
                       d->all ? INT64_MAX : LIST_DEFAULT};
    struct error err;
    bool ok = each_letter(d, visit_list, &l, &err);

    if (ok)
        listing_write(l.listing, stdout, d->call->json);
    if (ok && l.left < 0)
        fprintf(stderr, "and %lld more; --all shows them\n", (long long)-l.left);
    listing_free(l.listing);
    return ok ? EXIT_DONE : verb_failed("dead list", &err);
}

/* The queue that has the letter; *letter NULL: none has. */
static bool find(struct dead_call *d, const char *id, const char **queue, struct dead_letter **letter,
                 struct error *err)
{
    const struct settings *s = d->call->settings;

    *letter = NULL;
    for (size_t q = 0; q < s->queue_count && !*letter; q++) {
        *queue = s->queues[q].name;
        if ((!d->queue || strcmp(d->queue, *queue) == 0) && !dead_find(d->redis, *queue, id, d->arena, letter, err))
            return false;
    }
    if (*letter)
        return true;
    error_set(err, ERROR_INPUT, "no dead letter %s; `crier dead list` shows them", id);
    return false;
}

static void add_letter(const char *queue, const struct dead_letter *letter, struct buf *out)
{
    static const char *const names[] = {"queue", "id", "died", "handler", "reason", "reply"};
    const char *const values[] = {queue, letter->id, letter->died, letter->handler, letter->reason, letter->reply};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "{", names[i]);
        buf_add_json_text(out, values[i]);
    }
    buf_printf(out, ",\"tries\":%d,\"event\":", letter->tries);
    event_add_json(&letter->event, out);
    buf_add_text(out, "}\n");
}

static int dead_verb_show(struct dead_call *d, const char *id)
{
    struct dead_letter *letter;
    struct buf out = BUF_INIT;
    const char *queue;
    struct error err;

    if (!find(d, id, &queue, &letter, &err))
        return verb_failed("dead show", &err);
    add_letter(queue, letter, &out);
    fwrite(out.data, 1, out.length, stdout);
    buf_release(&out);
    return EXIT_DONE;
}

/* ----------------------------------------------------------------------------------------------------- changing */

struct change {
    const char *verb, *event; /* "retry", "dead.retried" */
    bool retry;
    int64_t done, left; /* left: of --all, those that cannot be retried */
    struct error why;   /* of the first of them */
};

/* Back in its queue for a handler that is not there, an event would be passed over by all. */
static bool can_retry(const struct settings *s, const char *queue, const struct dead_letter *letter, struct error *err)
{
    const struct handler_settings *hs = settings_handler(s, letter->handler);

    if (refusal_is(letter))
        return error_set(err, ERROR_INPUT,
                         "dead letter %s notes a message that %s refused, and holds none of it: nothing to retry; mend "
                         "the sender, then `crier dead drop %s`",
                         letter->id, letter->handler, letter->id);
    return (hs && strcmp(hs->queue, queue) == 0) ||
           error_set(err, ERROR_INPUT, "dead letter %s is for handler \"%s\", which queue %s does not have any more",
                     letter->id, letter->handler, queue);
}

/* Always true: the others may be retried. */
static bool leave(struct change *c, const struct error *why)
{
    if (c->left++ == 0)
        c->why = *why;
    return true;
}

/* First said for the audit, then done. */
static bool change_letter(struct dead_call *d, const char *queue, const struct dead_letter *letter, void *context,
                          struct error *err)
{
    struct change *c = context;
    json_t *data;
    bool was = true;

    if (c->retry && !can_retry(d->call->settings, queue, letter, err))
        return d->all && leave(c, err);
    if (d->call->dry_run) {
        c->done++;
        return true;
    }
    data = json_pack("{s:s,s:s,s:s,s:s%,s:s%}", "queue", queue, "handler", letter->handler, "reason", letter->reason,
                     "event_id", letter->event.id.text, letter->event.id.length, "event_type", letter->event.type.text,
                     letter->event.type.length);
    if (!verb_deed_begin(d->call->settings, c->event, arena_printf(d->arena, "dead/%s", letter->id), data, err))
        return false;
    if (!verb_deed_settle(c->retry ? dead_retry(d->redis, queue, letter, &was, err)
                                   : dead_drop(d->redis, queue, letter->id, &was, err),
                          err))
        return false;
    c->done += was;
    return true;
}

static bool change_named(struct dead_call *d, struct change *c, struct error *err)
{
    for (int i = 1; i < d->call->argc; i++) {
        struct dead_letter *letter;
        const char *queue;

        if (!find(d, d->call->argv[i], &queue, &letter, err) || !change_letter(d, queue, letter, c, err))
            return false;
    }
    return true;
}

static int dead_verb_change(struct dead_call *d, struct change *c)
{
    struct error err;
    bool ok;

    if (d->all == (d->call->argc > 1))
        return verb_usage("dead", "name letters by their id, or give --all (with --queue and --handler to narrow it)");
    ok = d->all ? each_letter(d, change_letter, c, &err) : change_named(d, c, &err);
    if (ok && c->left > 0)
        ok = error_set(&err, ERROR_INPUT, "%lld stay; the first: %s", (long long)c->left, c->why.text);
    if (d->call->json)
        printf("{\"%s\":%lld,\"dry_run\":%s}\n", c->verb, (long long)c->done, d->call->dry_run ? "true" : "false");
    else
        printf("%s%s: %lld\n", c->verb, d->call->dry_run ? " (dry run)" : "", (long long)c->done);
    if (ok)
        return EXIT_DONE;
    return c->done ? (verb_failed("dead", &err), EXIT_PART_FAILED) : verb_failed("dead", &err);
}

static int dispatch(struct dead_call *d)
{
    const char *what = d->call->argc ? d->call->argv[0] : "list";

    if (strcmp(what, "list") == 0 && d->call->argc <= 1)
        return dead_verb_list(d);
    if (strcmp(what, "show") == 0 && d->call->argc == 2)
        return dead_verb_show(d, d->call->argv[1]);
    if (strcmp(what, "retry") == 0)
        return dead_verb_change(d, &(struct change){.verb = "retry", .event = "dead.retried", .retry = true});
    if (strcmp(what, "drop") == 0)
        return dead_verb_change(d, &(struct change){.verb = "drop", .event = "dead.dropped"});
    return verb_usage("dead", "list | show ID | retry ID... | drop ID...");
}

int verb_dead(struct verb_call *call)
{
    const struct settings *s = call->settings;
    struct dead_call d = {.call = call, .all = verb_option(call, "all", NULL)};
    int code;

    if ((verb_option(call, "queue", &d.queue) && !d.queue) || (verb_option(call, "handler", &d.handler) && !d.handler))
        return verb_usage("dead", "--queue and --handler need a name");
    if (d.queue && !settings_queue(s, d.queue))
        return verb_usage("dead", "there is no such queue; `crier queues` lists them");
    d.redis = settings_redis(s);
    d.arena = arena_new();
    code = dispatch(&d);
    arena_free(d.arena);
    redis_free(d.redis);
    return code;
}
