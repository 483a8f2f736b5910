/*
 * handlers/spread/spread.h - changes brought to every document that holds a copy of what changed.
 *
 * The documents are searched, written, and searched again after a refresh until nothing is behind: so what another
 * wrote in between at the same version, from an older state, is found. Then what is newest of the subjects is asked
 * again, and goes the same way where it moved on.
 */
#ifndef HANDLERS_SPREAD_SPREAD_H
#define HANDLERS_SPREAD_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/relation/relation.h"
#include "handlers/spread/changes.h"
#include "handlers/spread/copyist.h"
#include "handlers/spread/newest.h"

/* How a relation is spread, as the handler's section says; begins a type's own struct of options, see RELATION_KEYS. */
struct spread_options {
    struct relation_options relation;
    int versions; /* enum versions */
    int64_t page, mass, rate, second_look_ms;
    char *mass_events;
};

struct spread;

/* copyists: 1, or 2 that work at once where there is much. NULL: ERROR_CONFIG. */
struct spread *spread_new(const struct settings *s, const struct handler_settings *hs, const struct spread_options *o,
                          struct newest *newest, int copyists, struct error *err) must_check;
void spread_free(struct spread *s); /* NULL is fine */

const struct relation *spread_relation(const struct spread *s);

/* relation_learn for it, for who searches before anything is spread. */
bool spread_learn(struct spread *s, struct error *err) must_check;

struct spread_limits {
    int64_t mass;          /* subjects with more documents are handed over to the clock; 0: none is */
    int64_t page_most;     /* documents in a page at most; 0: as the options say */
    int64_t until_ms;      /* monotonic: what is not done by then likewise; 0: no limit, however long it takes */
    bool whatever_indexed; /* also documents that `indexed_at` says were written since */

    /* After each page, with the number of documents written; needs a single copyist. False ends it. NULL: none. */
    bool (*between)(void *context, int64_t written, struct error *err);
    void *context;
};

/*
 * Spreads those changes that have no outcome yet; each gets one. False: ERROR_AGAIN, those without outcome are to be
 * spread again.
 */
bool spread_changes(struct spread *s, struct changes *c, const struct spread_limits *limits,
                    struct error *err) must_check;

#endif
