#include "handlers/aggregate/aggregate_leave.h"

#include <stdio.h>

#include "handlers/record_stats/record_marks.h"
#include "notifier/stream.h"

enum { PARENTS_TOGETHER = 5000 };

/* They are kept as marks are: one that is noted again meanwhile is not forgotten. */
static const char *leave_name(const struct aggregation *a, char out[KEY_BYTES / 2])
{
    snprintf(out, KEY_BYTES / 2, "leave:%s", a->handler->common->name);
    return out;
}

bool aggregate_leave_note(struct aggregation *a, const struct dirty_mark *parents, size_t count, struct error *err)
{
    const struct handler *h = a->handler;
    char name[KEY_BYTES / 2];

    return dirty_mark(h->redis, h->common->queue, leave_name(a, name), parents, count, err);
}

bool aggregate_leave_mark(struct aggregation *a, struct error *err)
{
    const struct handler *h = a->handler;
    struct arena *arena = arena_new();
    struct dirty_mark *parents;
    char name[KEY_BYTES / 2];
    size_t count;
    bool ok;

    leave_name(a, name);
    do {
        arena_reset(arena);
        ok = dirty_page(h->redis, h->common->queue, name, PARENTS_TOGETHER, arena, &parents, &count, err) &&
             record_marks_set(h, parents, count, err) &&
             dirty_settle(h->redis, h->common->queue, name, parents, count, err);
    } while (ok && count == PARENTS_TOGETHER);
    arena_free(arena);
    return ok;
}
