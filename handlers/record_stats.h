/*
 * handlers/record_stats.h - by the clock: the totals of changed records are brought into the platform's record
 * documents (stats.this_version, stats.all_versions), or into an index beside them.
 */
#ifndef HANDLERS_RECORD_STATS_H
#define HANDLERS_RECORD_STATS_H

#include "handlers/handler.h"

/* The keys of [handler] with type = record-stats. */
struct record_stats_options {
    char *views, *downloads;       /* handlers of type aggregate; either may be "" */
    char *index;                   /* of the record documents, or alias */
    char *id_field, *parent_field; /* of a record document: what record and parent of an aggregate name */
    char *side_index;              /* "": into the record documents themselves */
    int64_t rate;                  /* most documents written in a second */
    int64_t page;                  /* most parents computed together */
};

extern const struct handler_type record_stats_handler;

#endif
