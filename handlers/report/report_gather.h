/*
 * handlers/report/report_gather.h - the usage of some months, from the events of the handlers that [report] names.
 *
 * What robots did, and clicks that others followed (counted = false), is left out. Day by day, sorted by OpenSearch and
 * streamed page by page.
 */
#ifndef HANDLERS_REPORT_REPORT_GATHER_H
#define HANDLERS_REPORT_REPORT_GATHER_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/progress.h"
#include "config/settings.h"
#include "handlers/report/report_usage.h"
#include "indexer/client.h"

struct gather_query {
    int first, last;  /* months */
    int64_t until_us; /* nothing later is looked for */
    bool machines;    /* are counted, apart from people; else left out */
    bool details;     /* versions together, countries and bytes as well */
};

/* NULL: ERROR_AGAIN; ERROR_CONFIG where [report] names no handler that keeps events. */
struct usage *usage_gather(struct client *c, const struct settings *s, const struct gather_query *q,
                           struct progress *progress, struct error *err) must_check;

#endif
