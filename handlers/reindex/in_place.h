/*
 * handlers/reindex/in_place.h - documents of an index brought up to date from their source, where they are: those asked
 * for by ids, by a query, by the time of their change, or those that are behind.
 *
 * A document is written at the source's version, never over a newer one, and taken out at its own version where the
 * source has it no more. Safe to repeat; cut off, what is done is done.
 */
#ifndef HANDLERS_REINDEX_IN_PLACE_H
#define HANDLERS_REINDEX_IN_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/handler.h"

struct in_place_options {
    const char *index;  /* an alias or an index, without the prefix */
    const char *source; /* of a [source], or a file */
    const char *ids;    /* a file with an id a line, "-" for standard input; NULL: none */
    const char *query;  /* JSON, as OpenSearch has it; NULL: none */
    int64_t since_us;   /* 0: any time */
    bool only_stale;    /* what is of the source's version already is left alone */
    bool dry_run;       /* only count */
    int64_t rate, parallel;
};

struct in_place_tally {
    int64_t looked_at;
    int64_t behind, missing, gone; /* of these: older than the source's; not in the index; not in the source */
    int64_t written;               /* and durable */
    int64_t wrong;                 /* the source cannot give them */
    char reason[300];              /* of the first one */
};

bool in_place_run(const struct settings *s, const struct in_place_options *o, struct clock_run *run,
                  struct in_place_tally *tally, struct error *err) must_check;

#endif
