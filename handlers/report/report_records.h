/*
 * handlers/report/report_records.h - what reports say of records besides numbers, from the platform's own documents.
 *
 * A text that the standards would not take (a date that is no whole day, a DOI that is none) counts as not known.
 */
#ifndef HANDLERS_REPORT_REPORT_RECORDS_H
#define HANDLERS_REPORT_REPORT_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/report/report_usage.h"
#include "indexer/client.h"

enum { REPORT_AUTHORS_MOST = 3 };

struct report_record {
    const char *title, *publisher, *doi, *parent_doi, *version, *date; /* "" where not known */
    const char *authors[REPORT_AUTHORS_MOST];
    size_t author_count;
    const char *data_type; /* as COUNTER calls it */
    char year[5];          /* "0001": not known */
    bool open;
};

/*
 * One per item of the usage, by its number, in the arena; NULL for a record that is not known any more. What is said of
 * all versions together is what is said of the latest of those used.
 */
bool report_records_read(struct client *c, const struct report_settings *r, const struct usage *u, struct arena *arena,
                         const struct report_record ***records, struct error *err) must_check;

/* "TYPE=DATA_TYPE ...", for the configuration. */
bool report_data_types_check(const char *words, struct error *err);

#endif
