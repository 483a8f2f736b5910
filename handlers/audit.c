#include "handlers/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/audit_file.h"
#include "notifier/template.h"

struct options {
    char *index, *action;
};

static const struct config_key keys[] = {
    {"action", CONFIG_TEXT, offsetof(struct options, action), "{type}",             0, 0, NULL, template_check,
     "what was done, as an entry says it; placeholders such as {type}"},
    {"index",  CONFIG_TEXT, offsetof(struct options, index),  "audit-{time:%Y-%m}", 0, 0, NULL, template_check_index,
     "index of an event's entry; empty: the file only"                },
    CONFIG_END,
};

struct audit {
    struct template *index, *action;
    struct audit_file *file;
    struct bulk *bulk;
    struct buf name, action_text;
};

static bool audit_open(struct handler *h, struct error *err)
{
    const struct options *o = h->options;
    struct audit *a = h->state = xcalloc(1, sizeof *a);

    buf_init(&a->name);
    buf_init(&a->action_text);
    a->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    a->action = template_new(o->action, err);
    if (!a->action || (*o->index && !(a->index = template_new(o->index, err))))
        return false;
    if (*h->settings->audit.file && !(a->file = audit_file_open(h->settings->audit.file, err)))
        return false;
    return true;
}

static void audit_close(struct handler *h)
{
    struct audit *a = h->state;

    if (!a)
        return;
    template_free(a->index);
    template_free(a->action);
    audit_file_close(a->file);
    bulk_free(a->bulk);
    buf_release(&a->name);
    buf_release(&a->action_text);
    free(a);
}

/* What events carry differs from type to type: data is kept as it is, but never mapped. */
static bool audit_install(struct handler *h, struct error *err)
{
    static const char body[] =
        "{\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"id\":{\"type\":\"keyword\"},"
        "\"time\":{\"type\":\"date\",\"format\":\"strict_date_optional_time\"},\"action\":{\"type\":\"keyword\"},"
        "\"outcome\":{\"type\":\"keyword\"},\"operation\":{\"type\":\"keyword\"},"
        "\"actor\":{\"properties\":{\"kind\":{\"type\":\"keyword\"},\"id\":{\"type\":\"keyword\"}}},"
        "\"resource\":{\"properties\":{\"kind\":{\"type\":\"keyword\"},\"id\":{\"type\":\"keyword\"},"
        "\"revision\":{\"type\":\"long\"}}},\"event\":{\"properties\":{\"id\":{\"type\":\"keyword\"},"
        "\"source\":{\"type\":\"keyword\"},\"type\":{\"type\":\"keyword\"}}},"
        "\"data\":{\"type\":\"object\",\"enabled\":false}}}}";
    struct audit *a = h->state;

    return !a->index || handler_install_template(h, a->index, body, err);
}

static void add_text(struct buf *out, const char *start, struct span value)
{
    buf_add_text(out, start);
    buf_add_json(out, value.text, value.length);
}

/* "kind/id" as {"kind": kind, "id": id}; without its closing brace. */
static void add_reference(struct buf *out, const char *start, struct span reference)
{
    const char *slash = memchr(reference.text, '/', reference.length);
    size_t kind = slash ? (size_t)(slash - reference.text) : 0;
    size_t id = slash ? kind + 1 : 0;

    buf_add_text(out, start);
    add_text(out, "{\"kind\":", (struct span){reference.text, kind});
    add_text(out, ",\"id\":", (struct span){reference.text + id, reference.length - id});
}

/* An event may say that what it reports failed: data.outcome. Everything else succeeded, or it would be no event. */
static void add_outcome(struct buf *out, const struct event *e)
{
    struct error err;
    json_t *data = NULL;

    buf_add_text(out, ",\"outcome\":");
    if (json_text_has_member(e->data.text, e->data.length, "\"outcome\":"))
        data = json_text_parse(e->data.text, e->data.length, JSON_DEPTH_MOST, &err);
    buf_add_json_text(out, json_member_text(data, "outcome", "success"));
    json_decref(data);
}

