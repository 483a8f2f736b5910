#include "handlers/reconcile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/json.h"
#include "base/log.h"
#include "handlers/reconcile/comparison.h"
#include "handlers/reconcile/reconcile_options.h"
#include "handlers/reconcile/reconcile_round.h"
#include "indexer/scroll.h"
#include "notifier/service_event.h"

enum { NAP_MS = 100 };

struct counts {
    struct counter *documents, *behind, *repaired, *refused, *oldest, *took;
};

struct reconcile {
    const struct reconcile_options *options;
    struct handler *handler;
    struct comparison_options comparing;
    struct comparison *comparison;
    struct arena *arena, *pages;
    struct counts counts;

    /* of the run under way */
    struct clock_run *run;
    struct reconcile_round round;
    struct comparison_tally before, told; /* the round's when the run began; what the counters were told */
    int64_t began_ms, looked;
    bool ended; /* the round is */
};

/* ------------------------------------------------------------------------------------------------------ opening */

static struct counter *counter_of(const struct handler *h, enum counter_kind kind, const char *name, const char *help)
{
    return counter_with(kind, name, help, "handler", h->common->name, NULL);
}

static void open_counters(struct reconcile *r)
{
    const struct handler *h = r->handler;

    r->counts = (struct counts){
        counter_of(h, COUNTER_TOTAL, "crier_reconcile_documents_total", "documents looked at for copies behind"),
        counter_of(h, COUNTER_TOTAL, "crier_reconcile_behind_total", "subjects found with a copy behind"),
        counter_of(h, COUNTER_TOTAL, "crier_reconcile_repaired_total", "documents whose copies were repaired"),
        counter_of(h, COUNTER_TOTAL, "crier_reconcile_refused_total", "subjects that could not be had or repaired"),
        counter_of(h, COUNTER_GAUGE, "crier_reconcile_oldest_seconds",
                   "how long the copy was behind that was so the longest, of this round"),
        counter_of(h, COUNTER_GAUGE, "crier_reconcile_round_seconds", "how long the last whole round took"),
    };
}

static bool reconcile_open(struct handler *h, struct error *err)
{
    struct reconcile *r = h->state = xcalloc(1, sizeof *r);

    r->options = h->options;
    r->handler = h;
    r->arena = arena_new();
    r->pages = arena_new();
    open_counters(r);
    r->comparing = (struct comparison_options){.of = reconcile_of(h->settings, r->options, err),
                                               .changed_at = r->options->changed_at,
                                               .gone_most = r->options->gone_most};
    if (!r->comparing.of || !(r->comparing.source = reconcile_source(r->options, r->comparing.of, err)))
        return false;
    r->comparison = comparison_new(h, &r->comparing, err);
    return r->comparison != NULL;
}

static void reconcile_close(struct handler *h)
{
    struct reconcile *r = h->state;

    if (!r)
        return;
    comparison_free(r->comparison);
    arena_free(r->arena);
    arena_free(r->pages);
    free(r);
}

/* ----------------------------------------------------------------------------------------- as fast as is allowed */

/* Asked after a page: a run comes further by one at least, however long its beginning takes. */
static bool is_over_budget(const struct reconcile *r)
{
    return r->options->budget_ms > 0 && clock_monotonic_ms() - r->began_ms >= r->options->budget_ms;
}

/* Not before so many may have been looked at. */
static bool hold_back(struct reconcile *r, struct error *err)
{
    for (;;) {
        int64_t ahead_ms =
            r->options->rate > 0 ? r->looked * 1000 / r->options->rate - (clock_monotonic_ms() - r->began_ms) : 0;

        if (!r->run->may_go_on(r->run, err))
            return false;
        if (ahead_ms <= 0)
            return true;
        if (ahead_ms > NAP_MS)
            ahead_ms = NAP_MS;
        nanosleep(&(struct timespec){.tv_nsec = (long)ahead_ms * 1000000}, NULL);
    }
}

