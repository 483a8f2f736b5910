/* notifier/outbox/outbox_sql.h - the statements about the table of an [outbox], with its names quoted. */
#ifndef NOTIFIER_OUTBOX_OUTBOX_SQL_H
#define NOTIFIER_OUTBOX_OUTBOX_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"

enum { OUTBOX_BUCKETS = 64 }; /* subjects are spread over so many, each of which one relay at a time holds */

/* What the relay says, in this order, in each of its transactions; commit and rollback are the words themselves. */
struct outbox_sql {
    char *begin;  /* a script */
    char *window; /* the next rows: bucket and through (the place of the last row looked at), oldest bucket first */
    char *hold;   /* $1 int[]: those of these buckets that nobody else holds, at most $2 */
    char *take;   /* $1 int[] buckets, $2 through: their rows, locked, in order; the columns are enum outbox_column */
    char *done;   /* $1 tid[], $2 oid: rows that were sent are deleted, or marked */
    char *park;   /* $1 tid, $2 oid, $3 reason: a copy of the row in the table of parked rows */
    char *remove; /* $1 tid[], $2 oid: parked rows, which are deleted whatever becomes of the others */
    char *check;  /* fails where tables, columns or rights are missing */

    char *state; /* one row: waiting (at most OUTBOX_COUNT_MOST + 1), time of the oldest row or null, parked likewise */
    char *parked; /* $1 most, $2 bigint[] or null for all: number, id, parked_at, reason, row; the oldest first */
    char *retry;  /* $1 bigint: moves the parked row of that number back as it was */
    char *drop;   /* $1 bigint */
};

enum outbox_column {
    OUTBOX_ROW,   /* where it lies: ctid */
    OUTBOX_TABLE, /* in which table: of a partitioned one each part is one */
    OUTBOX_ID,
    OUTBOX_TYPE,
    OUTBOX_TIME,
    OUTBOX_SUBJECT,
    OUTBOX_REVISION,
    OUTBOX_ACTOR,
    OUTBOX_OPERATION,
    OUTBOX_TRACEPARENT,
    OUTBOX_BYTES,   /* of the payload */
    OUTBOX_PAYLOAD, /* null where it is longer than an event may be */
};

enum { OUTBOX_COUNT_MOST = 100000 };

void outbox_sql_init(struct outbox_sql *sql, const struct outbox_settings *o, int64_t event_bytes);
void outbox_sql_release(struct outbox_sql *sql);

/* What an operator runs once to make the tables, index and trigger, and an example for the platform's transaction. */
void outbox_sql_add_tables(const struct outbox_settings *o, struct buf *out);

/* Whether there is such a column or channel: in the file "none" says that there is not. */
bool outbox_has(const char *name);

/* For configuration: what only the section as a whole tells. */
bool outbox_section_check(const void *section, struct error *err);

#endif
