/*
 * indexer/paused.h - indices that take no writes for now (read-only, flood stage), and when each is tried again.
 *
 * A held index gets one item through every 30 s, as a probe; the others need no request to know their answer.
 */
#ifndef INDEXER_PAUSED_H
#define INDEXER_PAUSED_H

#include <stdbool.h>
#include <stddef.h>

struct paused;

struct paused *paused_new(void);
void paused_free(struct paused *p); /* NULL is fine */
bool paused_none(const struct paused *p);

/* The server's words why an item for the index must wait, valid until the next paused_lift; NULL: it may go. */
const char *paused_why(struct paused *p, const char *index, size_t length);

/* The index refused a write, in these words: held for 30 s from now. */
void paused_hold(struct paused *p, const char *index, size_t length, const char *reason);

/* The index answered a write in another way: no longer held. */
void paused_lift(struct paused *p, const char *index, size_t length);

#endif
