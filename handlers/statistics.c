#include "handlers/statistics.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "notifier/template.h"

struct options {
    char *index, *time_field, *id_field;
};

static const struct config_key keys[] = {
    {"index",      CONFIG_TEXT, offsetof(struct options, index),      NULL,        0, 0, NULL, template_check_index,
     "index of an event's document; placeholders such as {type} and {time:%Y-%m}"                   },
    {"time_field", CONFIG_TEXT, offsetof(struct options, time_field), "timestamp", 0, 0, NULL, NULL,
     "field that gets the event's time, where data has none of that name"                           },
    {"id_field",   CONFIG_TEXT, offsetof(struct options, id_field),   "unique_id", 0, 0, NULL, NULL,
     "field that gets the event's unique id, where data has none of that name; empty: no such field"},
    CONFIG_END,
};

struct statistics {
    struct template *index;
    struct bulk *bulk;
    struct buf name; /* of the index, filled for one event */
    struct buf time_member, id_member;
};

/* "\"name\":" as it stands before a value, and as it would stand in data. */
static void member_start(struct buf *out, const char *name)
{
    if (!*name)
        return;
    buf_add_json_text(out, name);
    buf_add_char(out, ':');
}

static bool statistics_open(struct handler *h, struct error *err)
{
    const struct options *o = h->options;
    struct statistics *s = h->state = xcalloc(1, sizeof *s);

    buf_init(&s->name);
    buf_init(&s->time_member);
    buf_init(&s->id_member);
    member_start(&s->time_member, o->time_field);
    member_start(&s->id_member, o->id_field);
    s->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    s->index = template_new(o->index, err);
    return s->index != NULL;
}

static void statistics_close(struct handler *h)
{
    struct statistics *s = h->state;

    if (!s)
        return;
    template_free(s->index);
    bulk_free(s->bulk);
    buf_release(&s->name);
    buf_release(&s->time_member);
    buf_release(&s->id_member);
    free(s);
}

/* Strings of events are looked up whole, never searched by word: keyword, as the platform's own templates have it. */
static bool statistics_install(struct handler *h, struct error *err)
{
    const struct options *o = h->options;
    struct statistics *s = h->state;
    struct buf body = BUF_INIT;
    bool ok;

    buf_add_text(&body, "{\"settings\":{\"index\":{\"refresh_interval\":\"5s\"}},\"mappings\":{\"dynamic_templates\":["
                        "{\"strings\":{\"match_mapping_type\":\"string\",\"mapping\":{\"type\":\"keyword\"}}}],"
                        "\"date_detection\":false,\"properties\":{");
    buf_add_json_text(&body, o->time_field);
    buf_add_text(&body, ":{\"type\":\"date\",\"format\":\"strict_date_optional_time\"}}}}");
    ok = handler_install_template(h, s->index, body.data, err);
    buf_release(&body);
    return ok;
}

static void add_member(struct buf *doc, const struct buf *start, struct span value)
{
    if (doc->data[doc->length - 1] != '{')
        buf_add_char(doc, ',');
    buf_add(doc, start->data, start->length);
    buf_add_char(doc, '"');
    buf_add(doc, value.text, value.length); /* a time or hexadecimal digits: nothing to escape */
    buf_add_char(doc, '"');
}

/* The data's own bytes, with time and unique id spliced in behind its last member. */
static void add_document(const struct statistics *s, const struct event *e, struct buf *doc)
{
    size_t length = e->data.length;

    if (length >= 2)
        buf_add(doc, e->data.text, length - 1); /* without its closing brace */
    else
        buf_add_char(doc, '{');
    if (s->time_member.length && !json_text_has_member(e->data.text, length, s->time_member.data))
        add_member(doc, &s->time_member, e->time);
    if (s->id_member.length && !json_text_has_member(e->data.text, length, s->id_member.data))
        add_member(doc, &s->id_member, e->unique);
    buf_add_char(doc, '}');
}

static void add_event(struct statistics *s, struct batch *in, struct delivery *d, size_t *number)
{
    struct bulk_target target = {.action = BULK_INDEX, .seq_no = -1, .primary_term = -1};
    struct error err = ERROR_INIT;

    buf_reset(&s->name);
    if (!template_add_index(s->index, &d->event, &s->name, &err)) {
        delivery_set(in, d, OUTCOME_DEAD, err.text, NULL);
        return;
    }
    target.index = s->name.data;
    target.id = d->event.unique.text;
    target.id_length = d->event.unique.length;
    target.version = d->event.time_us;
    add_document(s, &d->event, bulk_add(s->bulk, &target, number));
}

static bool statistics_handle(struct handler *h, struct batch *in, struct error *err)
{
    struct statistics *s = h->state;
    size_t *numbers = arena_alloc(in->arena, in->count * sizeof *numbers);
    bool ok;

    bulk_start(s->bulk);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            add_event(s, in, &in->items[i], &numbers[i]);
    ok = bulk_send(s->bulk, err);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            handler_settle(in, &in->items[i], bulk_item(s->bulk, numbers[i]));
    return ok;
}

const struct handler_type statistics_handler = {
    .name = "statistics",
    .help = "each event becomes a document, one per unique id; of several with one id the latest in time stays",
    .keys = keys,
    .size = sizeof(struct options),
    .traits = KIND_COUNTS_PEOPLE,
    .install = statistics_install,
    .open = statistics_open,
    .handle = statistics_handle,
    .close = statistics_close,
};
