/* `crier statistics restate` and `reclassify`: events judged anew, and what was computed from them. */
#include "scheduler/statistics_call.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/listing.h"
#include "handlers/aggregate/aggregate_repair.h"
#include "handlers/click_state.h"
#include "handlers/repair/reclassify.h"
#include "handlers/repair/restate_clicks.h"
#include "handlers/repair/restated.h"
#include "scheduler/clock_lane.h"
#include "scheduler/long_work.h"

enum { TURN_WAIT_MS = 60000, MONTH_BYTES = sizeof "2026-10" };

#define REASON_DEFAULT "counted anew from the events"

typedef bool store_visit(struct statistics_call *c, struct handler *h, const struct store *s, struct listing *l,
                         struct error *err);

/* What is known by then is shown whatever comes. */
static int each_store(struct statistics_call *c, const char *columns, store_visit *visit)
{
    struct listing *l = listing_new(columns);
    struct error err;
    bool ok = true;
    size_t i;

    for (i = 0; ok && i < c->count; i++) {
        struct handler *h = handler_new(c->call->settings, c->stores[i].handler, &err);

        ok = h && (visit(c, h, &c->stores[i], l, &err) || error_in(&err, "handler %s", h->common->name));
        handler_free(h);
    }
    if (ok || i > 1)
        listing_write(l, stdout, c->call->json);
    listing_free(l);
    return ok ? EXIT_DONE : verb_failed("statistics", &err);
}

static void note_done(void *context, int64_t items)
{
    progress_add(context, items);
}

