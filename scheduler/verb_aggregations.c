#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/listing.h"
#include "base/progress.h"
#include "base/text.h"
#include "handlers/aggregate/aggregate_repair.h"
#include "handlers/aggregate/aggregate_seed.h"
#include "handlers/aggregate/bookmark.h"
#include "handlers/aggregate/composite.h"
#include "notifier/verb_deed.h"
#include "scheduler/clock_lane.h"
#include "scheduler/verbs.h"

enum { TURN_WAIT_MS = 30000, BOOKMARKS_SHOWN = 5 };

struct aggregations_call {
    const struct verb_call *call;
    struct redis *redis;
    const char *from, *to; /* NULL: not given */
    struct time_range range;
    bool all, bookmarks, yes;
    bool shown; /* there is something to show */
    int code;   /* of the exit */
};

/* Whether the handler is one of those named, or any where none is. */
static bool named(const struct aggregations_call *c, const struct handler_settings *hs)
{
    if (strcmp(hs->type, aggregate_handler.name) != 0)
        return false;
    for (int i = 1; i < c->call->argc; i++)
        if (strcmp(c->call->argv[i], hs->name) == 0)
            return true;
    return c->call->argc <= 1;
}

typedef bool handler_visit(struct aggregations_call *c, const struct handler_settings *hs, void *context,
                           struct error *err);

static bool each(struct aggregations_call *c, handler_visit *visit, void *context, struct error *err)
{
    const struct settings *s = c->call->settings;

    for (size_t i = 0; i < s->handler_count; i++)
        if (named(c, &s->handlers[i]) && !visit(c, &s->handlers[i], context, err))
            return false;
    return true;
}

/* ------------------------------------------------------------------------------------------------- one's turn */

static void note_done(void *context, int64_t items)
{
    progress_add(context, items);
}

/* The work under the handler's lease, with its progress. */
static bool take_turn(struct aggregations_call *c, const struct handler_settings *hs, clock_work work, void *context,
                      struct error *err)
{
    struct progress progress;
    bool ok;

    progress_start(&progress, hs->name, 0, c->call->json);
    ok = clock_run_once(c->call->settings, hs, TURN_WAIT_MS, work, context, note_done, &progress, err);
    progress_end(&progress);
    return ok;
}

/* Said for the audit before it is done. */
static bool say(struct aggregations_call *c, const struct handler_settings *hs, const char *what, struct error *err)
{
    struct buf subject = BUF_INIT;
    json_t *data = json_object();
    bool ok;

    if (c->from)
        json_object_set_new(data, "from", json_string(c->from));
    if (c->to)
        json_object_set_new(data, "to", json_string(c->to));
    buf_printf(&subject, "handlers/%s", hs->name);
    ok = verb_deed_begin(c->call->settings, what, subject.data, data, err);
    buf_release(&subject);
    return ok;
}

/* Does it for every handler named; what is known by then is shown whatever comes. */
static int show_each(struct aggregations_call *c, const char *columns, handler_visit *visit)
{
    struct listing *l = listing_new(columns);
    struct error err;
    bool ok = each(c, visit, l, &err);

    if (ok || c->shown)
        listing_write(l, stdout, c->call->json);
    listing_free(l);
    return ok ? c->code : verb_failed("aggregations", &err);
}

/* -------------------------------------------------------------------------------------------------- the list */

static void add_time(struct listing *l, int64_t time_us)
{
    char text[TIME_TEXT_BYTES];

    listing_text(l, time_us > 0 ? time_text(time_us - time_us % US_PER_SECOND, text) : NULL);
}

static bool oldest_mark(struct aggregations_call *c, const struct handler_settings *hs, int64_t *time_us,
                        struct error *err)
{
    struct arena *arena = arena_new();
    struct dirty_mark *marks;
    size_t count;
    bool ok = dirty_page(c->redis, hs->queue, hs->name, 1, arena, &marks, &count, err);

    *time_us = ok && count ? marks[0].number : 0;
    arena_free(arena);
    return ok;
}

static bool newest_aggregate(struct aggregation *a, int64_t *time_us, struct error *err)
{
    json_t *body =
        json_pack("{s:i, s:{s:{s:{s:s}}}}", "size", 0, "aggs", "newest", "max", "field", a->options->time_field);
    json_t *answer = NULL;
    bool ok = search_once(a->handler->client, a->target.data, body, true, &answer, err);

    *time_us = (int64_t)json_number_value(json_at(answer, "aggregations.newest.value")) * 1000;
    json_decref(answer);
    return ok;
}

static bool list_one(struct aggregations_call *c, const struct handler_settings *hs, void *context, struct error *err)
{
    struct handler *h = handler_new(c->call->settings, hs, err);
    int64_t dirty, oldest_us, ran_us, newest_us;
    struct listing *l = context;
    bool ok = h && dirty_count(c->redis, hs->queue, hs->name, &dirty, err) && oldest_mark(c, hs, &oldest_us, err) &&
              aggregate_last_run(c->redis, hs, &ran_us, err) && newest_aggregate(aggregation_of(h), &newest_us, err);

    if (ok) {
        listing_text(l, hs->name);
        listing_text(l, aggregation_of(h)->options->of);
        listing_text(l, aggregate_interval_name((enum aggregate_interval)aggregation_of(h)->options->interval));
        listing_int(l, dirty);
        add_time(l, oldest_us);
        add_time(l, ran_us);
        add_time(l, newest_us);
    }
    handler_free(h);
    return ok;
}

