#include "indexer/paused.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

enum { PROBE_MS = 30000 };

struct held {
    char *index, *reason;
    size_t length; /* of index */
    int64_t probe_at_ms;
};

struct paused {
    struct held *held;
    size_t count;
};

struct paused *paused_new(void)
{
    return xcalloc(1, sizeof(struct paused));
}

static void held_release(struct held *h)
{
    free(h->index);
    free(h->reason);
}

void paused_free(struct paused *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        held_release(&p->held[i]);
    free(p->held);
    free(p);
}

bool paused_none(const struct paused *p)
{
    return p->count == 0;
}

static struct held *find(struct paused *p, const char *index, size_t length)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->held[i].length == length && memcmp(p->held[i].index, index, length) == 0)
            return &p->held[i];
    return NULL;
}

const char *paused_why(struct paused *p, const char *index, size_t length)
{
    struct held *h = find(p, index, length);

    if (!h)
        return NULL;
    if (clock_monotonic_ms() < h->probe_at_ms)
        return h->reason;
    h->probe_at_ms = clock_monotonic_ms() + PROBE_MS; /* the one asked about is the probe */
    return NULL;
}

void paused_hold(struct paused *p, const char *index, size_t length, const char *reason)
{
    struct held *h = find(p, index, length);

    if (!h) {
        p->held = xrealloc(p->held, (p->count + 1) * sizeof *p->held);
        h = &p->held[p->count++];
        *h = (struct held){xstrndup(index, length), xstrdup(reason), length, 0};
    }
    h->probe_at_ms = clock_monotonic_ms() + PROBE_MS;
}

void paused_lift(struct paused *p, const char *index, size_t length)
{
    struct held *h = find(p, index, length);

    if (!h)
        return;
    held_release(h);
    *h = p->held[--p->count];
}