/* Every key of the range anew, of all that is computed from this handler's documents. */
static bool compute_anew(struct statistics_call *c, const struct handler *h, struct time_range range, struct error *err)
{
    const struct settings *s = c->call->settings;
    struct aggregate_repair repair = {.range = range};
    bool ok = true;

    for (size_t i = 0; ok && i < s->handler_count; i++) {
        const struct handler_settings *hs = &s->handlers[i];
        struct progress progress;

        if (strcmp(hs->type, aggregate_handler.name) != 0 ||
            strcmp(((const struct aggregate_options *)hs->own)->of, h->common->name) != 0)
            continue;
        progress_start(&progress, hs->name, 0, c->call->json);
        ok = clock_run_once(s, hs, TURN_WAIT_MS, aggregate_recompute, &repair, note_done, &progress, err);
        progress_end(&progress);
    }
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- restating */

static bool judge_clicks(struct statistics_call *c, struct handler *h, const struct store *s,
                         struct restate_tally *tally, struct error *err)
{
    struct long_work work;
    bool ok;

    long_work_start(&work, h->common->name, 0, c->call->json);
    ok = restate_clicks(h, s, c->range, &work.run, c->call->dry_run, tally, err);
    long_work_end(&work);
    return ok;
}

/* Clicks of the half minute before the month may have changed, too, perhaps in a run that did not come to mark them. */
static struct time_range judged_range(const struct statistics_call *c)
{
    return (struct time_range){c->range.from_us - CLICK_SPAN_US, c->range.to_us};
}

/* A month whose numbers may change: what they are before and after. */
struct restated_month {
    char name[MONTH_BYTES];
    char kept_as[2 * MONTH_BYTES]; /* what is before, until the end */
    struct time_range range;
    json_t *now, *before, *after;
};

/* The month asked for, and the one before it, whose last clicks may be followed by its first. */
enum { MONTH_BEFORE, MONTH_ASKED, MONTHS };

static void find_months(const struct statistics_call *c, struct restated_month months[MONTHS])
{
    struct restated_month *asked = &months[MONTH_ASKED], *earlier = &months[MONTH_BEFORE];

    asked->range = c->range;
    earlier->range.from_us = aggregate_interval_start(INTERVAL_MONTH, c->range.from_us - 1);
    earlier->range.to_us = c->range.from_us;
    for (size_t i = 0; i < MONTHS; i++)
        time_format(months[i].range.from_us, "%Y-%m", months[i].name, sizeof months[i].name);
    snprintf(asked->kept_as, sizeof asked->kept_as, "%s", asked->name);
    snprintf(earlier->kept_as, sizeof earlier->kept_as, "%s<%s", earlier->name, asked->name);
}

static void forget_months(struct restated_month months[MONTHS])
{
    for (size_t i = 0; i < MONTHS; i++) {
        json_decref(months[i].now);
        json_decref(months[i].before);
        json_decref(months[i].after);
    }
}

static bool has_changed(const struct restated_month *m)
{
    return m->after && !json_equal(m->before, m->after);
}

/* A month that says the same as before was not restated. */
static bool end_month(struct statistics_call *c, struct handler *h, const struct store *s, struct restated_month *m,
                      struct error *err)
{
    const char *reason = c->reason ? c->reason : REASON_DEFAULT;

    return restated_totals(h, s, m->range, &m->after, err) &&
           (!has_changed(m) || restated_note(h, m->name, reason, m->before, m->after, err)) &&
           restated_end(h, m->kept_as, err);
}

static bool restate_for_good(struct statistics_call *c, struct handler *h, const struct store *s,
                             struct restated_month months[MONTHS], struct restate_tally *tally, struct error *err)
{
    json_t *data = json_pack("{s:s, s:s?}", "month", c->month, "reason", c->reason);
    bool ok = statistics_say(c, "statistics.restated", "handlers", h->common->name, data, err);

    for (size_t i = 0; ok && i < MONTHS; i++)
        ok = restated_begin(h, months[i].kept_as, months[i].now, &months[i].before, err);
    ok = ok && judge_clicks(c, h, s, tally, err) && compute_anew(c, h, judged_range(c), err);
    for (size_t i = 0; ok && i < MONTHS; i++)
        ok = end_month(c, h, s, &months[i], err);
    return ok;
}

static void list_totals(struct listing *l, const json_t *totals)
{
    struct buf text = BUF_INIT;

    if (totals)
        json_add(&text, totals);
    else
        buf_add_text(&text, "null");
    listing_json(l, text.data);
    buf_release(&text);
}

/* tally NULL: the clicks are listed with another month. */
static void list_month(struct listing *l, const struct handler *h, const struct restated_month *m,
                       const struct restate_tally *tally)
{
    listing_text(l, h->common->name);
    listing_text(l, m->name);
    if (tally) {
        listing_int(l, tally->clicks);
        listing_int(l, tally->wrong);
    } else {
        listing_text(l, NULL);
        listing_text(l, NULL);
    }
    list_totals(l, m->before ? m->before : m->now);
    list_totals(l, m->after);
}

static bool restate_one(struct statistics_call *c, struct handler *h, const struct store *s, struct listing *l,
                        struct error *err)
{
    struct restated_month months[MONTHS] = {0};
    struct restate_tally tally = {0};
    bool ok = true;

    find_months(c, months);
    for (size_t i = 0; ok && i < MONTHS; i++)
        ok = restated_totals(h, s, months[i].range, &months[i].now, err);
    ok = ok && (c->call->dry_run ? judge_clicks(c, h, s, &tally, err) : restate_for_good(c, h, s, months, &tally, err));
    if (ok && has_changed(&months[MONTH_BEFORE]))
        list_month(l, h, &months[MONTH_BEFORE], NULL);
    if (ok)
        list_month(l, h, &months[MONTH_ASKED], &tally);
    forget_months(months);
    return ok;
}

int statistics_restate(struct statistics_call *c)
{
    struct error err;

    if (!c->month || strlen(c->month) != strlen("2026-10") || !time_range_parse(c->month, &c->range, &err))
        return verb_usage("statistics", "restate needs --month, such as 2026-10");
    return each_store(c, "handler month clicks wrong before after", restate_one);
}

/* ------------------------------------------------------------------------------------------------- reclassifying */

/* After one that was cut off the marks of what it changed may be missing. */
static bool mark_all(struct statistics_call *c, struct handler *h, bool unfinished, struct error *err)
{
    return (!unfinished || compute_anew(c, h, time_range_all, err)) && reclassify_end(h, err);
}

static bool reclassify_one(struct statistics_call *c, struct handler *h, const struct store *s, struct listing *l,
                           struct error *err)
{
    struct reclassify_tally tally;
    struct long_work work;
    bool unfinished,
        ok = c->call->dry_run || statistics_say(c, "statistics.reclassified", "handlers", h->common->name, NULL, err);

    if (!ok)
        return false;
    long_work_start(&work, h->common->name, 0, c->call->json);
    ok = reclassify(h, s, c->range, &work.run, c->call->dry_run, &tally, &unfinished, err);
    long_work_end(&work);
    if (!ok || (!c->call->dry_run && !mark_all(c, h, unfinished, err)))
        return false;
    listing_text(l, h->common->name);
    listing_int(l, tally.looked_at);
    listing_int(l, tally.changed);
    listing_int(l, tally.without_class);
    return true;
}

int statistics_reclassify(struct statistics_call *c)
{
    return each_store(c, "handler looked_at changed without_class", reclassify_one);
}
