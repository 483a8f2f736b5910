#include "handlers/statistics.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "handlers/clicks.h"
#include "handlers/event_types.h"
#include "handlers/mapping.h"
#include "handlers/touched.h"
#include "notifier/agent_class.h"
#include "notifier/template.h"

#define TIME_FORMAT "strict_date_optional_time" /* of the platform's own templates */

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */

#define AT(field) offsetof(struct statistics_options, field)
static bool alias_check(const char *alias, struct error *err);

static const struct config_key keys[] = {
    {"index", CONFIG_TEXT, AT(index), NULL, 0, 0, NULL, template_check_index,
     "index of an event's document; placeholders such as {type} and {time:%Y-%m}"},
    {"alias", CONFIG_TEXT, AT(alias), "", 0, 0, NULL, alias_check,
     "name by which all of these indices are read; empty: none"},
    {"time_field", CONFIG_TEXT, AT(time_field), "timestamp", 0, 0, NULL, NULL,
     "field that gets the event's time, where data has none of that name"},
    {"id_field", CONFIG_TEXT, AT(id_field), "unique_id", 0, 0, NULL, NULL,
     "field that gets the event's unique id, where data has none of that name; empty: no such field"},
    {"updated_field", CONFIG_TEXT, AT(updated_field), "", 0, 0, NULL, NULL,
     "field that gets the time of indexing; empty: no such field"},
    {"fields", CONFIG_TEXT, AT(fields), "", 0, 0, NULL, mapping_check,
     "all fields a document may have besides these, NAME:TYPE separated by spaces; empty: any, with text as keywords"},
    CONFIG_END,
};
#undef AT

/* clang-format on */

struct statistics {
    struct template *index;
    struct bulk *bulk;
    struct touched *touched;
    struct clicks *clicks; /* NULL: all count */
    struct buf name;       /* of the index, filled for one event */
    struct buf time_member, id_member, updated_member, counted_member;
    char now[TIME_TEXT_BYTES]; /* of the batch */
};

/* An event of the batch on its way. */
struct written {
    size_t number; /* in the bulk */
    struct click *click;
};

static bool alias_check(const char *alias, struct error *err)
{
    if (strpbrk(alias, "{}"))
        return error_set(err, ERROR_CONFIG, "an alias is one name, without placeholders");
    return template_check_index(alias, err);
}

static bool statistics_check(const void *options, struct error *err)
{
    const struct statistics_options *o = options;

    if (!*o->time_field)
        return error_set(err, ERROR_CONFIG, "time_field: the name of a field is wanted");
    if (text_same(o->alias, o->index))
        return error_set(err, ERROR_CONFIG, "alias is the name of the index itself");
    return true;
}

void statistics_add_source(const struct handler_settings *hs, struct buf *out)
{
    const struct statistics_options *o = hs->own;
    struct error err;
    struct template *index;

    if (*o->alias) {
        buf_add_text(out, o->alias);
        return;
    }
    index = template_new(o->index, &err); /* it was checked with the configuration */
    template_add_glob(index, out);
    template_free(index);
}

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
    const struct statistics_options *o = h->options;
    struct statistics *s = h->state = xcalloc(1, sizeof *s);

    buf_init(&s->name);
    buf_init(&s->time_member);
    buf_init(&s->id_member);
    buf_init(&s->updated_member);
    buf_init(&s->counted_member);
    member_start(&s->time_member, o->time_field);
    member_start(&s->id_member, o->id_field);
    member_start(&s->updated_member, o->updated_field);
    member_start(&s->counted_member, CLICKS_FIELD);
    s->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    s->touched = touched_new(h->settings, h->common);
    s->clicks = clicks_new(h);
    s->index = template_new(o->index, err);
    return s->index != NULL;
}

static void statistics_close(struct handler *h)
{
    struct statistics *s = h->state;

    if (!s)
        return;
    template_free(s->index);
    clicks_free(s->clicks);
    touched_free(s->touched);
    bulk_free(s->bulk);
    buf_release(&s->name);
    buf_release(&s->time_member);
    buf_release(&s->id_member);
    buf_release(&s->updated_member);
    buf_release(&s->counted_member);
    free(s);
}

/* ---------------------------------------------------------------------------------------------- the template */

