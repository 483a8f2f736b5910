#include "notifier/notification.h"

#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "notifier/envelope.h"

enum { WORD_BYTES_MOST = 300 };

/* Wherever it comes from, so that what came by one door is a duplicate at another. */
static const char source[] = "crier:notification";

/* ------------------------------------------------------------------------------------------------- its parts */

/* The JSON texts of a notification's parts; length 0: not given. */
struct parts {
    struct span record_type, records, action;
};

static size_t byte_of(const char *start, const char *at)
{
    return (size_t)(at - start) + 1;
}

static bool misplaced(const char *start, const struct json_cut *cut, struct error *err)
{
    if (cut->at >= cut->end)
        return error_set(err, ERROR_INPUT, "byte %zu: the notification is cut short", byte_of(start, cut->end));
    return error_set(err, ERROR_INPUT, "byte %zu: '%c' is misplaced", byte_of(start, cut->at),
                     *cut->at >= ' ' && *cut->at < 0x7f ? *cut->at : '?');
}

/* [record_type, records_info]; of a call's arguments the last ones may be given by name. */
static bool array_parts(struct span text, struct parts *parts, struct error *err)
{
    struct span *places[] = {&parts->record_type, &parts->records}, one;
    enum json_cut_step step;
    struct json_cut cut;
    size_t count = 0;

    json_cut_start(&cut, text, '[');
    for (; (step = json_cut_next(&cut, &one)) == JSON_CUT_ONE; count++) {
        if (count == ARRAY_LENGTH(places))
            return error_set(err, ERROR_INPUT, "byte %zu: a notification has two elements: record_type, records_info",
                             byte_of(text.text, one.text));
        *places[count] = one;
    }
    return (step == JSON_CUT_END && json_cut_is_all(&cut)) || misplaced(text.text, &cut, err);
}

static bool object_parts(struct span text, struct parts *parts, struct error *err)
{
    enum json_cut_step step;
    struct json_cut cut;
    struct span one;

    json_cut_start(&cut, text, '{');
    while ((step = json_cut_next(&cut, &one)) == JSON_CUT_ONE)
        if (!json_cut_value(one, "record_type", &parts->record_type) &&
            !json_cut_value(one, "records_info", &parts->records) && !json_cut_value(one, "action", &parts->action))
            return error_set(err, ERROR_INPUT,
                             "byte %zu: a notification has the members record_type, records_info and action",
                             byte_of(text.text, one.text));
    return (step == JSON_CUT_END && json_cut_is_all(&cut)) || misplaced(text.text, &cut, err);
}

static bool read_word(struct span text, const char *name, struct arena *arena, struct span *out, struct error *err)
{
    json_t *word = text.length <= WORD_BYTES_MOST ? json_text_parse(text.text, text.length, 1, err) : NULL;
    bool ok = json_is_string(word) && json_string_length(word) > 0;

    if (ok)
        *out = (struct span){arena_text(arena, json_string_value(word)), json_string_length(word)};
    json_decref(word);
    return ok || error_set(err, ERROR_INPUT, "%s must be text of at most %d bytes", name, WORD_BYTES_MOST);
}

static bool open_parts(const struct parts *parts, const char *start, int depth, struct arena *arena,
                       struct notification *out, struct error *err)
{
    *out = (struct notification){.action = span_of("updated"), .start = start, .depth = depth};
    if (parts->record_type.length == 0)
        return error_set(err, ERROR_INPUT, "record_type is missing");
    if (parts->records.length == 0)
        return error_set(err, ERROR_INPUT, "records_info is missing");
    if (!read_word(parts->record_type, "record_type", arena, &out->record_type, err) ||
        (parts->action.length > 0 && !read_word(parts->action, "action", arena, &out->action, err)))
        return false;
    return json_cut_start(&out->records, parts->records, '[') ||
           error_set(err, ERROR_INPUT, "byte %zu: records_info must be an array of [pid, uuid, revision_id]",
                     byte_of(start, parts->records.text));
}

bool notification_read(struct span text, int depth, struct arena *arena, struct notification *out, struct error *err)
{
    struct parts parts = {SPAN_NONE, SPAN_NONE, SPAN_NONE};
    const char *first = json_skip_blanks(text.text, text.text + text.length);
    bool array = first < text.text + text.length && *first == '[';

    return (array ? array_parts(text, &parts, err) : object_parts(text, &parts, err)) &&
           open_parts(&parts, text.text, depth, arena, out, err);
}

bool notification_read_call(struct span arguments, struct span named, int depth, struct arena *arena,
                            struct notification *out, struct error *err)
{
    struct parts parts = {SPAN_NONE, SPAN_NONE, SPAN_NONE};

    return array_parts(arguments, &parts, err) && object_parts(named, &parts, err) &&
           open_parts(&parts, parts.records.length > 0 ? parts.records.text : arguments.text, depth, arena, out, err);
}

/* Whether an object has a member of that name at its top level. */
static bool has_member(struct span object, const char *name)
{
    struct json_cut cut;
    struct span one, value;

    if (!json_cut_start(&cut, object, '{'))
        return false;
    while (json_cut_next(&cut, &one) == JSON_CUT_ONE)
        if (json_cut_value(one, name, &value))
            return true;
    return false;
}

bool notification_is(struct span text)
{
    static const char type[] = "\"record_type\"", info[] = "\"records_info\"";
    const char *end = text.text + text.length, *first = json_skip_blanks(text.text, end);

    if (first == end)
        return false;
    if (*first == '[') {
        first = json_skip_blanks(first + 1, end);
        return first < end && *first == '"';
    }
    return memmem(text.text, text.length, type, sizeof type - 1) &&
           memmem(text.text, text.length, info, sizeof info - 1) && has_member(text, "record_type") &&
           !has_member(text, "type") && !has_member(text, "event_type");
}

