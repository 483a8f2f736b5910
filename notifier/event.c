#include "notifier/event.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"

const struct event event_none = {
    .id = {"", 0},
    .source = {"", 0},
    .type = {"", 0},
    .time = {"", 0},
    .subject = {"", 0},
    .actor = {"", 0},
    .operation = {"", 0},
    .traceparent = {"", 0},
    .data = {"", 0},
    .unique = {"", 0},
    .click = {"", 0},
    .only = {"", 0},
    .revision = REVISION_NONE,
};

struct attribute {
    const char *name;
    size_t offset;
};

#define AT(field) #field, offsetof(struct event, field)

/* The fields of a stream entry that are text, in the order they are written. */
static const struct attribute attributes[] = {
    {AT(id)},        {AT(source)},      {AT(type)}, {AT(time)},   {AT(subject)}, {AT(actor)},
    {AT(operation)}, {AT(traceparent)}, {AT(data)}, {AT(unique)}, {AT(click)},   {AT(only)},
};

const char *const event_attribute_names[] = {"id",        "source",      "type",     "time",   "subject", "actor",
                                             "operation", "traceparent", "revision", "unique", NULL};

static const struct span *attribute_of(const struct event *e, const struct attribute *a)
{
    return (const struct span *)((const char *)e + a->offset);
}

struct span reference_id(struct span reference)
{
    const char *slash = memchr(reference.text, '/', reference.length);
    size_t before = slash ? (size_t)(slash - reference.text) + 1 : 0;

    return (struct span){reference.text + before, reference.length - before};
}

struct span reference_kind(struct span reference)
{
    const char *slash = memchr(reference.text, '/', reference.length);

    return slash ? (struct span){reference.text, (size_t)(slash - reference.text)} : SPAN_NONE;
}

struct span event_subject_id(const struct event *e)
{
    return reference_id(e->subject);
}

struct span event_subject_kind(const struct event *e)
{
    return reference_kind(e->subject);
}

size_t event_add_fields(const struct event *e, struct args *args)
{
    size_t before = args->count;

    for (size_t i = 0; i < ARRAY_LENGTH(attributes); i++) {
        const struct span *value = attribute_of(e, &attributes[i]);

        if (value->length == 0)
            continue;
        args_text(args, attributes[i].name);
        args_bytes(args, value->text, value->length);
    }
    if (e->revision != REVISION_NONE) {
        args_text(args, "revision");
        args_int(args, e->revision);
    }
    if (e->latest_wins) {
        args_text(args, "latest");
        args_text(args, "1");
    }
    return args->count - before;
}

/* next is where the search begins, as fields mostly come in our own order; it moves on behind what was found. */
static const struct attribute *find_attribute(struct span name, size_t *next)
{
    for (size_t tried = 0; tried < ARRAY_LENGTH(attributes); tried++) {
        const struct attribute *a = &attributes[(*next + tried) % ARRAY_LENGTH(attributes)];

        if (span_is(name, a->name)) {
            *next = (size_t)(a - attributes) + 1;
            return a;
        }
    }
    return NULL;
}

static bool set_field(struct event *e, struct span name, struct span value, size_t *next, struct error *err)
{
    const struct attribute *a = find_attribute(name, next);

    if (a)
        *(struct span *)((char *)e + a->offset) = value;
    else if (span_is(name, "latest"))
        e->latest_wins = span_is(value, "1");
    else if (span_is(name, "revision") && (!text_int(value.text, value.length, &e->revision) || e->revision < 0))
        return error_set(err, ERROR_INPUT, "the entry's revision is no number");
    return true;
}

bool event_from_fields(struct event *e, const struct reply *fields, struct error *err)
{
    size_t next = 0;

    *e = event_none;
    for (size_t i = 0; i + 1 < fields->count; i += 2) {
        const struct reply *name = &fields->items[i], *value = &fields->items[i + 1];

        if (name->kind != REPLY_TEXT || value->kind != REPLY_TEXT)
            continue;
        if (!set_field(e, (struct span){name->text, name->length}, (struct span){value->text, value->length}, &next,
                       err))
            return false;
    }
    if (e->type.length == 0)
        return error_set(err, ERROR_INPUT, "the entry has no type");
    if (!time_parse(e->time.text, e->time.length, false, &e->time_us))
        return error_set(err, ERROR_INPUT, "the entry has no time");
    return true;
}

void event_add_json(const struct event *e, struct buf *out)
{
    event_add_json_more(e, SPAN_NONE, out);
}

void event_add_json_more(const struct event *e, struct span more, struct buf *out)
{
    buf_add_text(out, "{\"specversion\":\"1.0\"");
    for (const struct attribute *a = attributes; strcmp(a->name, "data") != 0; a++) {
        const struct span *value = attribute_of(e, a);

        if (value->length == 0)
            continue;
        buf_add_text(out, ",\"");
        buf_add_text(out, a->name);
        buf_add_text(out, "\":");
        buf_add_json(out, value->text, value->length);
    }
    if (e->revision != REVISION_NONE) {
        buf_add_text(out, ",\"revision\":");
        buf_add_int(out, e->revision);
    }
    buf_add(out, more.text, more.length);
    if (e->data.length > 0) {
        buf_add_text(out, ",\"datacontenttype\":\"application/json\",\"data\":");
        buf_add(out, e->data.text, e->data.length);
    }
    buf_add_char(out, '}');
}

bool event_attribute(const struct event *e, const char *name, struct span *out, struct buf *scratch)
{
    size_t next = 0;
    const struct attribute *a = find_attribute(span_of(name), &next);

    *out = SPAN_NONE;
    if (strcmp(name, "revision") == 0) {
        if (e->revision == REVISION_NONE)
            return true;
        buf_reset(scratch);
        buf_add_int(scratch, e->revision);
        *out = (struct span){scratch->data, scratch->length};
        return true;
    }
    if (!a || strcmp(name, "data") == 0 || strcmp(name, "only") == 0)
        return false;
    *out = *attribute_of(e, a);
    return true;
}
