/*
 * notifier/notification.h - a change notification as the platform's own code sends it: what kind of record changed, and
 * of each record its pid, its uuid and its revision.
 *
 *   ["users", [["1", "1", 5], ["2", "2", 7]]]                                   the arguments of its task, as JSON
 *   {"record_type": "users", "records_info": [["1", "1", 5]], "action": "deleted"}
 *
 * A record may also be an object, {"pid": "1", "uuid": "1", "revision_id": 5, "data": {...}}: with its content, where
 * the sender has it. Each record becomes an event of type users.updated (or what action says) about users/1, with the
 * revision and data.uuid, and with an id made of all these: sent again, it is a duplicate, whatever door it comes by.
 */
#ifndef NOTIFIER_NOTIFICATION_H
#define NOTIFIER_NOTIFICATION_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/json_cut.h"
#include "notifier/intake.h"

struct notification {
    struct span record_type, action; /* in the arena */
    struct json_cut records;
    const char *start; /* of the text, for positions */
    size_t count;      /* of the records given so far */
    int depth;         /* of a record's JSON */
    bool ended;        /* what follows cannot be cut any more */
};

/* Whether the text is meant as a notification, and not as an event; it may be wrong all the same. */
bool notification_is(struct span text);

/* All but the records, which are cut out one by one later. The text is lent. ERROR_INPUT with the byte. */
bool notification_read(struct span text, int depth, struct arena *arena, struct notification *out,
                       struct error *err) must_check;

/* The same from a call of the platform's task: its positional and its named arguments, an array and an object. */
bool notification_read_call(struct span arguments, struct span named, int depth, struct arena *arena,
                            struct notification *out, struct error *err) must_check;

/* Adds the next record to the intake: as an event, or refused with its number, its byte and why. False: that was all.
 */
bool notification_add(struct notification *n, struct intake *in);

/* As JSON, of words PID:UUID:REVISION; what is not of this form is refused as it stands. action NULL: updated. */
void notification_write(struct buf *out, const char *type, const char *action, char *const words[], int count);

#endif
