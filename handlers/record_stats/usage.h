/*
 * handlers/record_stats/usage.h - how much a record was used, and the `stats` object of its document that says so:
 *
 *     {"this_version": {"views", "unique_views", "downloads", "unique_downloads", "data_volume"}, "all_versions": ...}
 */
#ifndef HANDLERS_RECORD_STATS_USAGE_H
#define HANDLERS_RECORD_STATS_USAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

struct usage {
    int64_t views, unique_views, downloads, unique_downloads;
    double data_volume;
};

/* What is known; the other half of a document's numbers stays as it is, 0 where there is none. */
struct usage_known {
    bool views, downloads;
};

/* Brings `stats` of the document up to date; true where that changed it. */
bool usage_apply(json_t *document, const struct usage *this_version, const struct usage *all_versions,
                 struct usage_known known);

/* Whether usage_apply would change it. */
bool usage_differs(const json_t *document, const struct usage *this_version, const struct usage *all_versions,
                   struct usage_known known);

/* ---------------------------------------------------------------------------------------------- by record id */

struct usage_entry {
    struct span key;
    struct usage usage;
    bool failed; /* for whoever needs a note */
};

struct usage_map;

struct usage_map *usage_map_new(struct arena *arena);                           /* goes with the arena */
struct usage_entry *usage_map_find(const struct usage_map *m, struct span key); /* NULL: none */
struct usage_entry *usage_map_enter(struct usage_map *m, struct span key);      /* made where there is none */
size_t usage_map_count(const struct usage_map *m);
struct usage_entry *usage_map_at(const struct usage_map *m, size_t i); /* in the order they were entered */

#endif
