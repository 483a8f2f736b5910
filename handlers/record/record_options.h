/* handlers/record/record_options.h - what a handler of type record is told by its section. */
#ifndef HANDLERS_RECORD_RECORD_OPTIONS_H
#define HANDLERS_RECORD_RECORD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum record_versions { RECORD_EXTERNAL, RECORD_EXTERNAL_GTE };

struct record_options {
    char *index, *id, *routing; /* templates */
    char *deleted, *created;    /* patterns of event types */
    char *source;               /* "payload", or the name of a section */
    char *document;             /* where it stands in the payload: "data" or "data.path" */
    int versions;               /* enum record_versions */
    int64_t tombstones_ms;      /* how long a deletion is known */
};

#endif
