/*
 * handlers/statistics.h - events become documents, one per unique id; of several with one id the latest in time stays.
 *
 * Before an event is done, the keys of all aggregations of these documents (type = aggregate, of = this handler) that
 * it changes are marked dirty (handlers/dirty.h): so a crash between the two leads to the same event again, and at
 * worst to a key computed once more.
 */
#ifndef HANDLERS_STATISTICS_H
#define HANDLERS_STATISTICS_H

#include "handlers/handler.h"

/* The keys of [handler] with type = statistics, also for those who read the documents. */
struct statistics_options {
    char *index;         /* template of the name: events-stats-record-view-{time:%Y-%m} */
    char *alias;         /* that all of the indices have; "": none, readers use the name with * for placeholders */
    char *time_field;    /* of a document */
    char *id_field;      /* "": none */
    char *updated_field; /* gets the time of indexing, RFC 3339 with microseconds and offset; "": none */
    char *fields;        /* of the mapping, NAME:TYPE separated by spaces; "": all strings are keywords */
};

extern const struct handler_type statistics_handler;

/* The index, alias or pattern that covers all documents of a handler of this type, without the prefix. */
void statistics_add_source(const struct handler_settings *hs, struct buf *out);

#endif
