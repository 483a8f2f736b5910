/*
 * notifier/emit_operation.h - the operation that all events of one `crier emit` belong to, and the wait for its end.
 */
#ifndef NOTIFIER_EMIT_OPERATION_H
#define NOTIFIER_EMIT_OPERATION_H

#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/verb.h"
#include "notifier/intake.h"
#include "notifier/operation/operations.h"

enum { EMIT_WAIT_MS_MOST = 3600000 };

/* Makes what those handlers wrote searchable, in most_ms of time. */
typedef bool make_searchable(const struct settings *s, const char *const *handlers, size_t count, int64_t most_ms,
                             struct error *err);

/* Zero before, but for make. */
struct emit_operation {
    make_searchable *make;
    const char *id; /* "": none was asked for */
    const char *wait;
    int64_t wait_ms; /* 0: nobody waits */
    bool waited, searchable;
    enum operation_fate fate; /* once it was waited for */
    char made[OPERATION_ID_BYTES];
};

/* Takes --operation and --wait out of the call. False: ERROR_INPUT, a mistake of usage. */
bool emit_operation_take(struct emit_operation *o, struct verb_call *call, struct error *err) must_check;

/* After each intake_start. */
void emit_operation_begin(const struct emit_operation *o, struct intake *in);

/*
 * Waits until all is done and can be searched, or dead, or the time is over: then the fate is what it is. False: Redis
 * is away. That what is done cannot be searched is said here.
 */
bool emit_operation_wait(struct emit_operation *o, const struct settings *s, struct error *err) must_check;

/* Behind the counts: as more members of an object, or for people. */
void emit_operation_print(const struct emit_operation *o, bool json);

/* The exit code where all that was sent was taken; known: events that were there before. Says why it is not 0. */
int emit_operation_status(const struct emit_operation *o, size_t known);

#endif
