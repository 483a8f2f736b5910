/*
 * handlers/aggregate/bookmark.h - how far an aggregation has come, kept where invenio-stats keeps it: a document for
 * each time, {date, aggregation_type}, in the index stats-bookmarks. Never removed from here.
 */
#ifndef HANDLERS_AGGREGATE_BOOKMARK_H
#define HANDLERS_AGGREGATE_BOOKMARK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "indexer/client.h"

enum { BOOKMARK_NONE = -1 };

/* The newest that does not lie after now_us, or BOOKMARK_NONE; *ahead: there are some that do. */
bool bookmark_newest(struct client *c, const char *name, int64_t now_us, int64_t *date_us, bool *ahead,
                     struct error *err) must_check;

/* Makes the index where there is none. */
bool bookmark_add(struct client *c, const char *name, int64_t date_us, struct error *err) must_check;

/* The dates of the newest, as they were written: an array of strings, the caller's. */
bool bookmark_list(struct client *c, const char *name, size_t most, json_t **dates, struct error *err) must_check;

#endif
