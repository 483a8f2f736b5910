/*
 * handlers/archive/archive_name.h - what the files of an archive are called, by the day (UTC) their events were taken.
 *
 *     2026-11-25.changes.ndjson.open         the handler `changes` writes to it, or its day was not sealed yet
 *     2026-11-25.changes.ndjson.gz           sealed; .ndjson where it is not packed
 *     2026-11-25.changes.1.ndjson.gz         a second one of that day, where the clock was set back
 *     2026-11-25.changes.ndjson.gz.sha256    its digest (handlers/archive/archive_seal.h)
 */
#ifndef HANDLERS_ARCHIVE_ARCHIVE_NAME_H
#define HANDLERS_ARCHIVE_ARCHIVE_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

enum archive_kind { ARCHIVE_OPEN, ARCHIVE_PLAIN, ARCHIVE_PACKED, ARCHIVE_DIGEST };

struct archive_name {
    enum archive_kind kind;
    int64_t day_us;      /* its beginning */
    struct span day;     /* as it is written; like handler, lent by the name */
    struct span handler; /* without the number */
};

/* False: no file of an archive. */
bool archive_name_read(const char *name, struct archive_name *out) must_check;

/* The file that a handler writes to at that time, with its folder. */
void archive_name_add_open(const char *folder, const char *handler, int64_t now_us, struct buf *out);

/* What an open file is called once it is sealed, without folder; number 0 is the first of its day. */
void archive_name_add_sealed(const struct archive_name *open, bool packed, int number, struct buf *out);

#endif
