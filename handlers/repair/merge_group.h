/*
 * handlers/repair/merge_group.h - for index_merge: a new index, the old ones that go into it, and the note about them
 * that its mapping keeps.
 */
#ifndef HANDLERS_REPAIR_MERGE_GROUP_H
#define HANDLERS_REPAIR_MERGE_GROUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/repair/index_copy.h"
#include "handlers/repair/index_names.h"
#include "handlers/repair/store.h"

#define MERGE_NOTE "crier_reindex" /* in _meta of the mapping */

struct merge {
    struct client *client;
    int64_t bulk_bytes;
    struct clock_run *run;
    const struct store *store;
    struct index_names from, to;
    json_t *indices; /* as indices_describe gives them, by merge_look */
};

/* An index to be, and those that go into it. */
struct group {
    char *target;
    char **sources;
    struct index_copy *copies; /* by merge_read_note */
    size_t count;
    int64_t time_us; /* of the first source */
};

bool merge_open(struct merge *m, struct client *c, const struct store *s, const char *suffix,
                struct error *err) must_check;
void merge_close(struct merge *m);

/* What the cluster has now. */
bool merge_look(struct merge *m, struct error *err) must_check;

/* In the order of time. Caller's, by merge_groups_free. */
struct group *merge_groups(const struct merge *m, size_t *count);
void merge_groups_free(struct group *groups, size_t count);

/* The new index as it is, and its note; NULL: there is none. Both as of merge_look. */
const json_t *merge_target(const struct merge *m, const struct group *g);
const json_t *merge_note(const struct merge *m, const struct group *g);
bool merge_check(const struct merge *m, const struct group *g, struct error *err) must_check;

/* Whether readers are at the new index already, and only the old ones have to go. */
bool merge_changed_over(const struct merge *m, const struct group *g);

/* How far each source was copied, from the note and into it. */
void merge_read_note(const struct merge *m, struct group *g);
bool merge_write_note(struct merge *m, const struct group *g, struct error *err) must_check;
bool merge_remove_note(struct merge *m, const struct group *g, struct error *err) must_check;

/* The sources take writes again; but not those that an operator had blocked before. */
bool merge_unblock(struct merge *m, const struct group *g, struct error *err) must_check;

/*
 * merge_change.c: the new index, empty and in no alias; the change of aliases, after which readers are at the new
 * index; and, once nobody reads them any more, the end of the old indices, whose names go to the new one.
 */
bool merge_make_target(struct merge *m, const struct group *g, struct error *err) must_check;
bool merge_change_over(struct merge *m, const struct group *g, struct error *err) must_check;
bool merge_remove_old(struct merge *m, const struct group *g, struct error *err) must_check;

#endif
