/*
 * handlers/reindex/supply.h - where the documents of a reindex come from when it is not the old index: a [source], or
 * lines of JSON in a file or on standard input.
 *
 * A line is {"_id", "_version", "_source"} with a "_routing" where it has one, as `crier statistics export` writes it,
 * or a plain document with its id in "id"; a file may be gzipped.
 */
#ifndef HANDLERS_REINDEX_SUPPLY_H
#define HANDLERS_REINDEX_SUPPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/handler.h"
#include "handlers/reindex/page_queue.h"
#include "handlers/reindex/page_size.h"
#include "handlers/source/source.h"

struct supply;

/* name: of a [source], a path, or "-". NULL: ERROR_INPUT, it is none of these. */
struct supply *supply_new(const struct settings *s, const char *name, struct error *err) must_check;
void supply_free(struct supply *x); /* NULL is fine */

/* Whether documents can be asked for by their ids; else supply_page is all there is. */
bool supply_by_id(const struct supply *x);

/* How many documents there are; -1: it cannot be told. */
bool supply_count(struct supply *x, int64_t since_us, struct clock_run *run, int64_t *count,
                  struct error *err) must_check;

/*
 * The next documents into an empty page; *read 0: that was all. position: "" or what p->position was,
 * also in another process (standard input has none: it begins where it is). Those that cannot be had are not in the
 * page; *wrong is raised by their number, and the first one's reason is kept. Tried again while time helps.
 */
struct supply_walk {
    int64_t since_us;      /* 0: all */
    struct page_size page; /* page.most 0: as it fits */
    int64_t wrong;
    char reason[300];
};
bool supply_page(struct supply *x, struct supply_walk *walk, const char *position, struct clock_run *run,
                 struct page *p, size_t *read, struct error *err) must_check;

/* Those of these ids, in their order; only where supply_by_id. */
bool supply_get(struct supply *x, const struct span *ids, size_t count, struct clock_run *run, struct arena *arena,
                struct source_document *out, struct error *err) must_check;

/* A document as it came becomes one to be written. */
void supply_document(const struct source_document *from, struct arena *arena, struct page_document *out);

#endif
