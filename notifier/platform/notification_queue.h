/*
 * notifier/platform/notification_queue.h - a queue of the platform's task runner (Celery) that change notifications
 * are routed to: calls of invenio_records_resources.tasks.send_change_notifications(record_type, records_info).
 *
 * Such a call is done here instead of by a worker of the platform's: its records become events, and the message goes
 * when all of them are safe. What is wrong with it is a dead letter. A message that calls another task is not ours: it
 * stays where it is for whoever it is for, and is told of in the log; however many there are, they are looked behind.
 */
#ifndef NOTIFIER_PLATFORM_NOTIFICATION_QUEUE_H
#define NOTIFIER_PLATFORM_NOTIFICATION_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/counters.h"
#include "base/error.h"
#include "notifier/platform/platform_hands.h"

struct notification_queue {
    const char *name;
    struct counter *const *outcomes; /* of records, by enum intake_outcome */
    struct counter *foreign;         /* looks at messages of other tasks */
};

/* Where in a list to go on; all zero at first. */
struct notification_place {
    size_t passed;    /* the oldest messages, which are all others' */
    int64_t again_ms; /* when to begin anew: some of those may have gone, and ours be among so many of the oldest */
};

/* Takes over one batch of a list. *more: there may be others. False: some have to wait; err says why. */
bool notification_queue_take(const struct notification_queue *q, const struct platform_hands *h, const char *list,
                             struct notification_place *place, bool *more, struct error *err) must_check;

#endif
