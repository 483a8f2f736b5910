#include "handlers/outside/parcel.h"

#include <stddef.h>

enum { PASS_MS_MOST = 10000 };

int64_t parcel_pass_ms(int64_t deadline_ms)
{
    return deadline_ms / 2 < PASS_MS_MOST ? deadline_ms / 2 : PASS_MS_MOST;
}

void parcel_init(struct parcel *p, struct batch *b)
{
    *p = (struct parcel){.batch = b};
    p->items = arena_alloc(b->arena, (b->count + 1) * sizeof(struct delivery *));
    span_table_init(&p->by_id, b->arena, b->count, offsetof(struct delivery, event.id));
}

bool parcel_fill(struct parcel *p, size_t most)
{
    struct batch *b = p->batch;

    span_table_clear(&p->by_id);
    p->count = 0;
    for (size_t i = 0; i < b->count && p->count < most; i++) {
        if (b->items[i].outcome != OUTCOME_NONE)
            continue;
        if (parcel_find(p, b->items[i].event.id))
            break;
        span_table_add(&p->by_id, &b->items[i]);
        p->items[p->count++] = &b->items[i];
    }
    p->open = p->count;
    return p->count > 0;
}

struct delivery *parcel_find(const struct parcel *p, struct span id)
{
    return span_table_find(&p->by_id, id);
}

void parcel_settle(struct parcel *p, struct delivery *d, enum outcome outcome, const char *reason, const char *reply)
{
    if (d->outcome != OUTCOME_NONE)
        return;
    delivery_set(p->batch, d, outcome, reason, reply);
    p->open--;
}

void parcel_settle_open(struct parcel *p, enum outcome outcome, const char *reason, const char *reply)
{
    for (size_t i = 0; i < p->count; i++)
        parcel_settle(p, p->items[i], outcome, reason, reply);
}

void parcel_leave_rest(struct parcel *p)
{
    struct batch *b = p->batch;

    for (size_t i = 0; i < b->count; i++)
        if (b->items[i].outcome == OUTCOME_NONE)
            delivery_set(b, &b->items[i], OUTCOME_WAIT, "the pass had no time left for it", NULL);
}
