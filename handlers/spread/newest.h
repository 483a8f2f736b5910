/*
 * handlers/spread/newest.h - what is newest of each subject that changed lately, kept in Redis for all who spread it;
 * and which of them are still to be looked at, or to be spread by the clock.
 *
 * Keys, in the slot of the handler's queue: `newest:HANDLER`, subject -> content; `look:HANDLER`, when its dependents
 * are looked at once more; `mass:HANDLER`, those that the clock spreads; `kept:HANDLER`, until when the content is
 * kept; `newest-bytes:HANDLER`, how much that is. What is in `look` or `mass` keeps its content. An emptied Redis loses
 * all of it together with the events themselves.
 */
#ifndef HANDLERS_SPREAD_NEWEST_H
#define HANDLERS_SPREAD_NEWEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "handlers/spread/changes.h"

struct newest;

/* look_ms: how long after a change the second look is due; 0: there is none. All but the link is copied. */
struct newest *newest_new(struct redis *r, const char *queue, const char *handler, int64_t look_ms, int64_t keep_ms);
void newest_free(struct newest *n); /* NULL is fine */

/*
 * Notes the changes and their second look before any is spread. Where something newer is known its content takes the
 * change's place. in_mass says whether the clock spreads it, to_mass adds it to those. False: ERROR_AGAIN.
 */
bool newest_note(struct newest *n, struct changes *c, struct error *err) must_check;

/*
 * Asks again what is newest of some changes, and replaces what is not: then `moved` is set, and *moved. What is not
 * known any more stays.
 */
bool newest_ask(struct newest *n, struct change *const *changes, size_t count, bool *moved,
                struct error *err) must_check;

/*
 * The second look at what was written is counted from now on: until then another may be about to write what it read
 * before. Called when all is spread.
 */
bool newest_wrote(struct newest *n, struct changes *c, struct error *err) must_check;

/* Hands a change of the handler over to the clock. */
bool newest_to_mass(struct newest *n, struct change *change, struct error *err) must_check;

/* Up to most subjects whose second look is due, or that wait for the clock, longest first: with what is newest. */
bool newest_due(struct newest *n, size_t most, struct changes *out, struct error *err) must_check;
bool newest_mass(struct newest *n, size_t most, struct changes *out, struct error *err) must_check;

/* A second look is done: unless the subject changed since newest_due. again_ms > 0: it is due again so much later. */
bool newest_looked(struct newest *n, const struct change *change, int64_t again_ms, struct error *err) must_check;

/* A subject was spread by the clock: if what was spread is still the newest, it is looked at once more and that is it.
 */
bool newest_spread(struct newest *n, const struct change *change, struct error *err) must_check;

/* Removes what has been kept long enough, or is too much. */
bool newest_forget(struct newest *n, struct error *err) must_check;

/* How many wait for the clock. */
bool newest_mass_count(struct redis *r, const char *queue, const char *handler, int64_t *count,
                       struct error *err) must_check;

#endif
