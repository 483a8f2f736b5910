/* config/section.h - one row per section of the ini file: its keys, and where they go in the settings. */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/key.h"
#include "config/settings.h"

struct config_section {
    const char *name, *help;
    const struct config_key *keys;
    size_t offset; /* in struct settings, where there is one section of this kind */

    /* Where there are any number of them, each with a name. */
    const char *argument; /* "NAME"; NULL: one section, without a name */
    bool (*check_name)(const char *name, struct error *err);
    void *(*add)(struct settings *s, const char *name, int line); /* lent until the next add */
    void *(*get)(struct settings *s, size_t index);               /* NULL: there are no more */
    const char *(*name_of)(const void *one);
    int (*line_of)(const void *one);
};

/* In the order of the reference, ended by a zero row. */
extern const struct config_section config_sections[];

const struct config_section *config_section_find(const char *name); /* NULL: none */

/* The struct of a section: the index-th of its kind, NULL beyond the last. */
void *config_section_get(const struct config_section *section, struct settings *s, size_t index);

/* For those that only read. */
const void *config_section_read(const struct config_section *section, const struct settings *s, size_t index);

#endif
