/*
 * handlers/archive/archive_files.h - which files a replay reads: those of archives, in the order of their days, and
 * others that are named.
 */
#ifndef HANDLERS_ARCHIVE_ARCHIVE_FILES_H
#define HANDLERS_ARCHIVE_ARCHIVE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/archive/archive_seal.h"
#include "handlers/time_range.h"

struct archive_file {
    char *path;  /* "-": standard input */
    size_t stem; /* bytes of the path that stay the same when the file is sealed */
    bool open;   /* still written to: its last line may not be whole */
    bool sealed; /* it has a digest */
    struct archive_seal seal;
};

struct archive_files {
    struct archive_file *items;
    size_t count;
};

/*
 * names: folders of archives, files (of an archive or any NDJSON, plain or gzip), "-". In a folder every file is there
 * with its digest, but for those still open; ERROR_INPUT names the one that is not. Released also after a failure.
 */
bool archive_files_find(const char *const *names, size_t count, struct archive_files *out,
                        struct error *err) must_check;
void archive_files_release(struct archive_files *f);

/* Whether it is as it was sealed; one that has no digest is taken as it is. ERROR_INPUT names it. */
bool archive_file_check(const struct archive_file *f, struct error *err) must_check;

/* Whether it may hold events of that time. */
bool archive_file_covers(const struct archive_file *f, struct time_range range);

/* The file that a position was noted for, by its path then; the next of its folder where it is gone. count: none. */
size_t archive_files_at(const struct archive_files *f, const char *path, bool *same);

#endif
