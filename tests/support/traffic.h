/*
 * tests/support/traffic.h - a platform that emits events through the door until it is told to stop, and the reference
 * model of what must be there in the end.
 *
 * It behaves as a careful sender does: what was not acknowledged is sent again, whatever the reason; some events are
 * sent twice, and their order is not that of their time.
 */
#ifndef TESTS_SUPPORT_TRAFFIC_H
#define TESTS_SUPPORT_TRAFFIC_H

#include <stdint.h>

#include "config/settings.h"

struct traffic;

/* Views (record-view), of which one in broken_every has a time that no index takes, and changes of users. */
struct traffic *traffic_start(const char *door_url, int broken_every);

/* No new events; waits until all that were begun are acknowledged. Then how many there were. */
int64_t traffic_stop(struct traffic *t);
void traffic_free(struct traffic *t);

int64_t traffic_sent(struct traffic *t); /* so far */

/* Documents of memberships for the users, to be loaded before: for _bulk. Yours to free. */
char *traffic_members(const char *index);

/* How many documents, dead letters and audit entries there must be. */
int64_t traffic_views(const struct traffic *t);
int64_t traffic_broken(const struct traffic *t);
int64_t traffic_changes(const struct traffic *t);

/* Compares document by document; fails the test and names the first that differs. */
void traffic_check_views(const struct traffic *t, const struct settings *s, const char *pattern);
void traffic_check_members(const struct traffic *t, const struct settings *s, const char *index);

#endif
