/* scheduler/reindex_call.h - what the parts of `crier reindex` share: one call. */
#ifndef SCHEDULER_REINDEX_CALL_H
#define SCHEDULER_REINDEX_CALL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/verb.h"
#include "handlers/reindex/rebuild.h"
#include "scheduler/long_work.h"

struct reindex_call {
    const struct verb_call *call;
    struct redis *redis;
    struct rebuild_options options;
    const char *ids, *query, *since, *only; /* NULL: not given */
    bool relations, all, yes;
};

/* Said for the audit; data is taken over. */
bool reindex_say(const struct reindex_call *c, const char *type, const char *alias, json_t *data,
                 struct error *err) must_check;

/* The lease of an alias: one at a time. ERROR_INPUT: another process is at it. */
bool reindex_lease(struct reindex_call *c, struct long_work *work, const char *alias, struct error *err) must_check;

/* One index made anew, to its end; *skipped: documents that its source could not give. */
bool reindex_rebuild(struct reindex_call *c, int64_t *skipped, struct error *err) must_check;

/* Each returns an exit code, and speaks to the operator itself. */
int reindex_in_place(struct reindex_call *c);
int reindex_relations(struct reindex_call *c);
int reindex_all(struct reindex_call *c);

#endif
