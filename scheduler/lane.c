#include "scheduler/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "handlers/handler.h"
#include "handlers/registry.h"
#include "notifier/dead.h"
#include "notifier/pattern.h"
#include "notifier/service_event.h"
#include "notifier/stream.h"
#include "scheduler/held.h"

enum {
    TAKE_OVER_MS = 2000,
    TAKE_OVER_MOST = 10000,
    SUSPECTS_TOGETHER = 32,
    /*
     * An event delivered to a process that died may be the reason or a bystander. The first time it was one of a whole
     * batch, the second time one of a few, from then on it is alone: three processes that died over it alone are proof.
     */
    DELIVERED_ALONE = 2,
    DELIVERIES_MOST = DELIVERED_ALONE + 3,
    RETRY_BASE_MS = 1000,
    RETRY_MOST_MS = 300000,
    KEEP_AGAIN_MS = 1000,
    WAIT_BASE_MS = 500,
    WAIT_MOST_MS = 30000,
};

/* A pass is limited by events and by bytes: how many events that is, is learned from those that came. */
enum {
    PASS_BYTES = 4 * 1024 * 1024,
    PASS_EVENTS_FIRST = 128,
    EVENT_BYTES_MORE = 256, /* of an event's attributes, besides its data */
};

struct lane_counters {
    struct counter *done, *retry, *wait, *dead, *passes;
};

struct lane {
    const struct settings *settings;
    const struct handler_settings *common;
    const char *process;
    int number;
    struct redis *redis;
    struct stream *stream;
    struct handler *handler;

    struct arena *events;  /* what was read: as long as the batch is in hand */
    struct arena *scratch; /* what one try of the handler makes */
    struct batch batch;
    bool in_hand;
    size_t events_most; /* of the next pass */
    int *waits;         /* of each delivery of the batch, before this pass */

    struct held held;
    struct left_behind *suspects;
    size_t suspect_count;
    int64_t take_over_at_ms, keep_at_ms;
    bool look_again; /* Redis failed: what it says we hold counts, not what we think */
    bool looking;    /* the list of that is longer than what came so far, which ended with looked_at */
    struct stream_id looked_at;
    int64_t done, dead;
    struct lane_counters counters;
};

static struct counter *outcome_counter(const char *handler, const char *outcome)
{
    struct buf labels = BUF_INIT;
    struct counter *c;

    counter_label(&labels, "handler", handler);
    counter_label(&labels, "outcome", outcome);
    c = counter_get(COUNTER_TOTAL, "crier_handler_events_total", "events by what became of them", labels.data);
    buf_release(&labels);
    return c;
}

static void open_counters(struct lane *l)
{
    struct buf labels = BUF_INIT;

    l->counters.done = outcome_counter(l->common->name, "done");
    l->counters.retry = outcome_counter(l->common->name, "retry");
    l->counters.wait = outcome_counter(l->common->name, "wait");
    l->counters.dead = outcome_counter(l->common->name, "dead");
    counter_label(&labels, "handler", l->common->name);
    l->counters.passes = counter_get(COUNTER_TOTAL, "crier_handler_passes_total", "batches handled", labels.data);
    buf_release(&labels);
}

struct lane *lane_new(const struct settings *s, const struct handler_settings *hs, const char *process, int number,
                      struct error *err)
{
    struct lane *l = xcalloc(1, sizeof *l);
    char consumer[KEY_BYTES];

    l->settings = s;
    l->common = hs;
    l->process = process;
    l->number = number;
    snprintf(consumer, sizeof consumer, "%s/%d", process, number);
    l->redis = settings_redis(s);
    l->stream = stream_new(l->redis, hs->queue, hs->name, consumer);
    l->events = arena_new();
    l->scratch = arena_new();
    l->suspects = xcalloc(TAKE_OVER_MOST, sizeof *l->suspects);
    l->events_most = hs->batch < PASS_EVENTS_FIRST ? (size_t)hs->batch : PASS_EVENTS_FIRST;
    l->handler = handler_new(s, hs, err);
    open_counters(l);
    if (l->handler)
        return l;
    lane_free(l);
    return NULL;
}

