/* What the next batch of a lane consists of: what was left behind, else what is held and due, else what is new. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "notifier/service_event.h"
#include "notifier/wanted.h"
#include "scheduler/lane_parts.h"

enum {
    TAKE_OVER_MS = 2000,
    SUSPECTS_TOGETHER = 32,
    DELIVERIES_MOST = LANE_DELIVERED_ALONE + 3,
};

/* A pass is limited by events and by bytes: how many events that is, is learned from those that came. */
enum {
    PASS_BYTES = 4 * 1024 * 1024,
    EVENT_BYTES_MORE = 256, /* of an event's attributes, besides its data */
};

/* Takes the suspects of the same kind as the first: handed back cleanly, once in a batch that died, or suspicious. */
static size_t suspects_of_a_kind(const struct lane *l, size_t most)
{
    int deliveries = l->suspects[0].deliveries;
    size_t limit = deliveries == 0 ? most : deliveries < LANE_DELIVERED_ALONE ? SUSPECTS_TOGETHER : 1;
    size_t count = 1;

    while (count < limit && count < l->suspect_count &&
           (l->suspects[count].deliveries < LANE_DELIVERED_ALONE) == (deliveries < LANE_DELIVERED_ALONE))
        count++;
    return count;
}

static bool same_id(struct stream_id a, struct stream_id b)
{
    return a.ms == b.ms && a.sequence == b.sequence;
}

static bool fetch_suspects(struct lane *l, struct error *err)
{
    size_t count = suspects_of_a_kind(l, l->events_most);
    int deliveries = l->suspects[0].deliveries;
    bool proven = deliveries >= DELIVERIES_MOST;
    struct stream_id *ids = arena_alloc(l->events, count * sizeof *ids);

    for (size_t i = 0; i < count; i++)
        ids[i] = l->suspects[i].id;
    if (!stream_fetch(l->stream, &l->batch, ids, count, STREAM_ONCE_MORE, err))
        return false;
    for (size_t i = 0, at = 0; i < l->batch.count && at < count; at++) /* some may be gone, as in note_tries */
        if (same_id(l->batch.items[i].id, l->suspects[at].id))
            l->batch.items[i++].tries = l->suspects[at].tries;
    l->suspect_count -= count;
    memmove(l->suspects, l->suspects + count, l->suspect_count * sizeof *l->suspects);
    for (size_t i = 0; proven && i < l->batch.count; i++) {
        l->batch.items[i].tries += deliveries - 1;
        delivery_set(&l->batch, &l->batch.items[i], OUTCOME_DEAD,
                     "the process ended, or the handler's deadline passed, each time it was handled alone", NULL);
    }
    return true;
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

/* Into the batch; entries that were tried as often go together, as Redis is told how often that was. */
static bool fetch_by_tries(struct lane *l, const struct held_entry *entries, size_t count, struct error *err)
{
    struct stream_id *ids = arena_alloc(l->events, count * sizeof *ids);

    l->batch.items = arena_alloc(l->events, count * sizeof *l->batch.items);
    for (size_t i = 0; i < count; i++)
        ids[i] = entries[i].id;
    for (size_t from = 0, alike; from < count; from += alike) {
        struct batch part = {.arena = l->events};

        alike = held_alike(entries + from, count - from);
        if (!stream_fetch(l->stream, &part, ids + from, alike, entries[from].tries, err))
            return false;
        if (part.count > 0)
            memcpy(l->batch.items + l->batch.count, part.items, part.count * sizeof *part.items);
        l->batch.count += part.count;
    }
    return true;
}

static bool fetch_held(struct lane *l, int64_t now_ms, struct error *err)
{
    size_t most = l->events_most, count = 0;
    struct held_entry *entries = arena_alloc(l->events, most * sizeof *entries);

    while (count < most && held_due(&l->held, now_ms))
        entries[count++] = held_take(&l->held);
    held_sort(entries, count);
    if (fetch_by_tries(l, entries, count, err)) {
        l->waits = arena_zero(l->events, l->batch.count * sizeof *l->waits);
        note_tries(l, entries, count);
        return true;
    }
    l->batch.count = 0;
    while (count-- > 0)
        held_add(&l->held, entries[count]);
    return false;
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
    return stream_take_over(l->stream, l->suspects, LANE_SUSPECTS_MOST, l->common->deadline_ms, &l->suspect_count, err);
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
    if (!stream_own(l->stream, l->looked_at, l->suspects, LANE_SUSPECTS_MOST, &l->suspect_count, err))
        return false;
    for (size_t i = 0; i < l->suspect_count; i++) {
        l->suspects[i].deliveries -= l->suspects[i].deliveries > 0;
        l->looked_at = l->suspects[i].id;
    }
    l->looking = l->suspect_count == LANE_SUSPECTS_MOST;
    return true;
}

/* Events that are not for this handler are acknowledged and leave the batch. */
static bool pass_over(struct lane *l, struct error *err)
{
    struct stream_id *ids = arena_alloc(l->events, l->batch.count * sizeof *ids);
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < l->batch.count; i++) {
        struct delivery *d = &l->batch.items[i];

        if (d->outcome == OUTCOME_NONE && !wanted_by(l->common, &d->event)) {
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
    if (l->place == STREAM_HEAD)
        return; /* the tail's lane says it */
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

bool lane_next_batch(struct lane *l, int wait_ms, size_t *taken, struct error *err)
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
