#include "notifier/envelope.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

enum {
    ID_BYTES_MOST = 512,
    TEXT_BYTES_MOST = 1024,
    TYPE_PARTS_MOST = 8,
    TRACEPARENT_BYTES = 55, /* version 00; later ones may go on after a '-' */
};

/* Where a sender gives none: the short form has no source of its own. */
static const char short_form_source[] = "crier:door";

/* -------------------------------------------------------------------------------------- attributes one by one */

/* A control character of ASCII or, in UTF-8, of Latin-1's upper half. */
static bool has_control(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;

    for (size_t i = 0; i < length; i++)
        if (at[i] < 0x20 || at[i] == 0x7f || (at[i] == 0xc2 && i + 1 < length && at[i + 1] < 0xa0))
            return true;
    return false;
}

static bool text_check(const char *name, struct span value, struct error *err)
{
    size_t most = strcmp(name, "id") == 0 ? ID_BYTES_MOST : TEXT_BYTES_MOST;

    if (value.length == 0)
        return error_set(err, ERROR_INPUT, "%s is empty", name);
    if (value.length > most)
        return error_set(err, ERROR_INPUT, "%s is longer than %zu bytes", name, most);
    if (has_control(value.text, value.length))
        return error_set(err, ERROR_INPUT, "%s holds a control character", name);
    return true;
}

static bool type_check(const char *name, struct span value, struct error *err)
{
    size_t parts = 1, part = 0;

    if (!text_check(name, value, err))
        return false;
    for (size_t i = 0; i < value.length; i++) {
        char c = value.text[i];
        bool letter =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';

        if (c == '.' && part > 0 && i + 1 < value.length) {
            parts++;
            part = 0;
        } else if (letter) {
            part++;
        } else {
            parts = TYPE_PARTS_MOST + 1;
            break;
        }
    }
    if (parts > TYPE_PARTS_MOST)
        return error_set(err, ERROR_INPUT,
                         "%s must be 1 to %d parts of letters, digits, '_' and '-', separated by dots", name,
                         TYPE_PARTS_MOST);
    return true;
}

static bool reference_check(const char *name, struct span value, struct error *err)
{
    const char *slash = memchr(value.text, '/', value.length);

    if (!text_check(name, value, err))
        return false;
    if (!slash || slash == value.text || slash == value.text + value.length - 1)
        return error_set(err, ERROR_INPUT, "%s must have the form kind/id, such as users/42", name);
    return true;
}

static bool all_hex(const char *text, size_t from, size_t to, bool *only_zeros)
{
    *only_zeros = true;
    for (size_t i = from; i < to; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
        *only_zeros = *only_zeros && text[i] == '0';
    }
    return true;
}

/* W3C Trace Context, "version-trace-parent-flags"; all other ones are to be ignored by whoever receives them. */
static bool traceparent_ok(struct span value)
{
    const char *t = value.text;
    bool version_0, no_trace, no_parent, no_flags;

    if (value.length < TRACEPARENT_BYTES || t[2] != '-' || t[35] != '-' || t[52] != '-')
        return false;
    if (!all_hex(t, 0, 2, &version_0) || !all_hex(t, 3, 35, &no_trace) || !all_hex(t, 36, 52, &no_parent) ||
        !all_hex(t, 53, 55, &no_flags) || no_trace || no_parent || memcmp(t, "ff", 2) == 0)
        return false;
    return value.length == TRACEPARENT_BYTES || (!version_0 && t[TRACEPARENT_BYTES] == '-');
}

static bool set_time(struct event *e, struct span value, struct arena *arena, struct error *err)
{
    char text[TIME_TEXT_BYTES];

    if (!time_parse(value.text, value.length, false, &e->time_us))
        return error_set(err, ERROR_INPUT, "time is no RFC 3339 time, such as 2026-11-20T21:40:00Z");
    time_text(e->time_us, text);
    e->time = span_of(arena_text(arena, text));
    return true;
}

static bool set_revision(struct event *e, struct span value, struct error *err)
{
    if (!text_int(value.text, value.length, &e->revision) || e->revision < 0) {
        e->revision = REVISION_NONE;
        return error_set(err, ERROR_INPUT, "revision must be a whole number from 0 to 2^63-1");
    }
    return true;
}

