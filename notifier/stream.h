/*
 * notifier/stream.h - one Redis stream as a consumer group sees it: read, claim, keep, acknowledge, trim.
 *
 * A queue has two. What comes goes to the end of its tail; what somebody waits for (POST /events?wait=) goes to its
 * head, which each handler reads by a lane of its own beside the tail, so that nothing before it is waited for. An
 * event is in one of them only, and each has the handlers' groups: what is read, acknowledged, given back and trimmed
 * in one says nothing of the other. That an event overtakes others of its subject is what handlers bear anyway, as
 * events come again and by several processes: revisions and times decide, not the order.
 *
 * A group that is gone (NOGROUP, an emptied Redis) is made anew at once, from the beginning of the stream, so that
 * nothing waiting there is passed over. One thread at a time.
 */
#ifndef NOTIFIER_STREAM_H
#define NOTIFIER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "notifier/batch.h"

enum { KEY_BYTES = 256 };

enum stream_place { STREAM_TAIL, STREAM_HEAD, STREAM_PLACES };

/* "crier:{queue}:what"; the braces keep a queue's keys in one slot of a Redis Cluster. */
const char *queue_key(const char *queue, const char *what, char out[KEY_BYTES]);
/* "crier:{queue}:what:handler" */
const char *handler_key(const char *queue, const char *what, const char *handler, char out[KEY_BYTES]);
const char *stream_key(const char *queue, enum stream_place place, char out[KEY_BYTES]);

struct stream;

/* consumer: "process/lane"; process as announced by stream_announce. The link is lent. */
struct stream *stream_new(struct redis *r, const char *queue, enum stream_place place, const char *group,
                          const char *consumer);
void stream_free(struct stream *s);

/* New entries, at most most, waiting up to wait_ms for the first. True with count 0: nothing came. */
bool stream_read(struct stream *s, struct batch *in, size_t most, int wait_ms, struct error *err) must_check;

/* Whether there are entries not delivered to the group yet, waiting up to wait_ms for the first; delivers none. */
bool stream_waits(struct stream *s, int wait_ms, bool *some, struct error *err) must_check;

enum { STREAM_ONCE_MORE = -1 };

/*
 * Entries this consumer holds already, fetched again; those no longer in the stream are left out. tries: how often each
 * was tried in vain, which Redis keeps for whoever takes it over; it counts as delivered for the first time since.
 * STREAM_ONCE_MORE: it counts as delivered once more.
 */
bool stream_fetch(struct stream *s, struct batch *in, const struct stream_id *ids, size_t count, int tries,
                  struct error *err) must_check;

/* An entry taken over, and how often it was delivered to consumers that did not finish, after so many tries. */
struct left_behind {
    struct stream_id id;
    int deliveries, tries;
};

/*
 * Takes over, without delivering them yet, up to most entries whose process is gone or that another consumer has had
 * for longer than deadline_ms. *count says how many.
 */
bool stream_take_over(struct stream *s, struct left_behind *out, size_t most, int64_t deadline_ms, size_t *count,
                      struct error *err) must_check;

/*
 * What this consumer holds by Redis's account, behind the entry after (0-0: from the first on): for after a link that
 * failed, when replies may have been lost. *count == most: there may be more.
 */
bool stream_own(struct stream *s, struct stream_id after, struct left_behind *out, size_t most, size_t *count,
                struct error *err) must_check;

/* Says that held entries are still held: they are not idle. Does not count as a delivery. */
bool stream_keep(struct stream *s, const struct stream_id *ids, size_t count, struct error *err) must_check;

/* Entries this consumer holds were tried in vain so often by now, which a kill is not to undo. */
bool stream_note_tries(struct stream *s, const struct stream_id *ids, size_t count, int tries,
                       struct error *err) must_check;

/* Gives entries back as if not delivered since so many tries, for whoever comes next: a clean stop. */
bool stream_hand_back(struct stream *s, const struct stream_id *ids, size_t count, int tries,
                      struct error *err) must_check;

bool stream_ack(struct stream *s, const struct stream_id *ids, size_t count, struct error *err) must_check;

/* Removes this consumer from the group; it must hold nothing. */
bool stream_leave(struct stream *s, struct error *err) must_check;

/* Whether a group that this consumer had used already had to be made again since the last call. */
bool stream_group_remade(struct stream *s);

/* The process says that it lives, for 10 s from now; what it holds is its own as long. */
bool stream_announce(struct redis *r, const char *process, struct error *err) must_check;
bool stream_process_lives(struct redis *r, const char *process, struct arena *arena, bool *lives,
                          struct error *err) must_check;

/*
 * Trims a queue's streams below what every group has acknowledged, and never what is younger than retain_ms. groups:
 * those there must be, separated by spaces; as long as one of them is not there, it still has everything to do. fence
 * is the leader's token: a trim by a leader that has been replaced is refused (false, ERROR_AGAIN).
 */
bool stream_trim(struct redis *r, const char *queue, const char *groups, int64_t retain_ms, int64_t fence,
                 int64_t *trimmed, struct error *err) must_check;

/* Removes consumers that hold nothing and whose process has been gone for an hour. */
bool stream_sweep(struct redis *r, const char *queue, struct error *err) must_check;

/* What the listings and the metrics say of a queue, head and tail together, and its groups. */
struct group_state {
    const char *name;  /* in the arena */
    int64_t waiting;   /* not delivered yet */
    int64_t pending;   /* delivered, not acknowledged */
    int64_t oldest_ms; /* age of the oldest event not acknowledged; 0: none */
    int64_t consumers;
};

struct queue_state {
    int64_t length, dead;
    struct group_state *groups;
    size_t group_count;
};

bool stream_state(struct redis *r, const char *queue, struct arena *arena, struct queue_state *out,
                  struct error *err) must_check;

/* Removes a group, with what it had not done, from head and tail. True too where there is none. */
bool stream_forget(struct redis *r, const char *queue, const char *group, struct error *err) must_check;

#endif
