/*
 * notifier/access_log/access_log_file.h - an access log read line by line, gzipped or not, with a digest of all that
 * was read.
 *
 * Whether it is gzipped is told by its content. Offsets and digests are those of the content, so that a file is the
 * same after it was renamed or compressed. A last line without its end is not given: a server may be writing it.
 */
#ifndef NOTIFIER_ACCESS_LOG_ACCESS_LOG_FILE_H
#define NOTIFIER_ACCESS_LOG_ACCESS_LOG_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "notifier/lines.h"

struct access_file;

/* path "-": standard input. NULL: ERROR_INPUT with the system's word. */
struct access_file *access_file_open(const char *path, struct error *err) must_check;
void access_file_close(struct access_file *f);

/* What the content begins with, as much as fits in memory at once; nothing of it is taken. */
bool access_file_beginning(struct access_file *f, struct span *out, struct error *err) must_check;

/* The next line without its end, lent until the next call; FAILED: ERROR_INPUT. */
enum line_kind access_file_next(struct access_file *f, struct span *line, struct error *err) must_check;

int64_t access_file_line(const struct access_file *f);   /* number of the line last given */
int64_t access_file_offset(const struct access_file *f); /* of the content behind it */
int64_t access_file_taken(const struct access_file *f);  /* bytes of the file itself that were read */
bool access_file_cut(const struct access_file *f);       /* at the end: whether there is a last line without its end */

/* SHA-256 of the content up to the offset. */
void access_file_digest(struct access_file *f, char out[RAW_HASH_TEXT_BYTES]);

#endif
