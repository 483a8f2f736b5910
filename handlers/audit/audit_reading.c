#include "handlers/audit/audit_reading.h"

#include "base/clock.h"
#include "base/json.h"
#include "notifier/verb_deed.h"

static void add_text(json_t *filters, const char *name, const char *value)
{
    if (value)
        json_object_set_new(filters, name, json_string(value));
}

static void add_time(json_t *filters, const char *name, int64_t time_us, int64_t open_us)
{
    char text[TIME_TEXT_BYTES];

    if (time_us != open_us)
        json_object_set_new(filters, name, json_string(time_text(time_us, text)));
}

/* Beside nothing else: data.outcome and data.actor... would be what became of the reading itself. */
static json_t *filters_of(const struct audit_filter *f)
{
    json_t *filters = json_object();

    add_text(filters, "actor", f->actor);
    add_text(filters, "action", f->action);
    add_text(filters, "resource", f->resource);
    add_text(filters, "outcome", f->outcome);
    add_time(filters, "from", f->range.from_us, time_range_all.from_us);
    add_time(filters, "to", f->range.to_us, time_range_all.to_us);
    return json_pack("{s:o}", "filters", filters);
}

static void add_subject(const struct audit_trail *t, struct buf *out)
{
    buf_printf(out, "handlers/%s", t->handler);
}

struct deed *audit_reading_begin(const struct settings *s, struct redis *r, const struct audit_trail *t,
                                 const struct audit_filter *f, const char *actor, struct error *err)
{
    struct buf subject = BUF_INIT;
    struct deed *d;

    add_subject(t, &subject);
    d = deed_begin(s, r, "audit.searched", subject.data, actor, filters_of(f), err);
    buf_release(&subject);
    return d;
}

bool audit_reading_by_verb(const struct settings *s, const struct audit_trail *t, const struct audit_filter *f,
                           struct error *err)
{
    struct buf subject = BUF_INIT;
    bool ok;

    add_subject(t, &subject);
    ok = verb_deed_begin(s, "audit.searched", subject.data, filters_of(f), err);
    buf_release(&subject);
    return ok;
}
