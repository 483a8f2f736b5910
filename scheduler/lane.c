#include "scheduler/lane.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "handlers/handler.h"
#include "handlers/registry.h"
#include "notifier/dead.h"
#include "notifier/operation/operations.h"
#include "scheduler/lane_parts.h"

enum {
    RETRY_BASE_MS = 1000,
    RETRY_MOST_MS = 300000,
    KEEP_AGAIN_MS = 1000,
    WAIT_BASE_MS = 500,
    WAIT_MOST_MS = 30000,
};

static struct counter *outcome_counter(const char *handler, const char *outcome)
{
    return counter_with(COUNTER_TOTAL, "crier_handler_events_total", "events by what became of them", "handler",
                        handler, "outcome", outcome, NULL);
}

static void open_counters(struct lane *l)
{
    const char *name = l->common->name;

    l->counters.done = outcome_counter(name, "done");
    l->counters.retry = outcome_counter(name, "retry");
    l->counters.wait = outcome_counter(name, "wait");
    l->counters.dead = outcome_counter(name, "dead");
    l->counters.passes =
        counter_with(COUNTER_TOTAL, "crier_handler_passes_total", "batches handled", "handler", name, NULL);
}

static struct lane *open_lane(const struct settings *s, const struct handler_settings *hs, const char *process,
                              int number, enum stream_place place)
{
    struct lane *l = xcalloc(1, sizeof *l);
    char consumer[KEY_BYTES];

    l->settings = s;
    l->common = hs;
    l->process = process;
    l->number = number;
    snprintf(consumer, sizeof consumer, "%s/%d", process, number);
    l->redis = settings_redis(s);
    l->place = place;
    l->stream = stream_new(l->redis, hs->queue, place, hs->name, consumer);
    pthread_mutex_init(&l->hands, NULL);
    l->events = arena_new();
    l->scratch = arena_new();
    l->suspects = xcalloc(LANE_SUSPECTS_MOST, sizeof *l->suspects);
    l->events_most = hs->batch < LANE_PASS_FIRST ? (size_t)hs->batch : LANE_PASS_FIRST;
    open_counters(l);
    return l;
}

static struct lane *with_handler(struct lane *l, struct error *err)
{
    l->handler = handler_new(l->settings, l->common, err);
    if (l->handler)
        return l;
    lane_free(l);
    return NULL;
}

struct lane *lane_new(const struct settings *s, const struct handler_settings *hs, const char *process, int number,
                      struct error *err)
{
    return with_handler(open_lane(s, hs, process, number, STREAM_TAIL), err);
}

/* Its number is 0, as it is the one lane that looks after what others left behind at the head. */
struct lane *lane_new_head(struct lane *tail, struct error *err)
{
    struct lane *l = open_lane(tail->settings, tail->common, tail->process, 0, STREAM_HEAD);
    unsigned traits = tail->common->kind->traits;

    if (!(traits & KIND_ONE_LANE) || traits & KIND_HEAD_APART)
        return with_handler(l, err);
    l->beside = tail;
    l->handler = tail->handler;
    return l;
}

void lane_free(struct lane *l)
{
    if (!l)
        return;
    if (!l->beside)
        handler_free(l->handler);
    pthread_mutex_destroy(&l->hands);
    stream_free(l->stream);
    redis_free(l->redis);
    arena_free(l->events);
    arena_free(l->scratch);
    held_release(&l->held);
    free(l->suspects);
    free(l);
}

bool lane_install(struct lane *l, struct error *err)
{
    const struct handler_type *type = l->handler->type;

    return !type->install || type->install(l->handler, err) || error_in(err, "handler %s", l->common->name);
}

/* --------------------------------------------------------------------------------- acting on the outcome of each */

static void hold(struct lane *l, size_t i)
{
    const struct delivery *d = &l->batch.items[i];
    bool try = d->outcome == OUTCOME_RETRY;
    struct held_entry entry = {.id = d->id, .tries = d->tries + try, .waits = l->waits ? l->waits[i] : 0};

    if (try)
        entry.due_ms = clock_monotonic_ms() + backoff_ms(d->tries, RETRY_BASE_MS, RETRY_MOST_MS);
    else
        entry.due_ms = clock_monotonic_ms() + backoff_ms(entry.waits++, WAIT_BASE_MS, WAIT_MOST_MS);
    held_add(&l->held, entry);
    counter_add(try ? l->counters.retry : l->counters.wait, 1);
}

/* The last try that fails is the end of it. */
static void give_up(struct lane *l, struct delivery *d)
{
    if (d->outcome != OUTCOME_RETRY || d->tries + 1 < l->common->tries)
        return;
    d->outcome = OUTCOME_DEAD;
    d->reason = arena_printf(l->scratch, "gave up after %d tries: %s", d->tries + 1, d->reason);
}