/* What is written takes its time like what is looked at. */
static bool between(void *context, int64_t written, struct error *err)
{
    struct reconcile *r = context;

    r->looked += written;
    r->run->did(r->run, written);
    return hold_back(r, err);
}

static void tell_counters(struct reconcile *r)
{
    const struct comparison_tally *now = comparison_tally(r->comparison);

    counter_add(r->counts.documents, now->documents - r->told.documents);
    counter_add(r->counts.behind, now->behind - r->told.behind);
    counter_add(r->counts.repaired, now->repaired - r->told.repaired);
    counter_add(r->counts.refused, now->refused - r->told.refused);
    r->told = *now;
}

/* A page is done: whoever goes on does so behind it. */
static bool finish_page(struct reconcile *r, int64_t looked, struct error *err)
{
    tell_counters(r);
    r->round.tally = r->before;
    reconcile_tally_add(&r->round.tally, comparison_tally(r->comparison));
    counter_set(r->counts.oldest, r->round.tally.oldest_ms / 1000);
    if (!reconcile_round_note(r->handler->redis, r->handler->common, &r->round, err))
        return false;
    r->looked += looked;
    r->run->did(r->run, looked);
    return hold_back(r, err);
}

/* ------------------------------------------------------------------------------------ through all of the index */

/* Every write to a document gives it a new number, the highest of its shard: what is written while the round goes on
 * comes again behind its end, and belongs to the next one. */
static json_t *index_query(struct reconcile *r)
{
    json_t *all = comparison_query(r->comparison);
    int64_t from = 0;

    if (!text_int(r->round.position, strlen(r->round.position), &from))
        from = 0;
    return json_pack("{s:{s:[o, {s:{s:{s:I, s:I}}}]}}", "bool", "filter", all, "range", "_seq_no", "gte",
                     (json_int_t)from, "lte", (json_int_t)r->round.last_number);
}

static bool take_page_of_index(struct reconcile *r, struct scroll *scroll, struct error *err)
{
    struct hits hits;

    arena_reset(r->pages);
    if (!scroll_next(scroll, r->pages, &hits, err))
        return false;
    if (hits.count == 0) {
        r->ended = true;
        return true;
    }
    if (!compare_documents(r->comparison, &hits, err))
        return false;
    r->round.position = arena_printf(r->arena, "%lld", (long long)hits.items[hits.count - 1].seq_no);
    return finish_page(r, (int64_t)hits.count, err);
}

static bool walk_index(struct reconcile *r, struct error *err)
{
    const char *index = comparison_index(r->comparison);
    json_t *query;
    struct scroll *scroll;
    bool ok;

    if (!*r->round.position && !hits_last_number(r->handler->client, index, &r->round.last_number, err))
        return false;
    query = index_query(r);
    scroll = scroll_open(r->handler->client, index, query, (size_t)r->options->page);
    scroll_in_order(scroll);
    do
        ok = take_page_of_index(r, scroll, err);
    while (ok && !r->ended && !is_over_budget(r));
    scroll_close(scroll);
    json_decref(query);
    return ok;
}

/* ------------------------------------------------------------------------------------ through all of the source */

static bool take_page_of_source(struct reconcile *r, struct source_walk *walk, struct error *err)
{
    struct source_document *documents;
    size_t count;

    arena_reset(r->pages);
    walk->position = span_of(r->round.position);
    if (!source_page(comparison_source(r->comparison), walk, r->pages, &documents, &count, err))
        return false;
    if (count == 0) {
        r->ended = true;
        return true;
    }
    if (!compare_subjects(r->comparison, documents, count, err))
        return false;
    r->round.position = arena_copy(r->arena, walk->position.text, walk->position.length);
    return finish_page(r, (int64_t)count, err);
}

static bool walk_source(struct reconcile *r, struct error *err)
{
    struct source_walk walk = {.most = (size_t)r->options->page};
    bool ok;

    do
        ok = take_page_of_source(r, &walk, err);
    while (ok && !r->ended && !is_over_budget(r));
    return ok;
}

/* -------------------------------------------------------------------------------------------------------- a run */

