/* tests/support/country_file.h - a small MaxMind database (format 2.0), made for a test. */
#ifndef TESTS_SUPPORT_COUNTRY_FILE_H
#define TESTS_SUPPORT_COUNTRY_FILE_H

#include <stddef.h>

struct country_row {
    const char *network; /* ADDRESS/BITS; IPv4 as ::192.0.2.0/120, as these databases hold it */
    const char *code;    /* two letters */
};

/* Writes the file whole and renames it to path. */
void country_file_write(const char *path, const struct country_row *rows, size_t count);

#endif