static void log_dead(const struct lane *l, const struct delivery *d)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    log_limited(&limit, LOG_LEVEL_WARN, "handler %s: event %.*s goes to the dead letters: %s%s%s", l->common->name,
                (int)d->event.id.length, d->event.id.text, d->reason, *d->reply ? ": " : "", d->reply);
}

typedef bool (*tell_stream)(struct stream *s, const struct stream_id *ids, size_t count, int tries, struct error *err);

/* Those that were tried as often together. */
static bool tell_by_tries(struct lane *l, struct held_entry *all, size_t count, tell_stream tell, struct error *err)
{
    struct stream_id *ids = xcalloc(count, sizeof *ids);
    bool ok = true;

    held_sort(all, count);
    for (size_t i = 0; i < count; i++)
        ids[i] = all[i].id;
    for (size_t from = 0, alike; ok && from < count; from += alike) {
        alike = held_alike(all + from, count - from);
        ok = tell(l->stream, ids + from, alike, all[from].tries, err);
    }
    free(ids);
    return ok;
}

/* In Redis too, as neither a kill nor a link that fails gives an event its tries back. */
static bool note_tries(struct lane *l, struct error *err)
{
    struct held_entry *all = xcalloc(l->batch.count, sizeof *all);
    size_t count = 0;
    bool ok;

    for (size_t i = 0; i < l->batch.count; i++)
        if (l->batch.items[i].outcome == OUTCOME_RETRY)
            all[count++] = (struct held_entry){.id = l->batch.items[i].id, .tries = l->batch.items[i].tries + 1};
    ok = tell_by_tries(l, all, count, stream_note_tries, err);
    free(all);
    return ok;
}

/*
 * Says what became of operations before it acknowledges and buries: what is acknowledged is not said again. False:
 * Redis is away, and nothing is lost by doing it again.
 */
static bool settle_in_redis(struct lane *l, struct error *err)
{
    struct stream_id *ids = xcalloc(l->batch.count, sizeof *ids); /* not of scratch, which stays while Redis is away */
    struct batch b = {.arena = l->scratch, .items = l->batch.items, .count = l->batch.count};
    size_t count = 0;
    bool ok;

    for (size_t i = 0; i < b.count; i++) {
        give_up(l, &b.items[i]);
        if (b.items[i].outcome == OUTCOME_DONE)
            ids[count++] = b.items[i].id;
    }
    ok = operations_note(l->redis, l->settings, l->common, &b, err) && stream_ack(l->stream, ids, count, err) &&
         note_tries(l, err) && dead_bury(l->redis, l->common->queue, l->place, l->common->name, &b, err);
    free(ids);
    return ok;
}

static void conclude(struct lane *l, const struct delivery *d)
{
    if (d->outcome == OUTCOME_DONE) {
        l->done++;
        counter_add(l->counters.done, 1);
        return;
    }
    l->dead++;
    counter_add(l->counters.dead, 1);
    log_dead(l, d);
}

/* What has an outcome leaves the batch; what has none stays in hand. */
static bool settle(struct lane *l, struct error *err)
{
    size_t kept = 0;

    if (!settle_in_redis(l, err)) {
        l->look_again = true;
        return false;
    }
    for (size_t i = 0; i < l->batch.count; i++) {
        struct delivery *d = &l->batch.items[i];

        if (d->outcome == OUTCOME_RETRY || d->outcome == OUTCOME_WAIT)
            hold(l, i);
        else if (d->outcome == OUTCOME_DONE || d->outcome == OUTCOME_DEAD)
            conclude(l, d);
        else {
            if (l->waits)
                l->waits[kept] = l->waits[i];
            l->batch.items[kept++] = *d;
        }
    }
    l->batch.count = kept;
    return true;
}

static bool any_open(const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->items[i].outcome == OUTCOME_NONE)
            return true;
    return false;
}

static bool handle(struct lane *l, struct batch *b, struct error *err)
{
    pthread_mutex_t *hands = l->beside ? &l->beside->hands : &l->hands;
    bool handled;

    pthread_mutex_lock(hands);
    handled = l->handler->type->handle(l->handler, b, err);
    pthread_mutex_unlock(hands);
    return handled;
}

