/* handlers/known_keys.h - the newest of many keys, by digests of them: whether one came before. */
#ifndef HANDLERS_KNOWN_KEYS_H
#define HANDLERS_KNOWN_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KNOWN_KEYS_LEAST = 16384 /* so many of the newest are known, and at most twice as many */ };

/* A set of digests, in two generations: when the newer is full, the older is forgotten and takes its place. */
struct known_keys {
    uint64_t *newer, *older; /* open addressing; 0 is an empty slot */
    size_t count;            /* in newer */
};

void known_keys_init(struct known_keys *k);
void known_keys_release(struct known_keys *k);
void known_keys_forget(struct known_keys *k); /* all */

/* No digest is 0. */
void known_keys_add(struct known_keys *k, uint64_t digest);
bool known_keys_has(const struct known_keys *k, uint64_t digest);

#endif
