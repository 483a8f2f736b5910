#include "handlers/repair/store.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "handlers/aggregate.h"
#include "handlers/statistics.h"
#include "notifier/template.h"

static bool find_source(struct store *s, struct error *err)
{
    struct template *index = template_new(s->index, err);
    struct buf glob = BUF_INIT;
    bool ok = index != NULL;

    if (ok && !s->alias[0])
        template_add_glob(index, &glob);
    else
        buf_add_text(&glob, s->alias);
    if (ok && glob.length >= sizeof s->source)
        ok = error_set(err, ERROR_CONFIG, "handler %s: the name of its index is too long", s->handler->name);
    if (ok)
        memcpy(s->source, glob.data, glob.length + 1);
    template_free(index);
    buf_release(&glob);
    return ok;
}

bool store_of(const struct handler_settings *hs, struct store *out, struct error *err)
{
    *out = (struct store){.handler = hs};
    if (text_same(hs->type, statistics_handler.name)) {
        const struct statistics_options *o = hs->own;

        out->of_events = true;
        out->index = o->index;
        out->alias = o->alias;
        out->time_field = o->time_field;
    } else if (text_same(hs->type, "aggregate")) {
        const struct aggregate_options *o = hs->own;

        out->index = o->index;
        out->alias = o->alias;
        out->time_field = o->time_field;
    } else {
        return error_set(err, ERROR_INPUT, "handler %s is of type %s: only statistics and aggregate keep statistics",
                         hs->name, hs->type);
    }
    return find_source(out, err);
}

bool store_all(struct time_range p)
{
    return p.from_us == time_range_all.from_us && p.to_us == time_range_all.to_us;
}

json_t *store_query(const struct store *s, struct time_range p)
{
    char time[TIME_TEXT_BYTES];
    json_t *range;

    if (store_all(p))
        return json_pack("{s:{}}", "match_all");
    range = json_object();
    if (p.from_us != time_range_all.from_us)
        json_object_set_new(range, "gte", json_string(time_text(p.from_us, time)));
    if (p.to_us != time_range_all.to_us)
        json_object_set_new(range, "lt", json_string(time_text(p.to_us, time)));
    return json_pack("{s:{s:o}}", "range", s->time_field, range);
}
