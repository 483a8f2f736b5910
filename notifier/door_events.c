#include "notifier/door_events.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "notifier/envelope.h"
#include "notifier/lines.h"

enum { ACCEPTED = 202, BAD_REQUEST = 400, TOO_LARGE = 413, UNAVAILABLE = 503 };

/* One request on its way through. */
struct taking {
    struct events_door *door;
    struct intake *intake;
    const struct events_request *request;
    const char *end;   /* of the body */
    const char *place; /* what tells the events of a body apart: "line", "byte"; NULL: there is only one */
    size_t *places;    /* the number of that line or byte, of each event */
    size_t count, room;
    unsigned status; /* of a body refused as a whole */
    struct error err;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static bool refuse_all(struct taking *t, unsigned status)
{
    t->status = status;
    return false;
}

/* ---------------------------------------------------------------------------------------------------- the form */

static bool media_type_is(const char *content_type, const char *name)
{
    size_t length = strcspn(content_type, ";");

    while (length > 0 && is_blank(content_type[length - 1]))
        length--;
    return length == strlen(name) && strncasecmp(content_type, name, length) == 0;
}

enum event_form events_form(const char *content_type, bool binary)
{
    if (!content_type)
        return binary ? FORM_BINARY : FORM_UNKNOWN;
    if (media_type_is(content_type, "application/cloudevents+json"))
        return FORM_STRUCTURED;
    if (media_type_is(content_type, "application/cloudevents-batch+json"))
        return FORM_BATCH;
    if (binary)
        return envelope_is_json(span_of(content_type)) ? FORM_BINARY : FORM_UNKNOWN;
    if (media_type_is(content_type, "application/json"))
        return FORM_JSON;
    if (media_type_is(content_type, "application/x-ndjson") || media_type_is(content_type, "application/ndjson"))
        return FORM_LINES;
    return FORM_UNKNOWN;
}

/* ---------------------------------------------------------------------------------------------- several events */

/* Adds one of several events. False: there are more than a batch may have. */
static bool add_one(struct taking *t, size_t place, const char *text, size_t length)
{
    if ((int64_t)t->count >= t->door->settings->http.batch_events) {
        error_set(&t->err, ERROR_INPUT, "a batch may have %lld events",
                  (long long)t->door->settings->http.batch_events);
        return refuse_all(t, TOO_LARGE);
    }
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->places = xrealloc(t->places, t->room * sizeof *t->places);
    }
    t->places[t->count++] = place;
    intake_add_text(t->intake, text, length);
    return true;
}

static bool add_lines(struct taking *t)
{
    const char *line = t->request->body;

    for (size_t number = 1; line < t->end; number++) {
        const char *feed = memchr(line, '\n', (size_t)(t->end - line));
        const char *line_end = feed ? feed : t->end;

        line = skip_blanks(line, line_end);
        if (line < line_end && !add_one(t, number, line, (size_t)(line_end - line)))
            return false;
        line = feed ? feed + 1 : t->end;
    }
    return true;
}

/* Behind the string whose opening quote is at text. */
static const char *string_end(const char *text, const char *end)
{
    for (text++; text < end && *text != '"'; text++)
        if (*text == '\\')
            text++;
    return text + 1;
}

