/*
 * tests/support/leftovers.h - what a running invenio-stats leaves to crier: indices, templates and bookmarks as it made
 * them, records, and queues half full on its broker.
 *
 * Of record a: 40 views whose events are gone, 4 of last week, 5 of yesterday of which two came half an hour before the
 * last bookmark and were never counted; 2 in the queue, and 4 downloads. Of record b: 3 of last week of which one came
 * days later and was not counted; 1 of yesterday in the queue. Of c, new to everybody: 3 in the queue.
 */
#ifndef TESTS_SUPPORT_LEFTOVERS_H
#define TESTS_SUPPORT_LEFTOVERS_H

#include <stdint.h>

#include "base/clock.h"
#include "support/counting.h"

#define MINUTE_US (60 * US_PER_SECOND)
#define DAY_US    (24 * 60 * MINUTE_US)
#define VIEWS     "stats-record-view"
#define DOWNLOADS "stats-file-download"

extern const char *const leftover_records[3]; /* "a", "b", "c" */

struct leftovers {
    struct counting counting;
    struct server *broker;
    struct redis_address address;
    struct redis *kombu; /* our own view of the broker */
    struct arena *arena;
    int64_t now_us; /* ten minutes ago: when what is in the queues happened */
    int events, messages;
};

/* For cmocka: *state is a struct leftovers. */
int leftovers_open(void **state);
int leftovers_close(void **state);

const char *leftovers_prefix(const struct leftovers *f); /* of the indices */

int64_t leftovers_yesterday(const struct leftovers *f);
int64_t leftovers_last_week(const struct leftovers *f);
int64_t leftovers_long_ago(const struct leftovers *f); /* when those 40 views were */

/* In the arena: a moment as text, the index of its month, and the id of an aggregate of its day. */
const char *leftovers_time(struct leftovers *f, int64_t time_us, const char *format);
const char *leftovers_index(struct leftovers *f, const char *name, int64_t time_us);
const char *leftovers_id(struct leftovers *f, const char *record, int64_t time_us);

/* As invenio-stats goes on writing: any document (id NULL: OpenSearch's), views of a day, a record; and publishing. */
void leftovers_put(struct leftovers *f, const char *index, const char *id, const char *document);
void leftovers_put_aggregate(struct leftovers *f, const char *record, int64_t time_us, int count);
void leftovers_put_record(struct leftovers *f, const char *record, int revision);
void leftovers_publish(struct leftovers *f, const char *queue, const char *record, int64_t time_us);

#endif
