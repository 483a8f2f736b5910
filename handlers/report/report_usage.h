/*
 * handlers/report/report_usage.h - what was used how often, counted as COUNTER says, from events that were counted
 * together.
 *
 * A bucket is the events of one item, session, file and country on one day. Buckets come sorted by parent, machine,
 * session, item and file; what is the same as in the bucket before counts once as unique. So memory grows with the
 * items a report names, never with events or sessions. A session ends with the day, by COUNTER's definition of it.
 */
#ifndef HANDLERS_REPORT_REPORT_USAGE_H
#define HANDLERS_REPORT_REPORT_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum usage_metric {
    TOTAL_INVESTIGATIONS,
    TOTAL_REQUESTS,
    UNIQUE_INVESTIGATIONS,
    UNIQUE_REQUESTS,
    USAGE_METRICS,
};

struct usage_country {
    struct usage_country *next;
    char code[3]; /* lower case */
    int64_t counts[USAGE_METRICS];
};

/* What was done with an item in a month, by people or by machines. */
struct usage_cell {
    struct usage_cell *next;
    int month;
    bool machine;
    int64_t counts[USAGE_METRICS];
    int64_t bytes_total, bytes_unique; /* transferred; and each file once in a session */
    struct usage_country *countries;   /* in the order they were met */
};

struct usage_item {
    const char *id;
    const struct usage_item *parent; /* of which it is a version; NULL: none is known */
    bool is_parent;                  /* the numbers of all versions together */
    size_t number;                   /* in usage_items */
    struct usage_cell *cells;        /* the latest month first */
};

/* Texts are NULL where events have none; an item has an id. */
struct usage_bucket {
    const char *parent, *session, *item, *file, *country;
    bool machine;
    int64_t events, requests; /* of which are requests; the others are investigations only */
    int64_t bytes, largest;   /* of all of them; of the largest */
};

struct usage;

struct usage *usage_new(void);
void usage_free(struct usage *u); /* NULL is fine */

/* What comes next is of that month and begins new sessions. */
void usage_start_day(struct usage *u, int month);
void usage_add(struct usage *u, const struct usage_bucket *b);

/* Valid until the next usage_add. */
const struct usage_item *const *usage_items(const struct usage *u, size_t *count);
const struct usage_item *usage_find(const struct usage *u, const char *id, bool is_parent); /* NULL: none */

/* The cell of a month, or NULL. */
const struct usage_cell *usage_cell(const struct usage_item *item, int month, bool machine);

#endif
