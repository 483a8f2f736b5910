/*
 * handlers/history/history_search.h - events out of a history: which of them, and page by page.
 *
 * They come as they lie there: CloudEvents JSON with what their preparation made of them (notifier/archived.h).
 */
#ifndef HANDLERS_HISTORY_HISTORY_SEARCH_H
#define HANDLERS_HISTORY_HISTORY_SEARCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/query/timeline.h"

/* Where the events of a handler are. */
struct history_place {
    const char *handler;
    struct buf pattern; /* of its indices, without the prefix */
    const char *point;  /* as timeline_hold has it, or NULL; lent */
    size_t page_bytes;  /* as struct timeline has it */
};

/* The handler of that name, or NULL: the first of type history. False: ERROR_CONFIG. Released also then. */
bool history_find(const struct settings *s, const char *name, struct history_place *out, struct error *err) must_check;
void history_place_release(struct history_place *p);

/* What events must be; NULL: anything. */
struct history_filter {
    const char *id;              /* an event's own or the unique one */
    const char *subject, *actor; /* KIND/ID, or KIND/ and KIND/ followed by a *: all of that kind */
    const char *type;            /* patterns */
    const char *operation;
    struct time_range range;
    const char *also_type; /* patterns, too: what the caller may see; "": all */
};

/* ERROR_INPUT: a value is empty, too long or no UTF-8, or the patterns are none. */
bool history_filter_check(const struct history_filter *f, struct error *err) must_check;

/* The query that finds them: {"bool": {"filter": [...]}}, the caller's. */
json_t *history_query(const struct history_filter *f) must_check;

/* The next so many, the newest first, as timeline_page has it. */
bool history_page(struct client *c, const struct history_place *p, const struct history_filter *f, size_t limit,
                  struct buf *after, json_t **events, struct error *err) must_check;

#endif
