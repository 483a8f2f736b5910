/*
 * handlers/aggregate/aggregate_write.h - what was computed gets into the index, and a key without events out of it.
 *
 * Each page of work has a number, taken before its search, as the external version of what it writes: a process that
 * was held up and writes late cannot undo what another computed after it.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATE_WRITE_H
#define HANDLERS_AGGREGATE_AGGREGATE_WRITE_H

#include "handlers/aggregate/aggregate_compute.h"

enum aggregate_outcome {
    AGGREGATE_WAIT,    /* not written; time helps */
    AGGREGATE_DONE,    /* as computed */
    AGGREGATE_NEWER,   /* the index has a higher version: to be computed again with a higher one */
    AGGREGATE_REFUSED, /* OpenSearch does not take the document, or its index takes none; the operator helps */
    AGGREGATE_NEVER,   /* nor can it ever: its id would be too long */
};

/* A number higher than any before, and than above. */
bool aggregate_version(struct aggregation *a, int64_t above, int64_t *version, struct error *err) must_check;

/*
 * An outcome for each result; the words of a refusal or of who is busy into reason ("" for none). Also finds whose
 * counters change with an aggregate that goes (result's parent).
 */
bool aggregate_write(struct aggregation *a, struct aggregate_result *results, size_t count, int64_t version,
                     struct arena *arena, enum aggregate_outcome *outcomes, struct buf *reason,
                     struct error *err) must_check;

/* The aggregates of the keys as the index has them: an array in the same order, each with "found". Caller's. */
bool aggregate_read(struct aggregation *a, const struct dirty_mark *marks, size_t count, json_t **docs,
                    struct error *err) must_check;

/* The highest version among them; 0: none is there. */
bool aggregate_highest(struct aggregation *a, const struct dirty_mark *marks, size_t count, int64_t *version,
                       struct error *err) must_check;

#endif
