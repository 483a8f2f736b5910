/* scheduler/timeline_call.h - what verbs that show documents of a timeline (handlers/query/timeline.h) share. */
#ifndef SCHEDULER_TIMELINE_CALL_H
#define SCHEDULER_TIMELINE_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/verb.h"

/* Its option --limit: how many are shown. */
bool timeline_call_limit(struct verb_call *call, int64_t *limit, struct error *err) must_check;

/* An element of a JSON array on standard output, with nothing in it that moves a cursor; "]" ends the array. */
void timeline_call_print(const json_t *document, bool first);

#endif
