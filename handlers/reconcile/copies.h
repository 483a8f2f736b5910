/* handlers/reconcile/copies.h - what a comparison of copies consists of, and what the source says of their subjects. */
#ifndef HANDLERS_RECONCILE_COPIES_H
#define HANDLERS_RECONCILE_COPIES_H

#include "handlers/reconcile/comparison_type.h"
#include "handlers/spread/changes.h"

struct copies {
    struct comparison *common;
    const struct spread_options *spread_options;
    struct roots *roots;
    struct newest *newest;
    struct spread *spread;
    struct arena *asked, *pages;
    struct buf text;

    struct changes *known; /* as the source had them a moment ago; moved: a copy is behind */
    int64_t *changed_us;   /* of each of known: when the subject changed; 0: not known */
    size_t room;
    int64_t known_since_ms;
    struct changes *wanted;   /* ids the source is to be asked for */
    struct changes *behind;   /* to be spread */
    struct changes *repaired; /* in this run: an old page may still show them as they were */
    json_t *nothing;          /* the material of those that are only ids */
};

const struct relation *copies_relation(const struct copies *c);

/* A source that has no uuid does not say that the id stands for it. */
void copies_say_uuid_unknown(const struct copies *c, json_t *material);

/* Nothing is known of any subject. */
void copies_forget(struct copies *c);

/* Takes into known what the source said, asked at that time. */
void copies_know(struct copies *c, const struct source_document *documents, size_t count, int64_t asked_us);

/* Asks the source for those wanted. False: it is away. */
bool copies_ask(struct copies *c, struct error *err) must_check;

#endif