/* Deliveries that a failed settling left with their outcome are settled first: their reasons live in scratch. */
static bool handle_in_hand(struct lane *l, struct error *err)
{
    struct batch b;
    bool handled = true;

    if (!settle(l, err))
        return false;
    if (any_open(&l->batch)) {
        arena_reset(l->scratch);
        b = (struct batch){.arena = l->scratch, .items = l->batch.items, .count = l->batch.count};
        handled = handle(l, &b, err);
        for (size_t i = 0; handled && i < b.count; i++)
            if (b.items[i].outcome == OUTCOME_NONE)
                delivery_set(&b, &b.items[i], OUTCOME_RETRY, "the handler left it undone", NULL);
    }
    if (handled)
        return settle(l, err);
    if (!settle(l, &(struct error)ERROR_INIT))
        log_debug("handler %s: outcomes wait for Redis", l->common->name);
    return error_in(err, "handler %s", l->common->name);
}

/* ------------------------------------------------------------------------------------------------------- the pass */

/* All that this lane holds is said to be held, well before others may think it abandoned. */
static bool keep_all(struct lane *l, struct error *err)
{
    int64_t now_ms = clock_monotonic_ms();
    size_t count = 0;
    struct stream_id *ids;
    bool ok;

    if (now_ms < l->keep_at_ms)
        return true;
    ids = xcalloc(l->held.count + l->suspect_count + l->batch.count, sizeof *ids);
    for (size_t i = 0; i < l->held.count; i++)
        ids[count++] = l->held.entries[i].id;
    for (size_t i = 0; i < l->suspect_count; i++)
        ids[count++] = l->suspects[i].id;
    for (size_t i = 0; l->in_hand && i < l->batch.count; i++)
        ids[count++] = l->batch.items[i].id;
    ok = stream_keep(l->stream, ids, count, err);
    l->keep_at_ms = clock_monotonic_ms() + (ok ? l->common->deadline_ms / 3 : KEEP_AGAIN_MS);
    free(ids);
    return ok;
}

bool lane_pass(struct lane *l, int wait_ms, size_t *taken, struct error *err)
{
    *taken = l->in_hand ? l->batch.count : 0;
    if (!keep_all(l, err) || (!l->in_hand && !lane_next_batch(l, wait_ms, taken, err))) {
        l->look_again = true;
        return false;
    }
    if (!l->in_hand)
        arena_reset(l->scratch);
    l->in_hand = l->batch.count > 0;
    if (l->in_hand && !handle_in_hand(l, err))
        return false;
    if (l->in_hand)
        counter_add(l->counters.passes, 1);
    l->in_hand = false;
    return true;
}

int64_t lane_keep(struct lane *l)
{
    struct error err; /* the next pass meets it again */
    int64_t wait_ms;

    if (!keep_all(l, &err))
        l->look_again = true;
    wait_ms = l->keep_at_ms - clock_monotonic_ms();
    return wait_ms > 1 ? wait_ms : 1;
}

struct lane_tally lane_tally(const struct lane *l)
{
    return (struct lane_tally){.done = l->done, .dead = l->dead, .held = (int64_t)l->held.count};
}

bool lane_waits(struct lane *l, int wait_ms, bool *some, struct error *err)
{
    return stream_waits(l->stream, wait_ms, some, err);
}

int64_t lane_next_due_ms(const struct lane *l)
{
    int64_t wait_ms;

    if (l->held.count == 0)
        return -1;
    wait_ms = l->held.entries[0].due_ms - clock_monotonic_ms();
    return wait_ms > 0 ? wait_ms : 0;
}

bool lane_full(const struct lane *l)
{
    return l->held.count >= HELD_MOST;
}

/* What is not done, and how often it was tried. Yours to free. */
static struct held_entry *unfinished(const struct lane *l, size_t *count)
{
    struct held_entry *all = xcalloc(l->held.count + l->suspect_count + l->batch.count, sizeof *all);

    *count = 0;
    for (size_t i = 0; l->in_hand && i < l->batch.count; i++)
        all[(*count)++] = (struct held_entry){.id = l->batch.items[i].id, .tries = l->batch.items[i].tries};
    for (size_t i = 0; i < l->held.count; i++)
        all[(*count)++] = l->held.entries[i];
    for (size_t i = 0; i < l->suspect_count; i++)
        if (l->suspects[i].deliveries < LANE_DELIVERED_ALONE) /* the others keep what counts against them */
            all[(*count)++] = (struct held_entry){.id = l->suspects[i].id, .tries = l->suspects[i].tries};
    return all;
}

void lane_leave(struct lane *l)
{
    size_t count;
    struct held_entry *all = unfinished(l, &count);
    struct error err;

    if (!tell_by_tries(l, all, count, stream_hand_back, &err) || !stream_leave(l->stream, &err))
        log_debug("handler %s: %s", l->common->name, err.text);
    free(all);
}