/* Where the JSON value at text ends: at the comma or bracket of the array around it; end where that never comes. */
static const char *element_end(const char *text, const char *end)
{
    int depth = 0;

    while (text < end) {
        char c = *text;

        if (c == '"') {
            text = string_end(text, end);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            return text;
        if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        text++;
    }
    return end;
}

static bool misplaced(struct taking *t, const char *at)
{
    size_t byte = (size_t)(at - t->request->body) + 1;

    if (at >= t->end)
        error_set(&t->err, ERROR_INPUT, "byte %zu: the array is cut short", t->request->length + 1);
    else
        error_set(&t->err, ERROR_INPUT, "byte %zu: '%c' is misplaced", byte, *at >= ' ' && *at < 0x7f ? *at : '?');
    return refuse_all(t, BAD_REQUEST);
}

/* The elements of the array whose opening bracket is at `at`. */
static bool add_elements(struct taking *t, const char *at)
{
    const char *last;

    at = skip_blanks(at + 1, t->end);
    last = at;
    if (at == t->end || *at != ']')
        for (;; at = skip_blanks(last + 1, t->end)) {
            last = element_end(at, t->end);
            if (last == t->end || last == at || *last == '}')
                return misplaced(t, last);
            if (!add_one(t, (size_t)(at - t->request->body) + 1, at, (size_t)(last - at)))
                return false;
            if (*last == ']')
                break;
        }
    at = skip_blanks(last + 1, t->end);
    return at == t->end || misplaced(t, at);
}

/* --------------------------------------------------------------------------------------------------- one event */

static json_t *parse_one(struct taking *t)
{
    const struct http_settings *limits = &t->door->settings->http;
    json_t *value = NULL;

    if ((int64_t)t->request->length > limits->event_bytes) {
        error_set(&t->err, ERROR_INPUT, "an event may have %lld bytes", (long long)limits->event_bytes);
        t->status = TOO_LARGE;
    } else if (!(value = json_text_parse(t->request->body, t->request->length, (int)limits->depth, &t->err))) {
        t->status = BAD_REQUEST;
    }
    return value;
}

static bool add_object(struct taking *t)
{
    const char *key = t->request->idempotency_key;
    json_t *object = parse_one(t);

    if (!object)
        return false;
    if (key && json_object_get(object, "event_type") && !json_object_get(object, "id"))
        json_object_set_new(object, "id", json_string(key));
    intake_add_json(t->intake, object);
    json_decref(object);
    return true;
}

static bool add_binary(struct taking *t)
{
    const struct events_request *r = t->request;
    struct event e;
    json_t *data = NULL;

    if (r->length > 0 && !(data = parse_one(t)))
        return false;
    if (!binary_read(&e, r->headers, r->header_count, intake_arena(t->intake), &t->err) ||
        !envelope_admitted(&e, &t->err)) {
        json_decref(data);
        return refuse_all(t, BAD_REQUEST);
    }
    intake_add_event(t->intake, &e, data);
    return true;
}

static bool add_all(struct taking *t)
{
    const char *first = skip_blanks(t->request->body, t->end);
    bool array = first < t->end && *first == '[';

    if (t->request->form == FORM_LINES) {
        t->place = "line";
        return add_lines(t);
    }
    if (t->request->form == FORM_BINARY)
        return add_binary(t);
    if (t->request->form == FORM_BATCH && !array) {
        error_set(&t->err, ERROR_INPUT, "a batch must be a JSON array");
        return refuse_all(t, BAD_REQUEST);
    }
    if (!array || t->request->form == FORM_STRUCTURED)
        return add_object(t);
    t->place = "byte";
    return add_elements(t, first);
}

/* --------------------------------------------------------------------------------------------------- the answer */

void events_door_init(struct events_door *d, const struct settings *settings)
{
    d->settings = settings;
    for (size_t i = 0; i < ARRAY_LENGTH(d->outcomes); i++) {
        struct buf labels = BUF_INIT;

        counter_label(&labels, "outcome", intake_outcome_name((enum intake_outcome)i));
        d->outcomes[i] =
            counter_get(COUNTER_TOTAL, "crier_door_events_total", "Events that came by HTTP, by outcome.", labels.data);
        buf_release(&labels);
    }
}

static void add_reason(const struct taking *t, size_t i, const char *reason, struct buf *reply)
{
    struct buf text = BUF_INIT;

    if (t->place)
        buf_printf(&text, "%s %zu: ", t->place, t->places[i]);
    buf_add_text(&text, t->request->form == FORM_LINES ? line_reason(reason) : reason);
    buf_add_text(reply, ",\"error\":");
    buf_add_json(reply, text.data, text.length);
    buf_release(&text);
}

static void add_result(const struct taking *t, size_t i, const struct intake_result *result, struct buf *reply)
{
    buf_add_text(reply, "{\"id\":");
    buf_add_json_text(reply, result->id);
    buf_add_text(reply, ",\"outcome\":\"");
    buf_add_text(reply, intake_outcome_name(result->outcome));
    buf_add_char(reply, '"');
    if (result->outcome == INTAKE_DUPLICATE)
        buf_add_text(reply, ",\"duplicate\":true");
    if (result->reason)
        add_reason(t, i, result->reason, reply);
    buf_add_char(reply, '}');
}

static void add_results(const struct taking *t, const struct intake_result *results, size_t count, struct buf *reply)
{
    if (t->place)
        buf_add_char(reply, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(reply, ',');
        add_result(t, i, &results[i], reply);
    }
    buf_add_text(reply, t->place ? "]\n" : "\n");
}

static void say_turned_away(const struct intake_result *results, size_t count)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    for (size_t i = 0; i < count; i++)
        if (results[i].outcome == INTAKE_UNAVAILABLE) {
            log_limited(&limit, LOG_LEVEL_WARN, "events are turned away (503): %s", results[i].reason);
            return;
        }
}

/* 503 as soon as one event has to come again: the sender repeats the whole, and what was taken is then a duplicate. */
static unsigned answer(struct taking *t, struct buf *reply)
{
    const struct intake_result *results = intake_send(t->intake);
    size_t count = intake_count(t->intake), counts[INTAKE_UNAVAILABLE + 1] = {0};

    add_results(t, results, count, reply);
    for (size_t i = 0; i < count; i++)
        counts[results[i].outcome]++;
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
        counter_add(t->door->outcomes[i], (int64_t)counts[i]);
    if (counts[INTAKE_UNAVAILABLE] > 0) {
        say_turned_away(results, count);
        return UNAVAILABLE;
    }
    return count > 0 && counts[INTAKE_REFUSED] == count ? BAD_REQUEST : ACCEPTED;
}

static unsigned refusal(struct taking *t, struct buf *reply)
{
    buf_add_text(reply, "{\"error\":");
    buf_add_json_text(reply, t->err.text);
    buf_add_text(reply, "}\n");
    counter_add(t->door->outcomes[INTAKE_REFUSED], 1);
    return t->status;
}

unsigned events_take(struct events_door *d, struct intake *in, const struct events_request *request, struct buf *reply)
{
    struct taking t = {.door = d, .intake = in, .request = request, .end = request->body + request->length};
    unsigned status;

    intake_start(in);
    status = add_all(&t) ? answer(&t, reply) : refusal(&t, reply);
    free(t.places);
    return status;
}
