/* handlers/reconcile/comparison_type.h - what a comparison is made of, for the files of this folder. */
#ifndef HANDLERS_RECONCILE_COMPARISON_TYPE_H
#define HANDLERS_RECONCILE_COMPARISON_TYPE_H

#include "handlers/reconcile/comparison.h"

/* As in comparison.h; close also after an open that failed. */
struct comparison_type {
    bool (*open)(struct comparison *c, const struct handler *h, struct error *err);
    void (*close)(struct comparison *c);
    bool (*start)(struct comparison *c, struct error *err);
    json_t *(*query)(const struct comparison *c);
    bool (*documents)(struct comparison *c, const struct hits *hits, struct error *err);
    bool (*subjects)(struct comparison *c, const struct source_document *subjects, size_t count, struct error *err);
};

struct comparison {
    const struct comparison_type *type;
    const struct comparison_options *options;
    struct client *client;
    struct source *source;
    const char *index; /* set by open */
    void *state;       /* the type's, made by open */
    bool (*between)(void *context, int64_t written, struct error *err);
    void *context;
    struct comparison_tally tally;
};

extern const struct comparison_type comparison_copies, comparison_records;

/* So many documents were written, or looked at. */
bool comparison_between(struct comparison *c, int64_t written, struct error *err) must_check;

/* A subject that cannot be had or repaired: counted and logged. */
void comparison_wrong(struct comparison *c, struct span id, const char *why);

/* Most of them missing is a mistake of the source rather than the end of so many subjects: false, and logged. */
bool comparison_believes(const struct comparison *c, const struct source_document *documents, size_t count);

#endif