bool envelope_is_json(struct span content_type)
{
    const char *parameters = memchr(content_type.text, ';', content_type.length);
    size_t length = parameters ? (size_t)(parameters - content_type.text) : content_type.length;

    while (length > 0 && (content_type.text[length - 1] == ' ' || content_type.text[length - 1] == '\t'))
        length--;
    if (length > 5 && strncasecmp(content_type.text + length - 5, "+json", 5) == 0)
        return memchr(content_type.text, '/', length) != NULL;
    return length == 16 && strncasecmp(content_type.text, "application/json", 16) == 0;
}

/* ------------------------------------------------------------------------------------------ attributes by name */

/* Attributes that are kept as they come once they are checked. */
static const struct {
    const char *name;
    size_t offset;
    bool (*check)(const char *name, struct span value, struct error *err);
} kept[] = {
    {"id",        offsetof(struct event, id),        text_check     },
    {"source",    offsetof(struct event, source),    text_check     },
    {"type",      offsetof(struct event, type),      type_check     },
    {"subject",   offsetof(struct event, subject),   reference_check},
    {"actor",     offsetof(struct event, actor),     reference_check},
    {"operation", offsetof(struct event, operation), text_check     },
};

/* Checks that give a verdict and leave nothing in the event. */
static bool check_only(const char *name, struct span value, struct error *err)
{
    if (strcmp(name, "specversion") == 0 && !span_is(value, "1.0"))
        return error_set(err, ERROR_INPUT, "specversion must be \"1.0\"");
    if (strcmp(name, "datacontenttype") == 0 && !envelope_is_json(value))
        return error_set(err, ERROR_INPUT, "datacontenttype must be JSON (application/json or ...+json)");
    if (strcmp(name, "data_base64") == 0)
        return error_set(err, ERROR_INPUT, "data_base64 is not taken: data must be a JSON object");
    return true;
}

static bool set_attribute(struct event *e, const char *name, struct span value, struct arena *arena, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
        if (strcmp(name, kept[i].name) != 0)
            continue;
        if (!kept[i].check(name, value, err))
            return false;
        *(struct span *)((char *)e + kept[i].offset) =
            (struct span){arena_copy(arena, value.text, value.length), value.length};
        return true;
    }
    if (strcmp(name, "time") == 0)
        return set_time(e, value, arena, err);
    if (strcmp(name, "revision") == 0)
        return set_revision(e, value, err);
    if (strcmp(name, "traceparent") == 0) {
        if (traceparent_ok(value) && text_check(name, value, err))
            e->traceparent = (struct span){arena_copy(arena, value.text, value.length), value.length};
        return true;
    }
    return check_only(name, value, err);
}

bool envelope_attribute(struct event *e, const char *name, const char *value, struct arena *arena, struct error *err)
{
    struct span text = span_of(value);

    if (text_utf8_valid(text.text, text.length) != text.length)
        return error_set(err, ERROR_INPUT, "%s is not UTF-8", name);
    return set_attribute(e, name, text, arena, err);
}

static void set_time_now(struct event *e, struct arena *arena)
{
    char text[TIME_TEXT_BYTES];

    if (e->time.length > 0)
        return;
    e->time_us = clock_wall_us();
    e->time = span_of(arena_text(arena, time_text(e->time_us, text)));
}

bool envelope_complete(struct event *e, struct arena *arena, struct error *err)
{
    const char *missing = e->id.length == 0       ? "id"
                          : e->source.length == 0 ? "source"
                          : e->type.length == 0   ? "type"
                                                  : NULL;

    if (missing)
        return error_set(err, ERROR_INPUT, "%s is missing", missing);
    set_time_now(e, arena);
    return true;
}

bool envelope_admitted(const struct event *e, struct error *err)
{
    if (e->type.length >= 5 && memcmp(e->type.text, "crier", 5) == 0 && (e->type.length == 5 || e->type.text[5] == '.'))
        return error_set(err, ERROR_INPUT, "types that begin with \"crier.\" are the service's own");
    return true;
}

/* -------------------------------------------------------------------------------------------------- from JSON */

