/*
 * handlers/copy.h - the copy of a subject inside a document: found by its id, compared by revision, brought up to date.
 *
 * `match = user.id`: documents hold copies in objects at `user` (or in arrays on the way there), each with the
 * subject's id in `id`. `copy = user.name<-data.full_name ...` names what is copied into that object, `revision =
 * user.@v` where the object keeps the subject's revision.
 */
#ifndef HANDLERS_COPY_H
#define HANDLERS_COPY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"

enum on_delete { ON_DELETE_KEEP, ON_DELETE_CLEAR, ON_DELETE_REMOVE };

struct copy_rule;

/* NULL: ERROR_CONFIG. revision may be "". */
struct copy_rule *copy_rule_new(const char *match, const char *copy, const char *revision,
                                struct error *err) must_check;
void copy_rule_free(struct copy_rule *r);

/* The newest that is known of a subject. */
struct subject {
    struct span id;
    int64_t revision;   /* REVISION_NONE: not known, then every copy is compared by content */
    const json_t *data; /* of the event; NULL where deleted */
    bool deleted;
};

/* Who knows the subjects, and is told whose copies changed. */
struct copy_source {
    const struct subject *(*look_up)(void *context, struct span id); /* NULL: nothing is known of it */
    void (*changed)(void *context, const struct subject *s);
    void *context;
};

/* Brings every copy in the document up to date; true where the document changed. */
bool copy_apply(const struct copy_rule *r, json_t *document, const struct copy_source *from, enum on_delete on_delete);

/* Whether the data has anything that is copied. */
bool copy_has_source(const struct copy_rule *r, const json_t *data);

bool copy_check(const char *copy, struct error *err); /* for configuration rows */

#endif