void lane_free(struct lane *l)
{
    if (!l)
        return;
    handler_free(l->handler);
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

/* ------------------------------------------------------------------------------------- what the batch consists of */

/* Takes the suspects of the same kind as the first: handed back cleanly, once in a batch that died, or suspicious. */
static size_t suspects_of_a_kind(const struct lane *l, size_t most)
{
    int deliveries = l->suspects[0].deliveries;
    size_t limit = deliveries == 0 ? most : deliveries < DELIVERED_ALONE ? SUSPECTS_TOGETHER : 1;
    size_t count = 1;

    while (count < limit && count < l->suspect_count &&
           (l->suspects[count].deliveries < DELIVERED_ALONE) == (deliveries < DELIVERED_ALONE))
        count++;
    return count;
}

static bool fetch_suspects(struct lane *l, struct error *err)
{
    size_t count = suspects_of_a_kind(l, l->events_most);
    int deliveries = l->suspects[0].deliveries;
    bool proven = deliveries >= DELIVERIES_MOST;
    struct stream_id *ids = arena_alloc(l->events, count * sizeof *ids);

    for (size_t i = 0; i < count; i++)
        ids[i] = l->suspects[i].id;
    if (!stream_fetch(l->stream, &l->batch, ids, count, true, err))
        return false;
    l->suspect_count -= count;
    memmove(l->suspects, l->suspects + count, l->suspect_count * sizeof *l->suspects);
    for (size_t i = 0; proven && i < l->batch.count; i++) {
        l->batch.items[i].tries = deliveries - 1;
        delivery_set(&l->batch, &l->batch.items[i], OUTCOME_DEAD,
                     "the process ended, or the handler's deadline passed, each time it was handled alone", NULL);
    }
    return true;
}

static bool same_id(struct stream_id a, struct stream_id b)
{
    return a.ms == b.ms && a.sequence == b.sequence;
}

/* Entries that are no longer in the stream do not come back: both lists are walked together. */
static void note_tries(struct lane *l, const struct held_entry *entries, size_t count)
{
    for (size_t i = 0, at = 0; i < l->batch.count && at < count; at++)
        if (same_id(l->batch.items[i].id, entries[at].id)) {
            l->batch.items[i].tries = entries[at].tries;
            l->waits[i++] = entries[at].waits;
        }
}

static bool fetch_held(struct lane *l, int64_t now_ms, struct error *err)
{
    size_t most = l->events_most, count = 0;
    struct held_entry *entries = arena_alloc(l->events, most * sizeof *entries);
    struct stream_id *ids = arena_alloc(l->events, most * sizeof *ids);

    while (count < most && held_due(&l->held, now_ms)) {
        entries[count] = held_take(&l->held);
        ids[count] = entries[count].id;
        count++;
    }
    if (stream_fetch(l->stream, &l->batch, ids, count, false, err)) {
        l->waits = arena_zero(l->events, l->batch.count * sizeof *l->waits);
        note_tries(l, entries, count);
        return true;
    }
    while (count-- > 0)
        held_add(&l->held, entries[count]);
    return false;
}

static bool wants(const struct lane *l, const struct event *e)
{
    if (e->only.length && !span_is(e->only, l->common->name))
        return false; /* a replayed event, for another handler */
    if (patterns_match("crier.**", e->type))
        return l->handler->type->traits & KIND_HEARS_SERVICE;
    return !*l->common->events || patterns_match(l->common->events, e->type);
}

static void forget_all(struct lane *l)
{
    l->held.count = 0;
    l->suspect_count = 0;
}

static bool take_over(struct lane *l, int64_t now_ms, struct error *err)
{
    if (l->number != 0 || l->suspect_count > 0 || now_ms < l->take_over_at_ms)
        return true;
    l->take_over_at_ms = now_ms + TAKE_OVER_MS;
    return stream_take_over(l->stream, l->suspects, TAKE_OVER_MOST, l->common->deadline_ms, &l->suspect_count, err);
}

/*
 * A reply that was lost may have brought events, an acknowledgement that was lost leaves events pending: all that Redis
 * says we hold is begun anew. A first delivery, which was ours, does not count against an event.
 */
static bool begin_anew(struct lane *l, struct error *err)
{
    if (l->look_again) {
        forget_all(l);
        l->looked_at = (struct stream_id){0, 0};
        l->looking = true;
        l->look_again = false;
    }
    if (!l->looking || l->suspect_count > 0)
        return true;
    if (!stream_own(l->stream, l->looked_at, l->suspects, TAKE_OVER_MOST, &l->suspect_count, err))
        return false;
    for (size_t i = 0; i < l->suspect_count; i++) {
        l->suspects[i].deliveries -= l->suspects[i].deliveries > 0;
        l->looked_at = l->suspects[i].id;
    }
    l->looking = l->suspect_count == TAKE_OVER_MOST;
    return true;
}

/* Events that are not for this handler are acknowledged and leave the batch. */
static bool pass_over(struct lane *l, struct error *err)
{
    struct stream_id *ids = arena_alloc(l->events, l->batch.count * sizeof *ids);
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < l->batch.count; i++) {
        struct delivery *d = &l->batch.items[i];

        if (d->outcome == OUTCOME_NONE && !wants(l, &d->event)) {
            ids[count++] = d->id;
            continue;
        }
        if (l->waits)
            l->waits[kept] = l->waits[i];
        l->batch.items[kept++] = *d;
    }
    l->batch.count = kept;
    return stream_ack(l->stream, ids, count, err);
}

