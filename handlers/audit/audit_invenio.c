/* An entry as the platform's own audit log has it. */
#include <string.h>

#include "base/json.h"
#include "handlers/audit/audit_entry.h"

static void add_text(struct buf *out, const char *start, struct span value)
{
    buf_add_text(out, start);
    buf_add_json(out, value.text, value.length);
}

static void add_json(struct buf *out, const char *start, const json_t *value)
{
    if (!value)
        return;
    buf_add_text(out, start);
    json_add(out, value);
}

/* 128 bits in hexadecimal digits as 8-4-4-4-12; what is of another length stays as it is. */
static void add_uuid(struct buf *out, const char *start, struct span id)
{
    static const size_t ends[] = {8, 12, 16, 20, 32};
    size_t from = 0;

    if (id.length != 32) {
        add_text(out, start, id);
        return;
    }
    buf_add_text(out, start);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; from = ends[i++]) {
        buf_add_char(out, i == 0 ? '"' : '-');
        buf_add(out, id.text + from, ends[i] - from);
    }
    buf_add_char(out, '"');
}

/* "record.publish of records/1 by users/2". */
static void add_message(const struct event *e, const struct audit_fields *f, struct buf *out)
{
    struct buf message = BUF_INIT;

    buf_add(&message, f->action.text, f->action.length);
    if (e->subject.length)
        buf_printf(&message, " of %.*s", (int)e->subject.length, e->subject.text);
    if (e->actor.length)
        buf_printf(&message, " by %.*s", (int)e->actor.length, e->actor.text);
    buf_add_text(out, ",\"message\":");
    buf_add_json(out, message.data, message.length);
    buf_release(&message);
}

static void add_request(const struct audit_fields *f, struct buf *out)
{
    static const char *const names[][2] = {
        {"ip",         ",\"ip_address\":"},
        {"user_agent", ",\"user_agent\":"},
        {"session",    ",\"session\":"   }
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add_json(out, names[i][1], json_object_get(f->request, names[i][0]));
}

/* What the platform has a place for stands there; all of it, with that, in "data". */
static void add_data(const struct audit_fields *f, struct buf *out)
{
    static const char *const names[][2] = {
        {"parent_pid", ",\"parent_pid\":"},
        {"file_key",   ",\"file_key\":"  }
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add_json(out, names[i][1], json_object_get(f->data, names[i][0]));
    add_json(out, ",\"data\":", f->data);
}

static void add_metadata(const struct event *e, const struct audit_fields *f, struct buf *out)
{
    add_text(out, ",\"metadata\":{\"outcome\":", f->outcome);
    if (e->revision != REVISION_NONE)
        buf_printf(out, ",\"revision_id\":%lld", (long long)e->revision);
    if (e->operation.length)
        add_text(out, ",\"request_id\":", e->operation);
    add_request(f, out);
    if (f->on_behalf_of.length) {
        add_text(out, ",\"triggered_by\":{\"id\":", reference_id(f->on_behalf_of));
        add_text(out, ",\"type\":", reference_kind(f->on_behalf_of));
        buf_add_char(out, '}');
    }
    add_json(out, ",\"before\":", f->before);
    add_json(out, ",\"after\":", f->after);
    add_data(f, out);
    add_text(out, ",\"event\":{\"id\":", e->id);
    add_text(out, ",\"source\":", e->source);
    add_text(out, ",\"type\":", e->type);
    buf_add_text(out, "}}");
}

void audit_entry_add_invenio(const struct event *e, const struct audit_fields *f, struct buf *out)
{
    struct buf raw = BUF_INIT;

    add_uuid(&raw, "{\"id\":", e->unique);
    add_uuid(&raw, ",\"uuid\":", e->unique);
    add_text(&raw, ",\"version_id\":1,\"@timestamp\":", e->time);
    add_text(&raw, ",\"updated\":", e->time);
    add_text(&raw, ",\"action\":", f->action);
    add_text(&raw, ",\"resource\":{\"id\":", reference_id(e->subject));
    add_text(&raw, ",\"type\":", reference_kind(e->subject));
    buf_add_char(&raw, '}');
    add_message(e, f, &raw);
    add_text(&raw, ",\"user\":{\"id\":", e->actor.length ? reference_id(e->actor) : span_of("system"));
    if (f->actor_name.length)
        add_text(&raw, ",\"username\":", f->actor_name);
    buf_add_char(&raw, '}');
    add_metadata(e, f, &raw);
    buf_add_char(&raw, '}');
    text_add_json_plain(out, raw.data, raw.length);
    buf_release(&raw);
}
