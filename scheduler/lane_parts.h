/* scheduler/lane_parts.h - what a lane consists of, for the files lane*.c. */
#ifndef SCHEDULER_LANE_PARTS_H
#define SCHEDULER_LANE_PARTS_H

#include <pthread.h>

#include "notifier/batch.h"
#include "notifier/stream.h"
#include "scheduler/held.h"
#include "scheduler/lane.h"

enum {
    LANE_SUSPECTS_MOST = 10000,
    LANE_PASS_FIRST = 128, /* events of a first pass, before their size is known */
    /*
     * An event delivered to a process that died may be the reason or a bystander. The first time it was one of a whole
     * batch, the second time one of a few, from then on it is alone: three processes that died over it alone are proof.
     */
    LANE_DELIVERED_ALONE = 2,
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
    enum stream_place place;
    struct stream *stream;
    struct handler *handler;
    struct lane *beside;   /* whose handler it is, too; NULL: it is its own */
    pthread_mutex_t hands; /* of the handler, where it is its own */

    struct arena *events;  /* what was read: as long as the batch is in hand */
    struct arena *scratch; /* what one try of the handler makes */
    struct batch batch;
    bool in_hand;
    size_t events_most; /* of the next pass */
    int *waits;         /* of each delivery of the batch, before this pass */

    struct held held;
    struct left_behind *suspects; /* of what was left behind, or may have been: to be fetched first */
    size_t suspect_count;
    int64_t take_over_at_ms, keep_at_ms;
    bool look_again; /* Redis failed: what it says we hold counts, not what we think */
    bool looking;    /* the list of that is longer than what came so far, which ended with looked_at */
    struct stream_id looked_at;
    int64_t done, dead;
    struct lane_counters counters;
};

/*
 * The next batch, of what is due; as lane_pass says. In l->batch, without what is not for the handler. False: a peer is
 * away.
 */
bool lane_next_batch(struct lane *l, int wait_ms, size_t *taken, struct error *err) must_check;

#endif
