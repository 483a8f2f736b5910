/*
 * notifier/access_log/access_log_past.h - what of which logs was imported already, whatever they are called by now.
 *
 * A content is known by the second of its first line, and by the digest of as much of it as was imported: a file that
 * was renamed or gzipped is the same, one that grew goes on, another log that begins in the same second differs. Kept
 * in Redis without a limit of time, as salts are gone long before the same log may be given again; nothing in it tells
 * who is in the log.
 */
#ifndef NOTIFIER_ACCESS_LOG_ACCESS_LOG_PAST_H
#define NOTIFIER_ACCESS_LOG_ACCESS_LOG_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/redis.h"

enum { PAST_DIGEST_BYTES = ID_TEXT_BYTES };

/* One content: so much of it was imported. */
struct past {
    int64_t offset;
    char digest[PAST_DIGEST_BYTES];
};

/* Of all contents that begin in that second (0: no line has a time), those imported least come first. */
bool past_read(struct redis *r, int64_t first_us, struct arena *arena, struct past **out, size_t *count,
               struct error *err) must_check;

/* How a digest is kept: of a short content too little of it to tell, by trying, what the lines are. */
void past_digest(const char *whole, int64_t offset, char out[PAST_DIGEST_BYTES]);

/* The content that was imported up to *before now is up to *after; before->digest "": it is new. */
bool past_advance(struct redis *r, int64_t first_us, const struct past *before, const struct past *after,
                  struct error *err) must_check;

#endif
