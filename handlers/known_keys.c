#include "handlers/known_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { SLOTS = 2 * KNOWN_KEYS_LEAST };

void known_keys_init(struct known_keys *k)
{
    k->newer = xcalloc(SLOTS, sizeof *k->newer);
    k->older = xcalloc(SLOTS, sizeof *k->older);
    k->count = 0;
}

void known_keys_release(struct known_keys *k)
{
    free(k->newer);
    free(k->older);
}

void known_keys_forget(struct known_keys *k)
{
    memset(k->newer, 0, SLOTS * sizeof *k->newer);
    memset(k->older, 0, SLOTS * sizeof *k->older);
    k->count = 0;
}

void known_keys_add(struct known_keys *k, uint64_t digest)
{
    size_t i = digest % SLOTS;

    if (k->count == KNOWN_KEYS_LEAST) {
        uint64_t *emptied = memset(k->older, 0, SLOTS * sizeof *k->older);

        k->older = k->newer;
        k->newer = emptied;
        k->count = 0;
    }
    while (k->newer[i])
        i = (i + 1) % SLOTS;
    k->newer[i] = digest;
    k->count++;
}

static bool set_has(const uint64_t *slots, uint64_t digest)
{
    for (size_t i = digest % SLOTS; slots[i]; i = (i + 1) % SLOTS)
        if (slots[i] == digest)
            return true;
    return false;
}

bool known_keys_has(const struct known_keys *k, uint64_t digest)
{
    return set_has(k->newer, digest) || set_has(k->older, digest);
}
