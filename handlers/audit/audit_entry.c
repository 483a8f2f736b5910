#include "handlers/audit/audit_entry.h"

#include <string.h>

#include "base/json.h"

enum { ENTRY_BYTES_MOST = 4 * 1024 * 1024 };

/* What events carry differs from type to type: data is kept as it is, but never mapped. */
const char audit_entry_properties[] =
    "{\"id\":{\"type\":\"keyword\"},"
    "\"time\":{\"type\":\"date\",\"format\":\"strict_date_optional_time\"},\"action\":{\"type\":\"keyword\"},"
    "\"outcome\":{\"type\":\"keyword\"},\"operation\":{\"type\":\"keyword\"},\"left_out\":{\"type\":\"long\"},"
    "\"actor\":{\"properties\":{\"kind\":{\"type\":\"keyword\"},\"id\":{\"type\":\"keyword\"},"
    "\"name\":{\"type\":\"keyword\"}}},"
    "\"on_behalf_of\":{\"properties\":{\"kind\":{\"type\":\"keyword\"},\"id\":{\"type\":\"keyword\"}}},"
    "\"resource\":{\"properties\":{\"kind\":{\"type\":\"keyword\"},\"id\":{\"type\":\"keyword\"},"
    "\"revision\":{\"type\":\"long\"}}},\"event\":{\"properties\":{\"id\":{\"type\":\"keyword\"},"
    "\"source\":{\"type\":\"keyword\"},\"type\":{\"type\":\"keyword\"}}},"
    "\"request\":{\"type\":\"object\",\"enabled\":false},\"before\":{\"type\":\"object\",\"enabled\":false},"
    "\"after\":{\"type\":\"object\",\"enabled\":false},\"data\":{\"type\":\"object\",\"enabled\":false}}";

static void add_text(struct buf *out, const char *start, struct span value)
{
    buf_add_text(out, start);
    buf_add_json(out, value.text, value.length);
}

/* "kind/id" as {"kind": kind, "id": id}; without its closing brace. */
static void add_reference(struct buf *out, const char *start, struct span reference)
{
    buf_add_text(out, start);
    add_text(out, "{\"kind\":", reference_kind(reference));
    add_text(out, ",\"id\":", reference_id(reference));
}

static void add_json(struct buf *out, const char *start, const json_t *value)
{
    if (!value)
        return;
    buf_add_text(out, start);
    json_add(out, value);
}

static void add_people(const struct event *e, const struct audit_fields *f, struct buf *out)
{
    if (e->actor.length) {
        add_reference(out, ",\"actor\":", e->actor);
        if (f->actor_name.length)
            add_text(out, ",\"name\":", f->actor_name);
        buf_add_char(out, '}');
    }
    if (f->on_behalf_of.length) {
        add_reference(out, ",\"on_behalf_of\":", f->on_behalf_of);
        buf_add_char(out, '}');
    }
}

static void add_resource(const struct event *e, struct buf *out)
{
    if (!e->subject.length)
        return;
    add_reference(out, ",\"resource\":", e->subject);
    if (e->revision != REVISION_NONE)
        buf_printf(out, ",\"revision\":%lld", (long long)e->revision);
    buf_add_char(out, '}');
}

static void add_head(const struct event *e, const struct audit_fields *f, struct buf *out)
{
    add_text(out, "{\"id\":", e->unique); /* AUDIT_ENTRY_START */
    add_text(out, ",\"time\":", e->time);
    add_text(out, ",\"action\":", f->action);
    add_text(out, ",\"outcome\":", f->outcome);
    add_people(e, f, out);
    add_resource(e, out);
    if (e->operation.length)
        add_text(out, ",\"operation\":", e->operation);
}

static void add_event(const struct event *e, struct buf *out)
{
    add_text(out, ",\"event\":{\"id\":", e->id);
    add_text(out, ",\"source\":", e->source);
    add_text(out, ",\"type\":", e->type);
    buf_add_char(out, '}');
}

static void add_data(const struct audit_fields *f, struct buf *out)
{
    add_json(out, ",\"data\":", f->data);
    if (!f->plain.length)
        return;
    buf_add_text(out, ",\"data\":");
    buf_add(out, f->plain.text, f->plain.length);
}

void audit_entry_add(const struct event *e, const struct audit_fields *f, struct buf *out)
{
    struct buf raw = BUF_INIT;
    size_t before;

    add_head(e, f, &raw);
    before = raw.length;
    add_json(&raw, ",\"request\":", f->request);
    add_json(&raw, ",\"before\":", f->before);
    add_json(&raw, ",\"after\":", f->after);
    add_event(e, &raw);
    add_data(f, &raw);
    if (raw.length > ENTRY_BYTES_MOST) {
        size_t left_out = raw.length - before;

        raw.length = before;
        buf_printf(&raw, ",\"left_out\":%zu", left_out);
        add_event(e, &raw);
    }
    buf_add_char(&raw, '}');
    text_add_json_plain(out, raw.data, raw.length);
    buf_release(&raw);
}
