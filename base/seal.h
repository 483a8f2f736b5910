/*
 * base/seal.h - secrets that lie where others may read: AES-256-GCM under a key of the operator's.
 *
 * A sealed text is "sealed:" and base64, and holds for its place only: elsewhere it does not open. Constant once made:
 * any number of threads.
 */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

struct seal;

/*
 * Keys of 32 bytes, as base64 (openssl rand -base64 32), separated by spaces: the first one seals, all of them open.
 * NULL: ERROR_CONFIG, which never quotes them.
 */
struct seal *seal_new(const char *keys, struct error *err) must_check;
void seal_free(struct seal *s);                            /* NULL is fine */
bool seal_keys_check(const char *keys, struct error *err); /* for configuration rows */

/* Appends the text, sealed for its place. */
void seal_add(const struct seal *s, const char *text, const char *place, struct buf *out);

/* Whether a text is sealed; whether it is so by the key that seals now. */
bool seal_is(const char *text);
bool seal_is_newest(const struct seal *s, const char *text);

/* Appends what was sealed. s may be NULL: no key is known. ERROR_CONFIG: says whether it is the key or the text. */
bool seal_open(const struct seal *s, const char *sealed, const char *place, struct buf *out,
               struct error *err) must_check;

#endif
