/*
 * notifier/salt.h - the day's salt: the secret under which visitors of one day (UTC) are told apart.
 *
 * Made by whoever needs it first, the same for all processes, and gone from Redis at the second midnight (UTC) after
 * that: a day's own salt serves it and the day after, none is older than 48 h, and nobody can tell later who a visitor
 * was. Not used from memory any longer than from Redis; put back where Redis lost it before its time. Whoever asks
 * first on a day has Redis rewrite its append-only file, where those that are gone still stand. One thread at a time.
 */
#ifndef NOTIFIER_SALT_H
#define NOTIFIER_SALT_H

#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/redis.h"

struct salt;

struct salt *salt_new(struct redis *redis); /* lent; NULL: salts are made up and forgotten, for trying things out */
void salt_free(struct salt *s);

/* The keyed hash of the day that time_us falls in, lent until the next call. NULL: ERROR_AGAIN. */
struct keyed_hash *salt_of(struct salt *s, int64_t time_us, struct error *err) must_check;

/* The same salt as text, likewise. */
const char *salt_text_of(struct salt *s, int64_t time_us, struct error *err) must_check;

#endif