static bool list_bookmarks(struct aggregations_call *c, const struct handler_settings *hs, void *context,
                           struct error *err)
{
    struct client *client = client_new(&c->call->settings->opensearch);
    struct listing *l = context;
    json_t *dates, *date;
    size_t i;
    bool ok = bookmark_list(client, hs->name, BOOKMARKS_SHOWN, &dates, err);

    json_array_foreach(dates, i, date)
    {
        listing_text(l, hs->name);
        listing_text(l, json_string_value(date));
    }
    json_decref(dates);
    client_free(client);
    return ok;
}

/* ------------------------------------------------------------------------------------------ the ranges' verbs */

static bool run_one(struct aggregations_call *c, const struct handler_settings *hs, void *context, struct error *err)
{
    struct aggregate_repair repair = {.range = c->range};
    bool again = c->all || c->from || c->to;
    struct listing *l = context;
    int64_t left;

    if (!c->call->dry_run && !(say(c, hs, "aggregations.computed", err) &&
                               take_turn(c, hs, again ? aggregate_recompute : NULL, &repair, err)))
        return false;
    if (!dirty_count(c->redis, hs->queue, hs->name, &left, err))
        return false;
    listing_text(l, hs->name);
    listing_int(l, left);
    c->shown = true;
    return true;
}

/* For programs all in one; for people the examples come behind, a line each. */
static void show_examples(const struct aggregations_call *c, const json_t *examples, struct listing *l)
{
    struct buf text = BUF_INIT;
    const json_t *example;
    size_t i;

    if (c->call->json) {
        json_add(&text, examples);
        listing_json(l, text.data);
    }
    json_array_foreach((json_t *)(uintptr_t)examples, i, example)
    {
        buf_reset(&text);
        json_add(&text, example);
        if (!c->call->json)
            fprintf(stderr, "%s\n", text.data);
    }
    buf_release(&text);
}

static bool verify_one(struct aggregations_call *c, const struct handler_settings *hs, void *context, struct error *err)
{
    struct aggregate_repair r = {.range = c->range, .examples = json_array()};
    struct listing *l = context;
    int64_t dirty;
    bool ok = take_turn(c, hs, aggregate_verify, &r, err) && dirty_count(c->redis, hs->queue, hs->name, &dirty, err);

    if (ok) {
        const int64_t counts[] = {r.compared, r.missing, r.surplus, r.different, dirty};

        listing_text(l, hs->name);
        for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
            listing_int(l, counts[i]);
        show_examples(c, r.examples, l);
        c->shown = true;
        if (r.missing || r.surplus || r.different)
            c->code = EXIT_FAILED;
    }
    json_decref(r.examples);
    return ok;
}

static bool delete_one(struct aggregations_call *c, const struct handler_settings *hs, void *context, struct error *err)
{
    struct aggregate_repair r = {.range = c->range, .dry_run = c->call->dry_run || !c->yes};
    struct listing *l = context;

    if ((!r.dry_run && !say(c, hs, "aggregations.deleted", err)) || !take_turn(c, hs, aggregate_delete, &r, err))
        return false;
    listing_text(l, hs->name);
    listing_int(l, r.deleted);
    listing_json(l, r.dry_run ? "true" : "false");
    c->shown = true;
    return true;
}

/* ------------------------------------------------------------------------------------------------ the command */

static int dispatch(struct aggregations_call *c)
{
    const char *what = c->call->argc ? c->call->argv[0] : "list";
    int code;

    if (strcmp(what, "list") == 0 && c->bookmarks)
        return show_each(c, "handler bookmark", list_bookmarks);
    if (strcmp(what, "list") == 0)
        return show_each(c, "handler of interval dirty oldest_mark last_run newest_aggregate", list_one);
    if (strcmp(what, "run") == 0)
        return show_each(c, "handler dirty", run_one);
    if (strcmp(what, "verify") == 0)
        return show_each(c,
                         c->call->json ? "handler compared missing surplus different dirty examples"
                                       : "handler compared missing surplus different dirty",
                         verify_one);
    if (strcmp(what, "delete") != 0)
        return verb_usage("aggregations", "list | run | verify | delete [NAME...]");
    code = show_each(c, "handler deleted dry_run", delete_one);
    if (code == EXIT_DONE && !c->yes && !c->call->dry_run && !c->call->json)
        fputs("nothing was deleted; --yes does it\n", stderr);
    return code;
}

/* Whatever is not known, nothing is done. */
static bool names_known(const struct verb_call *call, struct error *err)
{
    const char *unknown = verb_unknown_option(call);

    if (unknown)
        return error_set(err, ERROR_INPUT, "there is no option %s", unknown);
    for (int i = 1; i < call->argc; i++)
        if (!handler_named(call->settings, call->argv[i], &aggregate_handler, err))
            return false;
    return true;
}

int verb_aggregations(struct verb_call *call)
{
    struct aggregations_call c = {.call = call, .code = EXIT_DONE};
    struct error err;
    int code;

    if ((verb_option(call, "from", &c.from) && !c.from) || (verb_option(call, "to", &c.to) && !c.to))
        return verb_usage("aggregations", "--from and --to need a time");
    c.all = verb_option(call, "all", NULL);
    c.bookmarks = verb_option(call, "bookmarks", NULL);
    c.yes = verb_option(call, "yes", NULL);
    if (!time_range_between(c.from, c.to, &c.range, &err) || !names_known(call, &err))
        return verb_usage("aggregations", err.text);
    c.redis = settings_redis(call->settings);
    code = dispatch(&c);
    redis_free(c.redis);
    return code;
}
