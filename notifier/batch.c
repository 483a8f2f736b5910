#include "notifier/batch.h"

#include <stdlib.h>

const char *stream_id_text(struct arena *arena, struct stream_id id)
{
    return arena_printf(arena, "%llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.sequence);
}

struct stream_id stream_id_parse(const char *text)
{
    char *dash;
    struct stream_id id;

    id.ms = strtoull(text, &dash, 10);
    id.sequence = *dash == '-' ? strtoull(dash + 1, NULL, 10) : 0;
    return id;
}

bool outcome_outranks(enum outcome a, enum outcome b)
{
    static const int order[] = {
        [OUTCOME_NONE] = 0, [OUTCOME_DONE] = 1, [OUTCOME_DEAD] = 2, [OUTCOME_RETRY] = 3, [OUTCOME_WAIT] = 4};

    return order[a] > order[b];
}

void delivery_set(struct batch *b, struct delivery *d, enum outcome outcome, const char *reason, const char *reply)
{
    d->outcome = outcome;
    d->reason = arena_text(b->arena, reason ? reason : "");
    d->reply = arena_text(b->arena, reply ? reply : "");
}
