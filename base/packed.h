/*
 * base/packed.h - a gzip file of lines (RFC 1952), with digests that any `sha256sum` can check.
 *
 * A file is written under another name, brought to disk and only then given its own: whoever finds it, finds it whole.
 */
#ifndef BASE_PACKED_H
#define BASE_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

struct packed_sums {
    int64_t bytes, content_bytes, lines;
    char sha256[DIGEST_TEXT_BYTES], content_sha256[DIGEST_TEXT_BYTES]; /* of the file, and of what it holds */
};

struct packed_writer;

struct packed_writer *packed_create(const char *path, struct error *err) must_check; /* NULL: ERROR_CONFIG */

/* A line without its line feed. */
bool packed_add(struct packed_writer *w, const char *line, size_t length, struct error *err) must_check;

/* On disk, and under its name. The writer is gone either way. */
bool packed_finish(struct packed_writer *w, struct packed_sums *out, struct error *err) must_check;
void packed_discard(struct packed_writer *w); /* NULL is fine */

struct packed_reader;

struct packed_reader *packed_open(const char *path, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void packed_close(struct packed_reader *r);                                        /* NULL is fine */

/* The next line, lent until the next call; *ended after the last. ERROR_INPUT: the file is damaged, or a line longer
 * than most. */
bool packed_line(struct packed_reader *r, size_t most, struct span *line, bool *ended, struct error *err) must_check;

/* Size and digest of a file as it lies there, without unpacking. */
bool packed_sum(const char *path, int64_t *bytes, char sha256[DIGEST_TEXT_BYTES], struct error *err) must_check;

#endif
