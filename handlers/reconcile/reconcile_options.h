/*
 * handlers/reconcile/reconcile_options.h - what a handler of type reconcile is told by its section, and whether that
 * fits the handler whose copies or documents it looks after.
 */
#ifndef HANDLERS_RECONCILE_RECONCILE_OPTIONS_H
#define HANDLERS_RECONCILE_RECONCILE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"

enum walk { WALK_INDEX, WALK_SOURCE };

struct reconcile_options {
    char *of, *source, *changed_at;
    int walk; /* enum walk */
    int64_t page, rate, budget_ms, period_ms, gone_most;
};

extern const struct config_key reconcile_keys[];

const char *reconcile_walk_name(const struct reconcile_options *o);

/* The handler that is looked after, of type denormalize or record. NULL: ERROR_CONFIG. */
const struct handler_settings *reconcile_of(const struct settings *s, const struct reconcile_options *o,
                                            struct error *err) must_check;

/* The name of the source that is asked how things are. NULL: ERROR_CONFIG. */
const char *reconcile_source(const struct reconcile_options *o, const struct handler_settings *of,
                             struct error *err) must_check;

bool reconcile_fits(const struct settings *s, const struct handler_settings *hs, struct error *err) must_check;

#endif