/* Whether the member is one of ours, so that a value of another JSON type than text is a mistake. */
static bool known(const char *name)
{
    static const char *const others[] = {"time",        "revision",        "traceparent",
                                         "specversion", "datacontenttype", "data_base64"};

    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        if (strcmp(name, kept[i].name) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        if (strcmp(name, others[i]) == 0)
            return true;
    return false;
}

static bool set_member(struct event *e, const char *name, const json_t *value, struct arena *arena, struct error *err)
{
    if (json_is_string(value))
        return set_attribute(e, name, (struct span){json_string_value(value), json_string_length(value)}, arena, err);
    if (json_is_null(value) || !known(name))
        return true;
    if (strcmp(name, "revision") != 0)
        return error_set(err, ERROR_INPUT, "%s must be text", name);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return set_revision(e, SPAN_NONE, err);
    e->revision = json_integer_value(value);
    return true;
}

static bool take_data(const json_t *object, const char *name, json_t **data, struct error *err)
{
    json_t *value = json_object_get(object, name);

    if (!value || json_is_null(value))
        return true;
    if (!json_is_object(value))
        return error_set(err, ERROR_INPUT, "%s must be a JSON object", name);
    *data = json_incref(value);
    return true;
}

static bool set_members(struct event *e, const json_t *object, struct arena *arena, struct error *err)
{
    json_t *whole = (json_t *)(uintptr_t)object; /* jansson iterates over non-const only */

    for (void *at = json_object_iter(whole); at; at = json_object_iter_next(whole, at))
        if (!set_member(e, json_object_iter_key(at), json_object_iter_value(at), arena, err))
            return false;
    return true;
}

void envelope_name(struct event *e, const json_t *data, struct keyed_hash *key, struct arena *arena)
{
    struct buf text = BUF_INIT;
    char id[ID_TEXT_BYTES];

    if (key) {
        buf_printf(&text, "event|%s|", e->type.text);
        json_add_sorted(&text, data);
        keyed_hash_id(key, text.data, text.length, id);
    } else {
        struct digest *d = digest_new();

        json_add_sorted(&text, data);
        digest_start(d);
        digest_part(d, e->type.text, e->type.length);
        digest_part(d, text.data, text.length);
        digest_end_id(d, id);
        digest_free(d);
    }
    buf_release(&text);
    e->id = span_of(arena_text(arena, id));
}

static void name_at_random(struct event *e, struct arena *arena)
{
    unsigned char random[ID_BYTES];
    char id[ID_TEXT_BYTES];

    random_secret(random, sizeof random);
    hash_hex(random, sizeof random, id);
    e->id = span_of(arena_text(arena, id));
}

static bool read_short(struct event *e, const json_t *object, struct arena *arena, json_t **data, struct error *err)
{
    const json_t *type = json_object_get(object, "event_type");
    const char *timestamp;
    char text[TIME_TEXT_BYTES];
    int64_t stamped_us;
    bool stamped;

    if (!json_is_string(type))
        return error_set(err, ERROR_INPUT, "event_type must be text");
    if (!set_members(e, object, arena, err) || !take_data(object, "payload", data, err) ||
        !set_attribute(e, "type", (struct span){json_string_value(type), json_string_length(type)}, arena, err))
        return false;
    timestamp = json_member_text(*data, "timestamp", "");
    stamped = time_parse(timestamp, strlen(timestamp), true, &stamped_us);
    if (!stamped && *timestamp && e->time.length == 0)
        return error_set(err, ERROR_INPUT, "payload.timestamp is no time as 2026-11-20T21:40:00Z is one (RFC 3339)");
    if (stamped && e->time.length == 0) {
        e->time_us = stamped_us;
        e->time = span_of(arena_text(arena, time_text(stamped_us, text)));
    }
    if (e->source.length == 0)
        e->source = span_of(short_form_source);
    if (e->id.length == 0 && !stamped)
        name_at_random(e, arena);
    set_time_now(e, arena);
    return true;
}

static bool read_whole(struct event *e, const json_t *object, struct arena *arena, json_t **data, struct error *err)
{
    if (!json_object_get(object, "specversion"))
        return error_set(err, ERROR_INPUT, "specversion is missing");
    return set_members(e, object, arena, err) && take_data(object, "data", data, err) &&
           envelope_complete(e, arena, err);
}

bool envelope_read(const json_t *object, struct arena *arena, struct event *e, json_t **data, struct error *err)
{
    bool ok;

    *e = event_none;
    *data = NULL;
    if (!json_is_object(object))
        return error_set(err, ERROR_INPUT, "an event must be a JSON object");
    if (json_object_get(object, "type") || json_object_get(object, "specversion"))
        ok = read_whole(e, object, arena, data, err);
    else if (json_object_get(object, "event_type"))
        ok = read_short(e, object, arena, data, err);
    else
        ok = error_set(err, ERROR_INPUT,
                       "neither a CloudEvent (specversion, id, source, type), nor the short form "
                       "(event_type, payload), nor a change notification (record_type, records_info)");
    if (!ok) {
        json_decref(*data);
        *data = NULL;
    }
    return ok;
}
