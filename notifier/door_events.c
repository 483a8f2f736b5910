#include "notifier/door_events.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_cut.h"
#include "base/log.h"
#include "notifier/envelope.h"
#include "notifier/lines.h"
#include "notifier/notification.h"
#include "notifier/operation/operations.h"

enum { ACCEPTED = 202, BAD_REQUEST = 400, TOO_LARGE = 413, UNAVAILABLE = 503 };

/* One request on its way through. */
struct taking {
    struct events_door *door;
    struct intake *intake;
    const struct events_request *request;
    const char *end;   /* of the body */
    bool several;      /* the answer is an array */
    const char *place; /* what tells the events of a body apart: "line", "byte"; NULL: they tell it themselves */
    size_t *places;    /* the number of that line or byte, of each event */
    size_t count, room;
    unsigned status; /* of a body refused as a whole */
    struct error err;
};

static bool refuse_all(struct taking *t, unsigned status)
{
    t->status = status;
    return false;
}

/* ---------------------------------------------------------------------------------------------------- the form */

static bool media_type_is(const char *content_type, const char *name)
{
    size_t length = strcspn(content_type, ";");

    while (length > 0 && (content_type[length - 1] == ' ' || content_type[length - 1] == '\t'))
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

/* Room for the place of one more event. False: there are more than a batch may have. */
static bool add_place(struct taking *t, size_t place)
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
    return true;
}

/* Each record of a notification is an event with the notification's place. */
static bool add_records(struct taking *t, size_t place, struct notification *n)
{
    while (notification_add(n, t->intake))
        if (!add_place(t, place))
            return false;
    return true;
}

/* Adds one of several. False: there are more than a batch may have. */
static bool add_one(struct taking *t, size_t place, struct span text)
{
    struct notification notification;
    struct error err = ERROR_INIT;

    if (!notification_is(text)) {
        intake_add_text(t->intake, text.text, text.length);
    } else if (notification_read(text, (int)t->door->settings->http.depth, intake_arena(t->intake), &notification,
                                 &err)) {
        return add_records(t, place, &notification);
    } else {
        intake_add_refused(t->intake, err.text);
    }
    return add_place(t, place);
}

static bool add_lines(struct taking *t)
{
    const char *line = t->request->body;

    for (size_t number = 1; line < t->end; number++) {
        const char *feed = memchr(line, '\n', (size_t)(t->end - line));
        const char *line_end = feed ? feed : t->end;

        line = json_skip_blanks(line, line_end);
        if (line < line_end && !add_one(t, number, (struct span){line, (size_t)(line_end - line)}))
            return false;
        line = feed ? feed + 1 : t->end;
    }
    return true;
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

static bool add_elements(struct taking *t, struct span body)
{
    enum json_cut_step step;
    struct json_cut cut;
    struct span one;

    json_cut_start(&cut, body, '[');
    while ((step = json_cut_next(&cut, &one)) == JSON_CUT_ONE)
        if (!add_one(t, (size_t)(one.text - t->request->body) + 1, one))
            return false;
    return (step == JSON_CUT_END && json_cut_is_all(&cut)) || misplaced(t, cut.at);
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

/* The whole body is one notification. */
static bool add_notification(struct taking *t, struct span body)
{
    struct notification notification;

    if (!notification_read(body, (int)t->door->settings->http.depth, intake_arena(t->intake), &notification, &t->err))
        return refuse_all(t, BAD_REQUEST);
    t->several = true;
    return add_records(t, 0, &notification);
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
    struct span body = {t->request->body, t->request->length};
    const char *first = json_skip_blanks(body.text, t->end);
    bool array = first < t->end && *first == '[';

    if (t->request->form == FORM_LINES) {
        t->place = "line";
        t->several = true;
        return add_lines(t);
    }
    if (t->request->form == FORM_BINARY)
        return add_binary(t);
    if (t->request->form == FORM_BATCH && !array) {
        error_set(&t->err, ERROR_INPUT, "a batch must be a JSON array");
        return refuse_all(t, BAD_REQUEST);
    }
    if (t->request->form == FORM_JSON && notification_is(body))
        return add_notification(t, body);
    if (!array || t->request->form == FORM_STRUCTURED)
        return add_object(t);
    t->place = "byte";
    t->several = true;
    return add_elements(t, body);
}

/* --------------------------------------------------------------------------------------------------- the answer */

void events_door_init(struct events_door *d, const struct settings *settings)
{
    d->settings = settings;
    for (size_t i = 0; i < ARRAY_LENGTH(d->outcomes); i++)
        d->outcomes[i] = counter_with(COUNTER_TOTAL, "crier_door_events_total", "Events that came by HTTP, by outcome.",
                                      "outcome", intake_outcome_name((enum intake_outcome)i), NULL);
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
    if (t->several)
        buf_add_char(reply, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(reply, ',');
        add_result(t, i, &results[i], reply);
    }
    if (t->several)
        buf_add_char(reply, ']');
}

/* With an operation of all, as {"operation":...,"events":[...]}. */
static void add_operation_results(struct taking *t, const struct intake_result *results, size_t count,
                                  struct buf *reply)
{
    struct span id = intake_operation(t->intake);

    buf_add_text(reply, "{\"operation\":");
    if (id.length)
        buf_add_json(reply, id.text, id.length);
    else
        buf_add_text(reply, "null");
    buf_add_text(reply, ",\"events\":");
    t->several = true;
    add_results(t, results, count, reply);
    buf_add_char(reply, '}');
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

    if (t->request->operation)
        add_operation_results(t, results, count, reply);
    else
        add_results(t, results, count, reply);
    buf_add_char(reply, '\n');
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

static bool take_operation(struct taking *t)
{
    const char *id = t->request->operation;

    if (!id)
        return true;
    if (strcmp(id, "new") != 0 && !operation_id_check(id, &t->err))
        return refuse_all(t, BAD_REQUEST);
    intake_operate(t->intake, strcmp(id, "new") == 0 ? "" : id);
    return true;
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
    intake_admit(in, request->admitted);
    if (request->hurries)
        intake_hurry(in);
    status = take_operation(&t) && add_all(&t) ? answer(&t, reply) : refusal(&t, reply);
    free(t.places);
    return status;
}
