/*
 * config/fill.h - one section of the file on its way into the settings: each key found in its table, its value checked.
 *
 * What is wrong is noted, and the next key follows.
 */
#ifndef CONFIG_FILL_H
#define CONFIG_FILL_H

#include <stdbool.h>

#include "base/arena.h"
#include "config/ini_file.h"
#include "config/key.h"
#include "config/mistakes.h"
#include "config/section.h"

enum { FILL_TABLES = 2 };

/* A table of keys and the struct they fill. */
struct fill_table {
    const struct config_key *keys; /* may be NULL */
    void *target;
    struct given *given; /* one per key */
};

struct fill {
    const struct ini_section *in;
    const struct config_section *section;
    const struct config_kind *kinds; /* of all handlers */
    const struct config_rule *rules;
    struct arena *arena; /* the file's */
    struct mistakes *mistakes;
    const struct config_kind *kind;        /* of a handler whose type is known */
    struct fill_table tables[FILL_TABLES]; /* the section's keys, and those of the handler's type */
};

/* Adds a table to fill; the target holds its defaults already. */
void fill_table_add(struct fill *f, size_t index, const struct config_key *keys, void *target);
void fill_keys(struct fill *f);
void fill_required_check(struct fill *f);
void fill_release(struct fill *f);

/* "[queue changes]" */
void section_add_label(struct buf *out, const struct ini_section *in);

#endif
