/* tests/support/outbox_platform.h - outboxes on one PostgreSQL, and the rows that a platform leaves there. */
#ifndef TESTS_SUPPORT_OUTBOX_PLATFORM_H
#define TESTS_SUPPORT_OUTBOX_PLATFORM_H

#include <stddef.h>

#include "notifier/event.h"
#include "support/outbox_stage.h"

enum { ROWS = 2000, SUBJECTS = 5 };

/* For cmocka: of the group, the server. */
int outbox_platform_start(void **state);
int outbox_platform_stop(void **state);

/* Of a test: *state is a struct outbox_stage. With mark, rows that were sent are marked instead of deleted. */
int outbox_platform_open(void **state);
int outbox_platform_open_mark(void **state);
int outbox_platform_open_crowded(void **state); /* no NOTIFY; batches so small that relays get in each other's way */
int outbox_platform_close(void **state);

/* What the platform does: count rows of so many subjects, revision by revision. */
void outbox_platform_insert(struct outbox_stage *s, int first, int count, int subjects);

/* Of each subject, the revisions in their order. */
void outbox_platform_order_kept(const struct event *events, size_t count);

#endif
