/* scheduler/statistics_call.h - what the parts of `crier statistics` share: one call, and the handlers it is about. */
#ifndef SCHEDULER_STATISTICS_CALL_H
#define SCHEDULER_STATISTICS_CALL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/verb.h"
#include "handlers/repair/store.h"

struct statistics_call {
    const struct verb_call *call;
    struct redis *redis;
    struct time_range range;
    const char *from, *to, *month, *reason, *suffix, *out, *in; /* NULL: not given */
    bool cancel;
    struct store *stores; /* of the handlers named, or of all there are */
    size_t count;
};

/* Said for the audit before it is done; subject "handlers/NAME" or "folders/PATH"; data is taken over. */
bool statistics_say(const struct statistics_call *c, const char *what, const char *kind, const char *name, json_t *data,
                    struct error *err) must_check;

/* Each returns an exit code, and speaks to the operator itself. */
int statistics_restate(struct statistics_call *c);
int statistics_reclassify(struct statistics_call *c);
int statistics_reindex(struct statistics_call *c);
int statistics_export(struct statistics_call *c);
int statistics_import(struct statistics_call *c);

#endif