static bool begin(struct reconcile *r, struct error *err)
{
    const char *walk = reconcile_walk_name(r->options);

    arena_reset(r->arena);
    if (!reconcile_round_read(r->handler->redis, r->handler->common, r->arena, &r->round, err) ||
        !comparison_start(r->comparison, between, r, err))
        return false;
    if (r->round.started_us == 0 || !text_same(r->round.walk, walk)) {
        r->round.started_us = clock_wall_us();
        r->round.walk = walk;
        r->round.position = "";
        r->round.tally = (struct comparison_tally){0};
    }
    r->before = r->round.tally;
    r->told = (struct comparison_tally){0};
    r->began_ms = clock_monotonic_ms();
    r->looked = 0;
    r->ended = false;
    return true;
}

static bool end_round(struct reconcile *r, struct error *err)
{
    struct reconcile_round *round = &r->round;
    struct buf text = BUF_INIT;
    bool late;

    round->ended_us = clock_wall_us();
    round->took_ms = (round->ended_us - round->started_us) / 1000;
    round->ended = round->tally;
    round->started_us = 0;
    round->position = "";
    late = r->options->period_ms > 0 && round->took_ms > r->options->period_ms;
    reconcile_add_tally(&round->ended, &text);
    counter_set(r->counts.took, round->took_ms / 1000);
    (late ? log_warn : log_info)("handler %s: a round took %lld s%s: %s", r->handler->common->name,
                                 (long long)round->took_ms / 1000, late ? ", longer than its period" : "", text.data);
    buf_release(&text);
    return reconcile_round_note(r->handler->redis, r->handler->common, round, err);
}

/* Nobody was told that these copies were behind: the audit is. */
static bool tell_audit(struct reconcile *r, struct error *err)
{
    const struct comparison_tally *t = comparison_tally(r->comparison);
    struct buf subject = BUF_INIT, actor = BUF_INIT;
    json_t *data;
    bool ok;

    if (t->behind == 0)
        return true;
    buf_printf(&subject, "handlers/%s", r->comparing.of->name);
    buf_printf(&actor, "handlers/%s", r->handler->common->name);
    data = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "documents", (json_int_t)t->documents, "behind",
                     (json_int_t)t->behind, "repaired", (json_int_t)t->repaired, "gone", (json_int_t)t->gone, "refused",
                     (json_int_t)t->refused, "oldest_seconds", (json_int_t)t->oldest_ms / 1000);
    ok = service_event_send(r->handler->settings, r->handler->redis, "copies.repaired", subject.data, actor.data, data,
                            err);
    buf_release(&subject);
    buf_release(&actor);
    return ok;
}

static bool reconcile_run(struct handler *h, struct clock_run *run, struct error *err)
{
    struct reconcile *r = h->state;
    struct error unheard;
    bool ok;

    r->run = run;
    if (!begin(r, err))
        return false;
    ok = r->options->walk == WALK_SOURCE ? walk_source(r, err) : walk_index(r, err);
    tell_counters(r);
    if (ok && r->ended)
        ok = end_round(r, err);
    if (!tell_audit(r, &unheard))
        log_warn("handler %s: %s", h->common->name, unheard.text);
    return ok;
}

static bool reconcile_tell(struct redis *r, const struct handler_settings *hs, bool json, struct buf *out,
                           struct error *err)
{
    struct arena *arena = arena_new();
    struct reconcile_round round;
    bool ok = reconcile_round_read(r, hs, arena, &round, err);

    if (ok)
        reconcile_round_tell(&round, json, out);
    arena_free(arena);
    return ok;
}

const struct handler_type reconcile_handler = {
    .name = "reconcile",
    .help = "copies that are behind are found without any notification, and repaired",
    .keys = reconcile_keys,
    .size = sizeof(struct reconcile_options),
    .traits = KIND_CLOCK | KIND_ONE_LANE,
    .fits = reconcile_fits,
    .open = reconcile_open,
    .run = reconcile_run,
    .tell = reconcile_tell,
    .close = reconcile_close,
};