/* The fields of a document, with those that crier adds. */
static void add_properties(const struct handler *h, struct buf *out)
{
    const struct statistics_options *o = h->options;
    const struct statistics *s = h->state;
    struct buf words = BUF_INIT;

    buf_add_text(&words, o->fields);
    if (*o->fields)
        mapping_add_word(&words, o->id_field, "keyword");
    mapping_add_word(&words, o->updated_field, "date");
    if (s->clicks)
        mapping_add_word(&words, CLICKS_FIELD, "boolean");
    if (event_types_keep_class(h->settings, h->common))
        mapping_add_word(&words, AGENT_CLASS_FIELD, "keyword");
    buf_add_text(out, "\"properties\":");
    mapping_add_properties(out, words.data, o->time_field, TIME_FORMAT);
    buf_release(&words);
}

/* Strings of events are looked up whole, never searched by word: keyword, as the platform's own templates have it. */
static void add_template(const struct handler *h, struct buf *out)
{
    const struct statistics_options *o = h->options;

    buf_add_text(out,
                 "{\"settings\":{\"index\":{\"refresh_interval\":\"5s\"}},\"mappings\":{\"date_detection\":false,");
    if (*o->fields)
        buf_add_text(out, "\"numeric_detection\":false,\"dynamic\":\"strict\",");
    else
        buf_add_text(out, "\"dynamic_templates\":[{\"strings\":{\"match_mapping_type\":\"string\",\"mapping\":"
                          "{\"type\":\"keyword\"}}}],");
    add_properties(h, out);
    buf_add_char(out, '}');
    if (*o->alias) {
        struct buf alias = BUF_INIT;

        buf_printf(&alias, "%s%s", client_prefix(h->client), o->alias);
        buf_add_text(out, ",\"aliases\":{");
        buf_add_json_text(out, alias.data);
        buf_add_text(out, ":{}}");
        buf_release(&alias);
    }
    buf_add_char(out, '}');
}

/*
 * An index that is there already was made from the platform's template, or from ours of before: what it lacks would
 * make dead letters of events until its month is over. Fields are only ever added; one that is there with another type
 * stays as it is.
 */
static bool extend_indices(const struct handler *h, struct error *err)
{
    struct statistics *s = h->state;
    struct buf body = BUF_INIT, path = BUF_INIT;
    json_t *mapping, *answer = NULL;
    bool missing, ok;

    buf_add_char(&path, '/');
    buf_add_text(&path, client_prefix(h->client));
    template_add_glob(s->index, &path);
    buf_add_text(&path, "/_mapping");
    buf_add_char(&body, '{');
    add_properties(h, &body);
    buf_add_char(&body, '}');
    mapping = json_text_parse(body.data, body.length, JSON_DEPTH_DEFAULT, err);
    json_object_del(json_object_get(mapping, "properties"),
                    ((const struct statistics_options *)h->options)->time_field);
    ok = client_json(h->client, "PUT", path.data, mapping, &answer, &missing, err);
    if (!ok && err->kind == ERROR_INPUT) {
        log_warn("handler %s: the fields of its present indices are left as they are: %s", h->common->name, err->text);
        ok = true;
    }
    json_decref(answer);
    json_decref(mapping);
    buf_release(&body);
    buf_release(&path);
    return ok;
}

static bool statistics_install(struct handler *h, struct error *err)
{
    const struct statistics_options *o = h->options;
    struct statistics *s = h->state;
    struct buf body = BUF_INIT;
    bool ok;

    add_template(h, &body);
    ok = handler_install_template(h, s->index, body.data, err);
    buf_release(&body);
    return ok && (!*o->fields || extend_indices(h, err));
}

/* ---------------------------------------------------------------------------------------------- the documents */

static void add_member(struct buf *doc, const struct buf *start, const char *value, size_t length)
{
    if (doc->data[doc->length - 1] != '{')
        buf_add_char(doc, ',');
    buf_add(doc, start->data, start->length);
    buf_add(doc, value, length);
}

/* A time or hexadecimal digits: nothing to escape. */
static void add_text_member(struct buf *doc, const struct buf *start, struct span value)
{
    add_member(doc, start, "\"", 1);
    buf_add(doc, value.text, value.length);
    buf_add_char(doc, '"');
}

static bool lacks(const struct event *e, const struct buf *member)
{
    return member->length > 0 && !json_text_has_member(e->data.text, e->data.length, member->data);
}

/* The data's own bytes, with what they lack spliced in behind their last member. */
static void add_document(const struct statistics *s, const struct event *e, const struct click *click, struct buf *doc)
{
    size_t length = e->data.length;

    if (length >= 2)
        buf_add(doc, e->data.text, length - 1); /* without its closing brace */
    else
        buf_add_char(doc, '{');
    if (lacks(e, &s->time_member))
        add_text_member(doc, &s->time_member, e->time);
    if (lacks(e, &s->id_member))
        add_text_member(doc, &s->id_member, e->unique);
    if (lacks(e, &s->updated_member))
        add_text_member(doc, &s->updated_member, span_of(s->now));
    if (click && lacks(e, &s->counted_member)) {
        const char *counts = click->place.followed ? "false" : "true";

        add_member(doc, &s->counted_member, counts, strlen(counts));
    }
    buf_add_char(doc, '}');
}

