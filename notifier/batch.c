#include "notifier/batch.h"

void delivery_set(struct batch *b, struct delivery *d, enum outcome outcome, const char *reason, const char *reply)
{
    d->outcome = outcome;
    d->reason = arena_text(b->arena, reason ? reason : "");
    d->reply = arena_text(b->arena, reply ? reply : "");
}