/* ----------------------------------------------------------------------------------------------- its records */

struct record {
    const char *pid, *uuid;
    int64_t revision;
    json_t *data; /* owned; NULL: none */
};

/* Numbers stand for their digits: the platform's users have numbers for pids. */
static const char *take_text(const json_t *value, struct arena *arena)
{
    if (json_is_integer(value))
        return arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return json_is_string(value) && json_string_length(value) > 0 ? arena_text(arena, json_string_value(value)) : NULL;
}

static bool read_record(const json_t *value, struct arena *arena, struct record *out, struct error *err)
{
    bool array = json_is_array(value) && json_array_size(value) == 3;
    const json_t *revision = array ? json_array_get(value, 2) : json_object_get(value, "revision_id");
    json_t *data = json_object_get(value, "data");

    if (!array && !json_is_object(value))
        return error_set(err, ERROR_INPUT, "it must be [pid, uuid, revision_id]");
    out->pid = take_text(array ? json_array_get(value, 0) : json_object_get(value, "pid"), arena);
    out->uuid = take_text(array ? json_array_get(value, 1) : json_object_get(value, "uuid"), arena);
    if (!out->pid)
        return error_set(err, ERROR_INPUT, "pid must be text or a whole number");
    if (!out->uuid)
        return error_set(err, ERROR_INPUT, "uuid must be text or a whole number");
    if (!json_is_integer(revision) || json_integer_value(revision) < 0)
        return error_set(err, ERROR_INPUT, "revision_id must be a whole number from 0 to 2^63-1");
    if (data && !json_is_null(data) && !json_is_object(data))
        return error_set(err, ERROR_INPUT, "data must be a JSON object");
    out->revision = json_integer_value(revision);
    out->data = json_is_object(data) ? json_incref(data) : json_object();
    json_object_set_new(out->data, "uuid", json_string(out->uuid));
    return true;
}

static const char *make_id(const struct notification *n, const struct record *r, struct arena *arena)
{
    const char *revision = arena_printf(arena, "%lld", (long long)r->revision);
    struct digest *d = digest_new();
    char id[ID_TEXT_BYTES];

    digest_start(d);
    digest_part(d, n->record_type.text, n->record_type.length);
    digest_part(d, n->action.text, n->action.length);
    digest_part(d, r->pid, strlen(r->pid));
    digest_part(d, r->uuid, strlen(r->uuid));
    digest_part(d, revision, strlen(revision));
    digest_end_id(d, id);
    digest_free(d);
    return arena_text(arena, id);
}

static bool make_event(const struct notification *n, const struct record *r, struct arena *arena, struct event *e,
                       struct error *err)
{
    *e = event_none;
    e->id = span_of(make_id(n, r, arena));
    e->source = span_of(source);
    e->revision = r->revision;
    return envelope_attribute(e, "type", arena_printf(arena, "%s.%s", n->record_type.text, n->action.text), arena,
                              err) &&
           envelope_attribute(e, "subject", arena_printf(arena, "%s/%s", n->record_type.text, r->pid), arena, err) &&
           envelope_complete(e, arena, err) && envelope_admitted(e, err);
}

static bool add_record(const struct notification *n, struct span text, struct intake *in, struct error *err)
{
    struct arena *arena = intake_arena(in);
    struct record record = {.data = NULL};
    struct event e;
    json_t *value = json_text_parse(text.text, text.length, n->depth, err);
    bool ok = value && read_record(value, arena, &record, err) && make_event(n, &record, arena, &e, err);

    json_decref(value);
    if (ok)
        intake_add_event(in, &e, record.data);
    else
        json_decref(record.data);
    return ok;
}

bool notification_add(struct notification *n, struct intake *in)
{
    struct error err = ERROR_INIT;
    struct span one = SPAN_NONE;
    enum json_cut_step step = n->ended ? JSON_CUT_END : json_cut_next(&n->records, &one);

    if (step == JSON_CUT_END)
        return false;
    n->count++;
    if (step == JSON_CUT_WRONG) {
        misplaced(n->start, &n->records, &err);
        n->ended = true;
    } else if (add_record(n, one, in, &err)) {
        return true;
    } else {
        error_in(&err, "byte %zu", byte_of(n->start, one.text));
    }
    error_in(&err, "record %zu", n->count);
    intake_add_refused(in, err.text);
    return true;
}

/* ------------------------------------------------------------------------------------------------- from words */

/* PID:UUID:REVISION; what is not of this form is refused as it stands. */
static void add_word(struct buf *out, const char *word)
{
    const char *last = strrchr(word, ':');
    const char *middle = last ? memrchr(word, ':', (size_t)(last - word)) : NULL;
    int64_t revision;

    if (!middle) {
        buf_add_json_text(out, word);
        return;
    }
    buf_add_char(out, '[');
    buf_add_json(out, word, (size_t)(middle - word));
    buf_add_char(out, ',');
    buf_add_json(out, middle + 1, (size_t)(last - middle - 1));
    buf_add_char(out, ',');
    if (text_int(last + 1, strlen(last + 1), &revision))
        buf_add_int(out, revision);
    else
        buf_add_json_text(out, last + 1);
    buf_add_char(out, ']');
}

void notification_write(struct buf *out, const char *type, const char *action, char *const words[], int count)
{
    buf_add_text(out, "{\"record_type\":");
    buf_add_json_text(out, type);
    buf_add_text(out, ",\"action\":");
    buf_add_json_text(out, action ? action : "updated");
    buf_add_text(out, ",\"records_info\":[");
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        add_word(out, words[i]);
    }
    buf_add_text(out, "]}");
}