/* The name of the index, in s->name. False: the event was given its outcome. */
static bool fill_index(struct statistics *s, struct batch *in, struct delivery *d)
{
    struct error err = ERROR_INIT;

    buf_reset(&s->name);
    if (template_add_index(s->index, &d->event, &s->name, &err))
        return true;
    delivery_set(in, d, OUTCOME_DEAD, err.text, NULL);
    return false;
}

static void add_event(struct statistics *s, struct batch *in, struct delivery *d, struct written *w)
{
    struct bulk_target target = {.action = BULK_INDEX, .seq_no = -1, .primary_term = -1};

    if (!fill_index(s, in, d))
        return;
    target.index = s->name.data;
    target.id = d->event.unique.text;
    target.id_length = d->event.unique.length;
    target.version = d->event.time_us;
    add_document(s, &d->event, w->click, bulk_add(s->bulk, &target, &w->number));
}

/* ------------------------------------------------------------------------------------------------- the batch */

static bool look_at_clicks(struct statistics *s, struct batch *in, struct written *written, struct error *err)
{
    if (!s->clicks)
        return true;
    clicks_start(s->clicks, in->arena, in->count);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE && fill_index(s, in, &in->items[i]))
            written[i].click = clicks_add(s->clicks, &in->items[i].event, s->name.data);
    return clicks_look(s->clicks, err);
}

static bool is_there(const struct bulk_item *item)
{
    return item->outcome == BULK_DONE || item->outcome == BULK_SUPERSEDED;
}

/* What the bulk said, for those who go on from it. */
static bool note_written(struct statistics *s, const struct batch *in, const struct written *written, struct error *err)
{
    for (size_t i = 0; i < in->count; i++) {
        const struct bulk_item *item;

        if (in->items[i].outcome != OUTCOME_NONE)
            continue;
        item = bulk_item(s->bulk, written[i].number);
        if (is_there(item))
            touched_add(s->touched, &in->items[i].event);
        if (written[i].click && !clicks_wrote(s->clicks, written[i].click, item->outcome, err))
            return false;
    }
    return true;
}

/* An event is done when its document is there, its keys are marked, and the click before it counts no more. */
static void settle(const struct statistics *s, struct batch *in, struct delivery *d, const struct written *w)
{
    const struct bulk_item *item = bulk_item(s->bulk, w->number);
    const struct click *k = w->click;

    if (!is_there(item) || !k || k->place.before.length == 0 || k->outcome == OUTCOME_DONE)
        handler_settle(in, d, item);
    else if (k->outcome != OUTCOME_NONE)
        delivery_set(in, d, k->outcome, k->reason, NULL);
}

/* What was written is marked and settled even where the rest failed: it need not be sent again. */
static bool send_all(struct handler *h, struct batch *in, const struct written *written, struct error *err)
{
    struct statistics *s = h->state;
    struct error second; /* of a pass that failed already */
    bool ok = bulk_send(s->bulk, err);

    if (!note_written(s, in, written, ok ? err : &second))
        return false;
    if (ok && s->clicks)
        ok = clicks_follow_up(s->clicks, s->touched, err);
    if (!touched_mark(s->touched, h->redis, ok ? err : &second))
        return false;
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            settle(s, in, &in->items[i], &written[i]);
    return ok;
}

static bool statistics_handle(struct handler *h, struct batch *in, struct error *err)
{
    struct statistics *s = h->state;
    struct written *written = arena_zero(in->arena, in->count * sizeof *written);

    touched_start(s->touched, in->arena);
    time_text_long(clock_wall_us(), s->now);
    if (!look_at_clicks(s, in, written, err))
        return false;
    bulk_start(s->bulk);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            add_event(s, in, &in->items[i], &written[i]);
    return send_all(h, in, written, err);
}

const struct handler_type statistics_handler = {
    .name = "statistics",
    .help = "each event becomes a document, one per unique id; of several with one id the latest in time stays",
    .keys = keys,
    .size = sizeof(struct statistics_options),
    .traits = KIND_COUNTS_PEOPLE,
    .check = statistics_check,
    .install = statistics_install,
    .open = statistics_open,
    .handle = statistics_handle,
    .close = statistics_close,
};