static void add_entry(const struct event *e, const struct buf *action, struct buf *out)
{
    add_text(out, "{\"id\":", e->unique); /* audit_file finds the id here */
    add_text(out, ",\"time\":", e->time);
    buf_add_text(out, ",\"action\":");
    buf_add_json(out, action->data, action->length);
    add_outcome(out, e);
    if (e->actor.length) {
        add_reference(out, ",\"actor\":", e->actor);
        buf_add_char(out, '}');
    }
    if (e->subject.length) {
        add_reference(out, ",\"resource\":", e->subject);
        if (e->revision != REVISION_NONE)
            buf_printf(out, ",\"revision\":%lld", (long long)e->revision);
        buf_add_char(out, '}');
    }
    if (e->operation.length)
        add_text(out, ",\"operation\":", e->operation);
    add_text(out, ",\"event\":{\"id\":", e->id);
    add_text(out, ",\"source\":", e->source);
    add_text(out, ",\"type\":", e->type);
    buf_add_char(out, '}');
    if (e->data.length) {
        buf_add_text(out, ",\"data\":");
        buf_add(out, e->data.text, e->data.length);
    }
    buf_add_char(out, '}');
}

struct entry {
    const char *text;
    size_t length, number;
};

/* Entries are made once for both places; what an entry lacks makes its event dead. */
static void make_entry(struct audit *a, struct batch *in, struct delivery *d, struct entry *entry)
{
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;

    buf_reset(&a->action_text);
    if (!template_add(a->action, &d->event, &a->action_text, &err)) {
        delivery_set(in, d, OUTCOME_DEAD, err.text, NULL);
        return;
    }
    add_entry(&d->event, &a->action_text, &text);
    entry->text = arena_copy(in->arena, text.data, text.length);
    entry->length = text.length;
    buf_release(&text);
}

static bool write_file(struct audit *a, const struct batch *in, const struct entry *entries, struct error *err)
{
    if (!a->file)
        return true;
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            audit_file_add(a->file, in->items[i].event.unique, entries[i].text, entries[i].length);
    return audit_file_flush(a->file, err);
}

static void add_to_bulk(struct audit *a, struct batch *in, struct delivery *d, struct entry *entry)
{
    struct bulk_target target = {.action = BULK_CREATE, .version = -1, .seq_no = -1, .primary_term = -1};
    struct error err = ERROR_INIT;

    buf_reset(&a->name);
    if (!template_add_index(a->index, &d->event, &a->name, &err)) {
        delivery_set(in, d, OUTCOME_DEAD, err.text, NULL);
        return;
    }
    target.index = a->name.data;
    target.id = d->event.unique.text;
    target.id_length = d->event.unique.length;
    buf_add(bulk_add(a->bulk, &target, &entry->number), entry->text, entry->length);
}

static bool write_index(struct audit *a, struct batch *in, struct entry *entries, struct error *err)
{
    bool ok;

    bulk_start(a->bulk);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            add_to_bulk(a, in, &in->items[i], &entries[i]);
    ok = bulk_send(a->bulk, err);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            handler_settle(in, &in->items[i], bulk_item(a->bulk, entries[i].number));
    return ok;
}

/* The file first: it takes entries also while OpenSearch is away. */
static bool audit_handle(struct handler *h, struct batch *in, struct error *err)
{
    struct audit *a = h->state;
    struct entry *entries = arena_zero(in->arena, in->count * sizeof *entries);

    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            make_entry(a, in, &in->items[i], &entries[i]);
    if (!write_file(a, in, entries, err))
        return false;
    if (a->index)
        return write_index(a, in, entries, err);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            in->items[i].outcome = OUTCOME_DONE;
    return true;
}

const struct handler_type audit_handler = {
    .name = "audit",
    .help = "each event becomes an audit entry, in an index and in the append-only file of [audit]",
    .keys = keys,
    .size = sizeof(struct options),
    .traits = KIND_HEARS_SERVICE | KIND_ONE_LANE,
    .install = audit_install,
    .open = audit_open,
    .handle = audit_handle,
    .close = audit_close,
};
