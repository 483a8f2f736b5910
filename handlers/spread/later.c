#include "handlers/spread/later.h"

#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"

enum {
    LOOKS_MOST = 100,      /* subjects looked at together */
    LOOK_AGAIN_MS = 30000, /* after a look that could not be finished */
    LOOKS_EVERY_MS = 1000, /* while a mass update runs */
    NAP_MS = 100,
};

struct later {
    const struct handler_settings *common;
    const struct spread_options *options;
    struct redis *redis;
    struct newest *newest;
    struct spread *looks, *mass; /* with links of their own, as the first go on in the middle of the second */
    struct changes *look_changes, *mass_changes;
    struct clock_run *run;
    int64_t free_at_ms;  /* when the rate allows the next page */
    int64_t looks_at_ms; /* when to see to the looks again */
    struct counter *waiting;
};

struct later *later_new(const struct handler *h, const struct spread_options *o, struct newest *newest,
                        struct error *err)
{
    struct later *l = xcalloc(1, sizeof *l);

    l->common = h->common;
    l->options = o;
    l->redis = h->redis;
    l->newest = newest;
    l->look_changes = changes_new();
    l->mass_changes = changes_new();
    l->waiting = counter_with(COUNTER_GAUGE, "crier_spread_mass_waiting",
                              "subjects that wait to be spread by the clock", "handler", h->common->name, NULL);
    l->looks = spread_new(h->settings, h->common, o, newest, 1, err);
    l->mass = l->looks ? spread_new(h->settings, h->common, o, newest, 1, err) : NULL;
    if (l->mass)
        return l;
    later_free(l);
    return NULL;
}

void later_free(struct later *l)
{
    if (!l)
        return;
    spread_free(l->looks);
    spread_free(l->mass);
    changes_free(l->look_changes);
    changes_free(l->mass_changes);
    free(l);
}

/* The events are done and gone: only the log can tell. */
static void say_outcome(const struct later *l, const struct change *c)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    if (c->outcome == OUTCOME_DEAD)
        log_limited(&limit, LOG_LEVEL_WARN, "handler %s: copies of %.*s: %s%s%s", l->common->name,
                    (int)c->subject.id.length, c->subject.id.text, c->reason, *c->reply ? ": " : "", c->reply);
}

/* --------------------------------------------------------------------------------------------------- second looks */

static bool look_between(void *context, int64_t written, struct error *err)
{
    struct later *l = context;

    l->run->did(l->run, written);
    return l->run->may_go_on(l->run, err);
}

/*
 * A look that had to write is not the last one: who spreads another subject may have read the document before, and undo
 * what was written after it was verified.
 */
static int64_t look_again_ms(const struct later *l, const struct change *c)
{
    if (c->outcome != OUTCOME_DONE && c->outcome != OUTCOME_DEAD)
        return LOOK_AGAIN_MS;
    return c->wrote ? l->options->second_look_ms : 0;
}

static bool settle_looks(struct later *l, struct error *err)
{
    for (size_t i = 0; i < changes_count(l->look_changes); i++) {
        const struct change *c = changes_at(l->look_changes, i);

        say_outcome(l, c);
        if (!newest_looked(l->newest, c, look_again_ms(l, c), err))
            return false;
    }
    return true;
}

static bool look(struct later *l, struct error *err)
{
    const struct spread_limits limits = {.whatever_indexed = true, .between = look_between, .context = l};
    size_t count = 1;

    while (count > 0) {
        if (!l->run->may_go_on(l->run, err) || !newest_due(l->newest, LOOKS_MOST, l->look_changes, err))
            return false;
        count = changes_count(l->look_changes);
        if (count > 0 && (!spread_changes(l->looks, l->look_changes, &limits, err) || !settle_looks(l, err)))
            return false;
    }
    l->looks_at_ms = clock_monotonic_ms() + LOOKS_EVERY_MS;
    return true;
}

/* ---------------------------------------------------------------------------------------------------- the mass */

static bool wait_for_rate(struct later *l, int64_t written, struct error *err)
{
    int64_t left_ms;

    if (l->options->rate > 0)
        l->free_at_ms = clock_monotonic_ms() + written * 1000 / l->options->rate;
    while ((left_ms = l->free_at_ms - clock_monotonic_ms()) > 0) {
        int64_t nap_ms = left_ms < NAP_MS ? left_ms : NAP_MS;

        nanosleep(&(struct timespec){.tv_nsec = (long)nap_ms * 1000000}, NULL);
        if (!l->run->may_go_on(l->run, err))
            return false;
    }
    return true;
}

static bool mass_between(void *context, int64_t written, struct error *err)
{
    struct later *l = context;

    l->run->did(l->run, written);
    if (!l->run->may_go_on(l->run, err))
        return false;
    if (clock_monotonic_ms() >= l->looks_at_ms && !look(l, err))
        return false;
    return wait_for_rate(l, written, err);
}

static bool settle_mass(struct later *l, struct error *err)
{
    const char *left = NULL;

    for (size_t i = 0; i < changes_count(l->mass_changes); i++) {
        const struct change *c = changes_at(l->mass_changes, i);

        say_outcome(l, c);
        if (c->outcome == OUTCOME_WAIT || c->outcome == OUTCOME_RETRY)
            left = c->reason;
        else if (!newest_spread(l->newest, c, err))
            return false;
    }
    return !left || error_set(err, ERROR_AGAIN, "mass update: %s", left);
}

static bool count_mass(struct later *l, struct error *err)
{
    int64_t count;

    if (!newest_mass_count(l->redis, l->common->queue, l->common->name, &count, err))
        return false;
    counter_set(l->waiting, count);
    return true;
}

static bool spread_mass(struct later *l, struct error *err)
{
    const struct spread_limits limits = {
        .whatever_indexed = true, .page_most = l->options->rate, .between = mass_between, .context = l};
    size_t most = relation_subjects_most(spread_relation(l->mass)), count = 1;

    while (count > 0) {
        if (!count_mass(l, err) || !l->run->may_go_on(l->run, err) ||
            !newest_mass(l->newest, most, l->mass_changes, err))
            return false;
        count = changes_count(l->mass_changes);
        if (count > 0 && (!spread_changes(l->mass, l->mass_changes, &limits, err) || !settle_mass(l, err)))
            return false;
    }
    return true;
}

bool later_run(struct later *l, struct clock_run *run, struct error *err)
{
    l->run = run;
    return look(l, err) && spread_mass(l, err) && newest_forget(l->newest, err);
}
