#include "handlers/webhook/name_pace.h"

#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

enum { SLOTS = 4096, KEPT_MS = 10 * 60 * 1000 };

/* Of names with one slot the last one noted is known. */
static struct slot {
    uint64_t hash;
    int64_t until_ms;
    enum name_pace pace;
} slots[SLOTS];

enum name_pace name_pace_of(const char *host)
{
    uint64_t hash = hash_table(host, strlen(host));
    const struct slot *s = &slots[hash % SLOTS];

    return s->hash == hash && clock_monotonic_ms() < s->until_ms ? s->pace : PACE_NEW;
}

void name_pace_note(const char *host, enum name_pace pace)
{
    uint64_t hash = hash_table(host, strlen(host));

    slots[hash % SLOTS] = (struct slot){hash, clock_monotonic_ms() + KEPT_MS, pace};
}
