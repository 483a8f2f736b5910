/*
 * handlers/spread/later.h - what is spread by the clock: subjects with too many documents for the queue to wait for,
 * and a second look at what was spread, for documents that were indexed from an older state meanwhile.
 */
#ifndef HANDLERS_SPREAD_LATER_H
#define HANDLERS_SPREAD_LATER_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/spread/spread.h"

struct later;

/* Lent for as long as it lives: the handler's settings, link and options. NULL: ERROR_CONFIG. */
struct later *later_new(const struct handler *h, const struct spread_options *o, struct newest *newest,
                        struct error *err) must_check;
void later_free(struct later *l); /* NULL is fine */

/* All that is due. Second looks do not wait for the mass. False: ERROR_AGAIN; what is left is done next time. */
bool later_run(struct later *l, struct clock_run *run, struct error *err) must_check;

#endif
