/*
 * notifier/outbox/outbox_batch.h - one transaction of the relay: rows taken, sent through the intake, deleted or
 * marked, committed.
 *
 * A row leaves the outbox only once Redis has its event; one cut off between the two is sent again, under the same id.
 */
#ifndef NOTIFIER_OUTBOX_OUTBOX_BATCH_H
#define NOTIFIER_OUTBOX_OUTBOX_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "notifier/intake.h"
#include "notifier/outbox/outbox.h"

struct outbox_moved {
    size_t rows;                              /* that were looked at */
    size_t outcomes[INTAKE_UNAVAILABLE + 1];  /* of those whose transaction was committed; refused: parked */
    bool held;                                /* there were rows, and other relays hold all of them */
    char refused_id[80], refused_reason[256]; /* of the first that was parked */
};

/*
 * False: something is away, or refuses; what was sent until then is no longer in the outbox, unless it is PostgreSQL
 * that is away. moved counts all the same.
 */
bool outbox_batch_relay(struct outbox *o, struct intake *in, struct outbox_moved *moved, struct error *err) must_check;

#endif
