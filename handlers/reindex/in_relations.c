#include "handlers/reindex/in_relations.h"

#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "handlers/denormalize.h"
#include "handlers/reconcile/reconcile_round.h"
#include "handlers/reindex/shard_read.h"
#include "handlers/spread/spread.h"
#include "indexer/scroll.h"

enum { PAGE = 500, NAP_MS = 50, GONE_MOST = 20 };

struct relating {
    struct comparison *comparison;
    struct handler *handler;
    struct clock_run *run;
    int64_t rate, looked, began_ms;
};

static const struct spread_options *options_of(const struct handler_settings *hs)
{
    return hs->own;
}

static bool hold_back(struct relating *x, int64_t more, struct error *err)
{
    x->looked += more;
    do {
        if (!x->run->may_go_on(x->run, err))
            return false;
        if (x->rate == 0 || x->looked * 1000 / x->rate <= clock_monotonic_ms() - x->began_ms)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
    } while (true);
}

static bool between(void *context, int64_t written, struct error *err)
{
    return hold_back(context, written, err);
}

static bool take_page(struct relating *x, struct scroll *scroll, struct arena *arena, bool *ended, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct hits hits;

    arena_reset(arena);
    if (!scroll_next(scroll, arena, &hits, err))
        return false;
    *ended = hits.count == 0;
    while (!*ended && !compare_documents(x->comparison, &hits, err))
        if (!patience_left(x->run, until_ms, err))
            return false;
    x->run->did(x->run, (int64_t)hits.count);
    return hold_back(x, (int64_t)hits.count, err);
}

static bool walk(struct relating *x, struct error *err)
{
    json_t *query = comparison_query(x->comparison);
    struct scroll *scroll = scroll_open(x->handler->client, comparison_index(x->comparison), query, PAGE);
    struct arena *arena = arena_new();
    bool ended = false, ok = true;

    while (ok && !ended)
        ok = take_page(x, scroll, arena, &ended, err);
    arena_free(arena);
    scroll_close(scroll);
    json_decref(query);
    return ok;
}

static bool run_one(const struct settings *s, const struct handler_settings *hs, const char *source, int64_t rate,
                    struct clock_run *run, struct comparison_tally *tally, struct error *err)
{
    struct comparison_options o = {.of = hs, .changed_at = "", .gone_most = GONE_MOST};
    struct relating x = {.run = run, .rate = rate, .began_ms = clock_monotonic_ms()};
    bool ok;

    o.source = source ? source : options_of(hs)->relation.source;
    if (text_same(o.source, "payload"))
        return error_set(err, ERROR_INPUT, "handler %s knows its subjects by events only: name a --source", hs->name);
    x.handler = handler_new(s, hs, err);
    x.comparison = x.handler ? comparison_new(x.handler, &o, err) : NULL;
    ok = x.comparison && comparison_start(x.comparison, between, &x, err) && walk(&x, err);
    if (x.comparison)
        reconcile_tally_add(tally, comparison_tally(x.comparison));
    comparison_free(x.comparison);
    handler_free(x.handler);
    return ok || error_in(err, "handler %s", hs->name);
}

bool in_relations_run(const struct settings *s, const char *index, const char *source, int64_t rate,
                      struct clock_run *run, struct comparison_tally *tally, struct error *err)
{
    size_t found = 0;

    *tally = (struct comparison_tally){0};
    for (size_t i = 0; i < s->handler_count; i++) {
        const struct handler_settings *hs = &s->handlers[i];

        if (!text_same(hs->type, denormalize_handler.name) || !text_same(options_of(hs)->relation.index, index))
            continue;
        found++;
        if (!run_one(s, hs, source, rate, run, tally, err))
            return false;
    }
    return found > 0 || error_set(err, ERROR_INPUT, "no handler of type denormalize keeps copies in %s", index);
}