/* A group that went away took its pending events with it: Redis lost data, and the audit is told. */
static void say_remade(struct lane *l)
{
    struct buf subject = BUF_INIT, actor = BUF_INIT;
    struct error err;

    if (!stream_group_remade(l->stream))
        return;
    forget_all(l); /* what there still is comes as new */
    log_warn(
        "queue %s: the group of handler %s was gone and is made anew, from the stream's beginning: Redis lost data",
        l->common->queue, l->common->name);
    buf_printf(&subject, "handlers/%s", l->common->name);
    buf_printf(&actor, "services/%s", l->process);
    if (!service_event_send(l->settings, l->redis, "group.remade", subject.data, actor.data, NULL, &err))
        log_warn("%s", err.text);
    buf_release(&subject);
    buf_release(&actor);
}

/* Twice as many while a full pass stays small, at once fewer when it did not. */
static void learn_size(struct lane *l)
{
    size_t bytes = 0, count = l->batch.count, most = (size_t)l->common->batch;

    for (size_t i = 0; i < count; i++)
        bytes += l->batch.items[i].event.data.length + EVENT_BYTES_MORE;
    if (bytes > PASS_BYTES)
        l->events_most = count * PASS_BYTES / bytes + 1;
    else if (count == l->events_most && 2 * bytes <= PASS_BYTES)
        l->events_most = 2 * count < most ? 2 * count : most;
}

static bool read_batch(struct lane *l, int wait_ms, struct error *err)
{
    int64_t now_ms = clock_monotonic_ms();

    if (!begin_anew(l, err) || !take_over(l, now_ms, err))
        return false;
    if (l->suspect_count > 0)
        return fetch_suspects(l, err);
    if (held_due(&l->held, now_ms))
        return fetch_held(l, now_ms, err);
    if (lane_full(l) || wait_ms == LANE_NOTHING_NEW)
        return true;
    return stream_read(l->stream, &l->batch, l->events_most, wait_ms, err);
}

static bool next_batch(struct lane *l, int wait_ms, size_t *taken, struct error *err)
{
    bool ok;

    arena_reset(l->events);
    l->batch = (struct batch){.arena = l->events};
    l->waits = NULL;
    ok = read_batch(l, wait_ms, err);
    *taken = ok ? l->batch.count : 0;
    learn_size(l);
    say_remade(l);
    return ok && pass_over(l, err);
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

/* Acknowledges and buries; false: Redis is away, and nothing is lost by doing it again. */
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
    ok = stream_ack(l->stream, ids, count, err) && dead_bury(l->redis, l->common->queue, l->common->name, &b, err);
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
        handled = l->handler->type->handle(l->handler, &b, err);
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
    if (!keep_all(l, err) || (!l->in_hand && !next_batch(l, wait_ms, taken, err))) {
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

void lane_leave(struct lane *l)
{
    size_t most = l->held.count + l->suspect_count + l->batch.count, count = 0;
    struct stream_id *ids = xcalloc(most, sizeof *ids);
    struct error err;

    for (size_t i = 0; l->in_hand && i < l->batch.count; i++)
        ids[count++] = l->batch.items[i].id;
    for (size_t i = 0; i < l->held.count; i++)
        ids[count++] = l->held.entries[i].id;
    for (size_t i = 0; i < l->suspect_count; i++)
        if (l->suspects[i].deliveries < DELIVERED_ALONE)
            ids[count++] = l->suspects[i].id; /* the others keep what counts against them */
    if (!stream_hand_back(l->stream, ids, count, &err) || !stream_leave(l->stream, &err))
        log_debug("handler %s: %s", l->common->name, err.text);
    free(ids);
}
