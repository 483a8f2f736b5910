/*
 * notifier/door_body.h - a request's body as it comes in: inflated where it is gzipped, and never beyond its limits.
 *
 * What does not fit is swallowed and forgotten, so that the sender can still be told. All bodies together share one
 * room, so that many senders at once cost no more memory than the operator allowed.
 */
#ifndef NOTIFIER_DOOR_BODY_H
#define NOTIFIER_DOOR_BODY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "base/buf.h"

enum body_state {
    BODY_WHOLE,
    BODY_TOO_LONG, /* longer than one body may be */
    BODY_BROKEN,   /* not gzip, or cut short */
    BODY_NO_ROOM,  /* all bodies together fill their room */
};

struct body {
    struct buf bytes;
    enum body_state state;
    atomic_int_fast64_t *room; /* bytes left for all bodies; lent */
    int64_t most, reserved, seen;
    bool gzip, started, member_done; /* member: of several gzip streams one behind the other */
    z_stream stream;
};

void body_start(struct body *b, bool gzip, int64_t most, atomic_int_fast64_t *room);
void body_add(struct body *b, const char *bytes, size_t length);
enum body_state body_end(struct body *b); /* no more is to come */
void body_release(struct body *b);

#endif
