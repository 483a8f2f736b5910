/*
 * handlers/archive/archive_seal.h - the digest of a file of an archive that is complete, as a file beside it.
 *
 *     # crier archive: 1234 events from 2026-11-25T00:00:03Z to 2026-11-25T23:59:58.5Z, unpacked sha256 9f...
 *     3b...  2026-11-25.changes.ndjson.gz
 *
 * `sha256sum -c *.sha256` in the folder checks it; to that program the first line is a comment. The times are the
 * events' own, so that a replay of some days need not read the others.
 */
#ifndef HANDLERS_ARCHIVE_ARCHIVE_SEAL_H
#define HANDLERS_ARCHIVE_ARCHIVE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"

struct archive_seal {
    int64_t events;
    int64_t first_us, last_us;              /* the least and the greatest; 0: there are no events */
    char content_sha256[DIGEST_TEXT_BYTES]; /* of the lines */
    char sha256[DIGEST_TEXT_BYTES];         /* of the file */
};

/* Of a file of that path. *there false: there is none. ERROR_INPUT: it cannot be read as one. */
bool archive_seal_read(const char *path, struct archive_seal *out, bool *there, struct error *err) must_check;
bool archive_seal_write(const char *path, const struct archive_seal *seal, struct error *err) must_check;

/* Whether the file is as it was sealed. ERROR_INPUT names it where it is not. */
bool archive_seal_check(const char *path, const struct archive_seal *seal, struct error *err) must_check;

#endif
