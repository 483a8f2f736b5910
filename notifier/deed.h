/*
 * notifier/deed.h - what somebody has the service do, and how it ended: one event of type crier.*.
 *
 * A deed is noted in Redis before it is done: what cannot be noted is not done. Once its end is known it becomes an
 * event, with data.outcome = "failure" and data.reason where it failed. One whose process is gone without a word is
 * told all the same, with the outcome "unknown": some minutes later, by whoever looks (deeds_tell_lost).
 *
 * Where no queue takes such an event nothing is noted either.
 */
#ifndef NOTIFIER_DEED_H
#define NOTIFIER_DEED_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"

#define DEEDS_UNDER_WAY                                                                                                \
    "crier:{deeds}:under-way" /* a sorted set: the deed, when it counts as lost: ms of Redis's clock */

enum { DEED_LIFE_MS = 300000 /* without a word of its process */ };

struct deed;

/*
 * type, subject and data as in notifier/service_event.h; actor "kind/id", NULL is the user at the command line. data is
 * taken over and may be NULL. NULL: ERROR_AGAIN, and the deed must not be done.
 */
struct deed *deed_begin(const struct settings *s, struct redis *r, const char *type, const char *subject,
                        const char *actor, json_t *data, struct error *err) must_check;

/* It goes on: it is under way for another DEED_LIFE_MS. */
bool deed_go_on(struct deed *d, struct redis *r, struct error *err) must_check;

/* failed: why; NULL: it was done. exit_code: of a verb, 0 where there is none to tell. False: Redis is away, and it
 * will be told as one whose end is unknown. The deed is freed. */
bool deed_end(struct deed *d, struct redis *r, const char *failed, int exit_code, struct error *err) must_check;

/* The same; that it could not be told is a line of the log. Returns done, for which err has the reason where it is not.
 */
bool deed_settle(struct deed *d, struct redis *r, bool done, const struct error *err);

/* Tells those of which nothing was heard for so long. */
bool deeds_tell_lost(const struct settings *s, struct redis *r, struct error *err) must_check;

#endif
