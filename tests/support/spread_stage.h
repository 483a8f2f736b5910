/*
 * tests/support/spread_stage.h - the stage of flow_spread*: memberships that carry a copy of a user, written by a
 * platform at versions of its own.
 */
#ifndef TESTS_SUPPORT_SPREAD_STAGE_H
#define TESTS_SUPPORT_SPREAD_STAGE_H

#include "support/scene.h"

/* A handler "members" on the queue "changes"; rest: more keys of it. search_url: NULL for OpenSearch itself. */
struct scene *spread_stage_open(const char *search_url, const char *rest);
void spread_stage_close(struct scene *s);

/* count documents m00000 ... of users 0 to users - 1 in turn, with the user's name "old" at revision 1. */
void spread_stage_load(struct scene *s, int count, int users, int64_t version);

/* What the platform writes: one document with an old copy, by external_gte. The HTTP status of the item. */
int spread_stage_write(struct scene *s, int number, int user, int64_t version, const char *name);

/* "User 3 at 7" is what a user is called at a revision. */
struct event spread_stage_change(struct scene *s, int user, int revision);
void spread_stage_append(struct scene *s, int user, int revision);

/* Documents that show a user at a revision, after a refresh. */
int64_t spread_stage_count(struct scene *s, int user, int revision);
int64_t spread_stage_count_name(struct scene *s, const char *name);

/* A document's member, as of now; -1: it is not there. */
int64_t spread_stage_version(struct scene *s, int number);
bool spread_stage_is(struct scene *s, int number, const char *name);

/* What is due by the clock; true where all of it was done. */
bool spread_stage_run(struct scene *s);

/* The same until so many documents show the user at that revision; fails the test after a while. */
void spread_stage_run_until(struct scene *s, int user, int revision, int64_t count);

/* Waits until so many do; fails the test after a while. */
void spread_stage_wait(struct scene *s, int user, int revision, int64_t count);

int64_t spread_stage_pending(struct scene *s); /* events not acknowledged */

#endif
