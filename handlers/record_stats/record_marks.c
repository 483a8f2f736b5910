#include "handlers/record_stats/record_marks.h"

#include "base/text.h"
#include "handlers/record_stats.h"

static bool reads(const struct handler_settings *hs, const char *name)
{
    const struct record_stats_options *o = hs->own;

    return text_same(hs->type, "record-stats") && (text_same(o->views, name) || text_same(o->downloads, name));
}

/* In the slot of the aggregates' queue: that is where they look. */
bool record_marks_set(const struct handler *aggregate, const struct dirty_mark *marks, size_t count, struct error *err)
{
    const struct handler_settings *written = aggregate->common;

    for (size_t i = 0; count > 0 && i < aggregate->settings->handler_count; i++) {
        const struct handler_settings *hs = &aggregate->settings->handlers[i];

        if (reads(hs, written->name) && !dirty_mark(aggregate->redis, written->queue, hs->name, marks, count, err))
            return false;
    }
    return true;
}
