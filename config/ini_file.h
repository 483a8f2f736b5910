/*
 * config/ini_file.h - the ini file as it is written: sections and keys with their lines, whatever they mean.
 *
 * Lines end after 199 bytes (inih); a longer value goes on in the next line, indented, and is joined by a space.
 * Comments start with ';' or '#' at the start of a line, and with " ;" behind a value.
 */
#ifndef CONFIG_INI_FILE_H
#define CONFIG_INI_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/mistakes.h"

enum { INI_VALUE_BYTES_MOST = 64 * 1024 };

struct ini_key {
    struct ini_key *next;
    const char *name;
    struct buf value;
    int line;
    bool broken; /* a mistake was noted: the value is not to be judged */

    /* From the first indented line that looks like a key or a section: "name" or "[section]"; NULL: none does. */
    const char *swallowed;
    int swallowed_line;
};

struct ini_section {
    struct ini_section *next;
    const char *kind, *name; /* "queue", "statistics"; name "" where there is none */
    int line;
    bool broken; /* the header is no header: its keys are not to be judged */
    struct ini_key *keys, **keys_end;
};

struct ini_file {
    struct arena *arena;
    struct ini_section *sections;
};

/* Goes on after every mistake, so that all of them are noted. */
void ini_file_read(struct ini_file *f, const char *text, size_t length, struct mistakes *m);
void ini_file_release(struct ini_file *f);

#endif
