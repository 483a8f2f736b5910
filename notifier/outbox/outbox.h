/*
 * notifier/outbox/outbox.h - one [outbox]: a table of the platform's database, in which its transactions leave events.
 *
 * The link, what waits there, and the rows that were parked because they can be no event. One thread at a time.
 */
#ifndef NOTIFIER_OUTBOX_OUTBOX_H
#define NOTIFIER_OUTBOX_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/postgres.h"
#include "config/settings.h"
#include "notifier/outbox/outbox_sql.h"

struct outbox {
    const struct settings *settings;
    const struct outbox_settings *own;
    struct postgres *link;
    struct outbox_sql sql;
    struct buf source; /* attribute of its events */
};

struct outbox *outbox_new(const struct settings *s, const struct outbox_settings *own); /* connects at the first call */
void outbox_free(struct outbox *o);                                                     /* NULL is fine */

/* Whether the tables are there, with their columns and with the rights it takes; says what to do. */
bool outbox_check(struct outbox *o, struct error *err) must_check;

struct outbox_state {
    int64_t waiting, parked; /* rows; more than OUTBOX_COUNT_MOST are not counted to their end */
    int64_t oldest_ms;       /* age of the oldest row; 0: none, or no column tells it */
};

bool outbox_state(struct outbox *o, struct outbox_state *state, struct error *err) must_check;

/* numbers "{1,2}", or NULL for all, the oldest first; *rows has the columns outbox_parked_column and is yours to free.
 */
enum outbox_parked_column { PARKED_NUMBER, PARKED_ID, PARKED_TIME, PARKED_REASON, PARKED_ROW };
bool outbox_parked(struct outbox *o, int64_t most, const char *numbers, struct postgres_rows **rows,
                   struct error *err) must_check;

/* Back into the outbox as it was, or gone for good; *was: it was there. */
bool outbox_retry(struct outbox *o, const char *number, bool *was, struct error *err) must_check;
bool outbox_drop(struct outbox *o, const char *number, bool *was, struct error *err) must_check;

#endif
