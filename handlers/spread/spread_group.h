/*
 * handlers/spread/spread_group.h - the subjects of a spread that are searched for together, until nothing of them is
 * behind; for the files spread*.c.
 */
#ifndef HANDLERS_SPREAD_SPREAD_GROUP_H
#define HANDLERS_SPREAD_SPREAD_GROUP_H

#include <jansson.h>

#include "handlers/spread/spread.h"
#include "indexer/scroll.h"

struct spread {
    const struct spread_options *options;
    struct relation *relation;
    struct roots *roots;
    struct newest *newest;
    struct copyists *copyists;
    struct counter *written, *superseded, *conflicts, *refused, *handed_over;

    /* of the call under way */
    struct changes *changes;
    const struct spread_limits *limits;
    struct change **group; /* that are searched for together */
    size_t group_count;
    int64_t start_us;
    int64_t writes_before; /* that the index had taken before the first search; -1: it does not say */
    bool alone;            /* nobody else has written into it since */
    int64_t total;         /* documents of the group as just counted; -1: not counted */
    bool moved;            /* something newer came for one of the group while it was spread */
    bool learned;          /* the mapping was read again, after a search was refused */
};

/* What one search found, for who looks again after a refresh. */
struct group_round {
    int64_t written;
    bool sum_tells; /* the documents' sequence numbers add up to sum where nobody else wrote */
    struct hits_sum sum;
};

struct client *spread_client(struct spread *s);

/* Whether the time of the call under way is over. */
bool spread_is_late(const struct spread *s);

/* Documents with copies of them that are behind; NULL: there can be none. */
json_t *group_query(struct spread *s, struct change *const *group, size_t count, bool whatever_indexed);

/* To the clock: a change, or those of the group that have too many documents. False: Redis or OpenSearch is away. */
bool group_hand_over_one(struct spread *s, struct change *change, struct error *err) must_check;
bool group_hand_over_large(struct spread *s, struct error *err) must_check;

/* Those that have an outcome leave the group. */
void group_keep_open(struct spread *s);

void group_set(struct spread *s, enum outcome outcome, const char *reason, const char *reply);

/* One search, and what is written on its account. */
bool group_search(struct spread *s, const json_t *query, struct group_round *r, struct error *err) must_check;

/* After a refresh: whether the group's documents are as they were left. */
bool group_is_quiet(struct spread *s, const json_t *query, const struct group_round *r);

/* Whether nothing is behind, and nothing newer came. */
bool group_is_over(struct spread *s, bool quiet, bool *over, struct error *err) must_check;

/*
 * Rounds of search and refresh until it is over; each of the group has an outcome then. False with ERROR_INPUT: of one
 * of the subjects not every copy can be found or read; what could be is up to date.
 */
bool group_bring(struct spread *s, struct error *err) must_check;

#endif
