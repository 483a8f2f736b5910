/*
 * handlers/record_stats/record_marks.h - the records whose counters change with aggregates: marked dirty for the
 * handlers of type record-stats that read these.
 */
#ifndef HANDLERS_RECORD_STATS_RECORD_MARKS_H
#define HANDLERS_RECORD_STATS_RECORD_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/dirty.h"
#include "handlers/handler.h"

/* aggregate: of type aggregate; the keys of the marks are parents of its documents. One that comes twice counts once.
 */
bool record_marks_set(const struct handler *aggregate, const struct dirty_mark *marks, size_t count,
                      struct error *err) must_check;

#endif
