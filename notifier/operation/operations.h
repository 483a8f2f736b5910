/*
 * notifier/operation/operations.h - what became of the events of an operation, handler by handler.
 *
 * Before events that carry an operation are appended, each of their handlers is noted as waiting; a lane that settles
 * them notes what became of them. It is kept as long as [http] operations says, after the last change; of the
 * OPERATIONS_MOST begun last, the first OPERATION_PAIRS_MOST pairs of event and handler each. What changes is also an
 * entry of a stream, of the RESULTS_MOST last, for whoever waits for it or watches.
 */
#ifndef NOTIFIER_OPERATION_OPERATIONS_H
#define NOTIFIER_OPERATION_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"
#include "notifier/access/access.h"
#include "notifier/batch.h"
#include "notifier/event.h"

enum {
    OPERATIONS_MOST = 50000,
    OPERATION_PAIRS_MOST = 10000,
    OPERATION_ID_BYTES = 129, /* of one that is asked for by itself, with its NUL */
    RESULTS_MOST = 10000,
};

/*
 * A stream; its entries have o (the operation; not where the event has none), t (the event's type) and v (as a member
 * of what operation_show calls handlers).
 */
#define OPERATION_RESULTS "crier:{operations}:results"

/* A new id; out holds OPERATION_ID_BYTES. */
void operation_name(char *out);

/* Whether an id is fit to be asked for in a URL: letters, digits and -_.:~ only. False: ERROR_INPUT. */
bool operation_id_check(const char *id, struct error *err) must_check;

/*
 * Notes the handlers of those events that carry an operation as waiting, where nothing is noted yet; events without
 * one cost nothing. made[i]: what was noted of events[i] was not there before. False (ERROR_AGAIN): nothing may be
 * appended, as nobody could tell what becomes of it.
 */
bool operations_expect(struct redis *r, const struct settings *s, const struct event *const *events, size_t count,
                       bool *made, struct error *err) must_check;

/* Takes back what was made for an event that was there before, and is waited for under another operation or none. */
bool operations_forget(struct redis *r, const struct settings *s, const struct event *e, struct error *err) must_check;

/*
 * What became of the events of a batch: done, retrying, dead. In one call, and only where one carries an operation;
 * with [http] results = all those without one are entries of the stream, too, and no more.
 */
bool operations_note(struct redis *r, const struct settings *s, const struct handler_settings *hs,
                     const struct batch *b, struct error *err) must_check;

enum operation_fate { OPERATION_UNKNOWN, OPERATION_WAITING, OPERATION_RETRYING, OPERATION_DEAD, OPERATION_DONE };

const char *operation_fate_name(enum operation_fate fate);

/*
 * Writes {"operation","state","handlers":[{"event","type","subject","handler","state","since","time","reason"}]}, as
 * far as the caller may see the events' types (NULL: all). Times are of the event's arrival and of the last change. The
 * fate is that of all together: waiting before retrying, then dead, and done only where all is. UNKNOWN: nothing is
 * known of such an operation, or nothing that the caller may see; out is as it was.
 */
bool operation_show(struct redis *r, const char *id, const struct caller *caller, enum operation_fate *fate,
                    struct buf *out, struct error *err) must_check;

#endif
