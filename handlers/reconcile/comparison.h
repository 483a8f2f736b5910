/*
 * handlers/reconcile/comparison.h - documents compared with what a source says: the copies of subjects in them, or, for
 * a handler of type record, the documents themselves; what is behind is brought up to date as an event would do it.
 *
 * What is newer than the source is left alone. Of a subject that the source does not have (any more) the copies go the
 * way of the relation's on_delete; its own document is deleted.
 */
#ifndef HANDLERS_RECONCILE_COMPARISON_H
#define HANDLERS_RECONCILE_COMPARISON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/source/source.h"
#include "indexer/hits.h"

struct comparison_options {
    const struct handler_settings *of; /* of type denormalize or record */
    const char *source;                /* name of the [source] */
    const char *changed_at;            /* field of a subject that tells when it changed; "": none */
    int64_t gone_most;                 /* of subjects asked for together, if that is most of them; 0: any number */
};

/* What was found since the last comparison_start. */
struct comparison_tally {
    int64_t documents; /* compared */
    int64_t subjects;  /* the source was asked for, or told */
    int64_t behind;    /* subjects of which a copy, or whose document, was behind, missing or one too many */
    int64_t gone;      /* met in the index, and not in the source */
    int64_t repaired;  /* documents written */
    int64_t refused;   /* subjects of which a document cannot be repaired, or that the source cannot give */
    int64_t oldest_ms; /* how long ago the subject changed whose copy was behind the longest; 0: not known */
};

struct comparison;

/* Lent for as long as it lives: handler and options. NULL: ERROR_CONFIG. */
struct comparison *comparison_new(const struct handler *h, const struct comparison_options *o,
                                  struct error *err) must_check;
void comparison_free(struct comparison *c); /* NULL is fine */

/* A run begins: nothing is known of the subjects. between: as in spread_limits. ERROR_AGAIN. */
bool comparison_start(struct comparison *c, bool (*between)(void *context, int64_t written, struct error *err),
                      void *context, struct error *err) must_check;

/* All documents there are to compare; a new reference. */
json_t *comparison_query(const struct comparison *c);
const char *comparison_index(const struct comparison *c);
struct source *comparison_source(struct comparison *c);
const struct comparison_tally *comparison_tally(const struct comparison *c);

/* Documents of the index, some of which may have come without their text. ERROR_AGAIN: the same again later. */
bool compare_documents(struct comparison *c, const struct hits *hits, struct error *err) must_check;

/* Subjects as the source has them now, against the documents that they concern. Likewise. */
bool compare_subjects(struct comparison *c, const struct source_document *subjects, size_t count,
                      struct error *err) must_check;

#endif
