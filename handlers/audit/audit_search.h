/*
 * handlers/audit/audit_search.h - audit entries out of the index, the newest first, page by page.
 *
 * Entries are given as they lie there, so in the form of their handler.
 */
#ifndef HANDLERS_AUDIT_AUDIT_SEARCH_H
#define HANDLERS_AUDIT_AUDIT_SEARCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/time_range.h"
#include "indexer/client.h"

/* Where the entries of a handler are. */
struct audit_trail {
    const char *handler;
    char *pattern;     /* of its indices, without the prefix */
    int form;          /* enum audit_form */
    const char *point; /* as timeline_hold has it, or NULL; lent */
    size_t page_bytes; /* as struct timeline has it */
};

/* The handler of that name, or NULL: the first of type audit that has an index. False: ERROR_CONFIG. */
bool audit_trail_find(const struct settings *s, const char *name, struct audit_trail *out,
                      struct error *err) must_check;
void audit_trail_release(struct audit_trail *t);

/* What entries must be; NULL: anything. */
struct audit_filter {
    const char *actor, *resource; /* KIND/ID, KIND/ or KIND/ followed by a *, ID */
    const char *action;           /* a * in it stands for anything */
    const char *outcome;
    struct time_range range;
};

/* ERROR_INPUT: a value is empty, too long or no UTF-8. */
bool audit_filter_check(const struct audit_filter *f, struct error *err) must_check;

/* The query that finds them: {"bool": {"filter": [...]}}, the caller's. */
json_t *audit_search_query(const struct audit_trail *t, const struct audit_filter *f) must_check;

/* The next so many, as timeline_page has it. */
bool audit_search_page(struct client *c, const struct audit_trail *t, const struct audit_filter *f, size_t limit,
                       struct buf *after, json_t **entries, struct error *err) must_check;

/* What all forms say, as text in out: "time", "action", "outcome", "actor", "resource" (KIND/ID), "id", "type" (of the
 * event); "" where an entry does not say it. */
void audit_entry_say(const struct audit_trail *t, const json_t *entry, const char *what, struct buf *out);

#endif
