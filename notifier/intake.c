#include "notifier/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "notifier/append.h"
#include "notifier/completion.h"
#include "notifier/envelope.h"
#include "notifier/operation/operations.h"
#include "notifier/pattern.h"

enum { AWAY_MS = 1000 /* how long a Redis that failed is not asked again: no request waits for it meanwhile */ };

struct intake {
    const struct settings *settings;
    bool checking; /* nothing reaches Redis */
    struct redis *redis;
    struct append *append;
    struct completion *completion;
    struct arena *arena;
    struct intake_result *results;
    const struct event **events; /* those to be appended, and which result is whose */
    size_t *result_of;
    enum append_outcome *outcomes;
    size_t count, event_count, room;
    const char *admitted;  /* patterns of types; lent */
    struct span operation; /* of all events */
    bool one_operation;    /* "": the first event's, or a new one */
    enum stream_place place;
    int64_t away_until_ms;
    char away_reason[sizeof((struct error *)0)->text];
};

static const char *const outcome_names[] = {
    [INTAKE_ACCEPTED] = "accepted",     [INTAKE_DUPLICATE] = "duplicate", [INTAKE_ROBOT] = "robot",
    [INTAKE_MACHINE] = "machine",       [INTAKE_IGNORED] = "ignored",     [INTAKE_PREVIEW] = "preview",
    [INTAKE_NOT_WANTED] = "not_wanted", [INTAKE_REFUSED] = "refused",     [INTAKE_UNAVAILABLE] = "unavailable",
};

const char *intake_outcome_name(enum intake_outcome o)
{
    return outcome_names[o];
}

/* ------------------------------------------------------------------------------------------- made at the start */

static struct intake *open_intake(const struct settings *settings, bool checking, struct error *err)
{
    struct intake *in = xcalloc(1, sizeof *in);

    in->settings = settings;
    in->checking = checking;
    in->arena = arena_new();
    in->admitted = "";
    if (!checking)
        in->redis = settings_redis(settings);
    in->append = append_new(settings, in->redis);
    in->completion = completion_new(settings, in->redis, err);
    if (in->completion)
        return in;
    intake_free(in);
    return NULL;
}

struct intake *intake_new(const struct settings *settings, struct error *err)
{
    return open_intake(settings, false, err);
}

struct intake *intake_new_checking(const struct settings *settings, struct error *err)
{
    return open_intake(settings, true, err);
}

void intake_free(struct intake *in)
{
    if (!in)
        return;
    completion_free(in->completion);
    append_free(in->append);
    redis_free(in->redis);
    free(in->results);
    free(in->events);
    free(in->result_of);
    free(in->outcomes);
    arena_free(in->arena);
    free(in);
}

/* --------------------------------------------------------------------------------------------- event by event */

void intake_start(struct intake *in)
{
    arena_reset(in->arena);
    in->count = 0;
    in->event_count = 0;
    in->admitted = "";
    in->one_operation = false;
    in->place = STREAM_TAIL;
    in->operation = SPAN_NONE;
}

void intake_admit(struct intake *in, const char *patterns)
{
    in->admitted = patterns ? patterns : "";
}

void intake_operate(struct intake *in, const char *id)
{
    in->one_operation = true;
    in->operation = *id ? span_of(arena_text(in->arena, id)) : SPAN_NONE;
}

struct span intake_operation(const struct intake *in)
{
    return in->operation;
}

void intake_hurry(struct intake *in)
{
    in->place = STREAM_HEAD;
}

struct arena *intake_arena(struct intake *in)
{
    return in->arena;
}

size_t intake_count(const struct intake *in)
{
    return in->count;
}

static struct intake_result *add_result(struct intake *in)
{
    struct intake_result *result;

    if (in->count == in->room) {
        in->room = in->room ? 2 * in->room : 64;
        in->results = xrealloc(in->results, in->room * sizeof *in->results);
        in->events = xrealloc(in->events, in->room * sizeof(const struct event *));
        in->result_of = xrealloc(in->result_of, in->room * sizeof *in->result_of);
        in->outcomes = xrealloc(in->outcomes, in->room * sizeof *in->outcomes);
    }
    result = &in->results[in->count++];
    *result = (struct intake_result){INTAKE_ACCEPTED, "", NULL};
    return result;
}

static void conclude(struct intake *in, struct intake_result *result, enum intake_outcome outcome, const char *reason)
{
    result->outcome = outcome;
    result->reason = arena_text(in->arena, reason);
}

/* Redis failed: for a while nothing is tried, so that a sender of many events does not wait for each. */
static void note_away(struct intake *in, const struct error *err)
{
    in->away_until_ms = clock_monotonic_ms() + AWAY_MS;
    memcpy(in->away_reason, err->text, sizeof in->away_reason);
}

static bool away(const struct intake *in)
{
    return in->away_until_ms > 0 && clock_monotonic_ms() < in->away_until_ms;
}

/* False: the result has its outcome. */
static bool complete(struct intake *in, struct intake_result *result, struct event *e, json_t *data)
{
    static const enum intake_outcome outcomes[] = {
        [PREPARED_KEEP] = INTAKE_ACCEPTED,   [PREPARED_ROBOT] = INTAKE_ROBOT,     [PREPARED_MACHINE] = INTAKE_MACHINE,
        [PREPARED_IGNORED] = INTAKE_IGNORED, [PREPARED_PREVIEW] = INTAKE_PREVIEW, [PREPARED_FAILED] = INTAKE_REFUSED,
    };
    struct error err = ERROR_INIT;
    enum prepared verdict = completion_apply(in->completion, e, data, in->arena, &err);

    result->id = e->id.text;
    result->outcome = outcomes[verdict];
    if (verdict == PREPARED_FAILED && err.kind == ERROR_AGAIN)
        note_away(in, &err);
    if (verdict == PREPARED_FAILED)
        conclude(in, result, err.kind == ERROR_AGAIN ? INTAKE_UNAVAILABLE : INTAKE_REFUSED, err.text);
    return verdict == PREPARED_KEEP;
}

/* Gives the event the operation of all, or the other way round. False: it has another. */
static bool operate(struct intake *in, struct event *e)
{
    char id[OPERATION_ID_BYTES];

    if (!in->one_operation)
        return true;
    if (in->operation.length == 0) {
        operation_name(id);
        in->operation = e->operation.length ? e->operation : span_of(arena_text(in->arena, id));
    }
    if (e->operation.length == 0)
        e->operation = in->operation;
    return e->operation.length == in->operation.length &&
           memcmp(e->operation.text, in->operation.text, e->operation.length) == 0;
}

/* From a whole envelope on; data is borrowed and changed by its preparation. */
static void take_event(struct intake *in, struct intake_result *result, struct event *e, json_t *data)
{
    result->id = e->id.text;
    if (in->admitted[0] && !patterns_match(in->admitted, e->type)) {
        conclude(in, result, INTAKE_REFUSED, "the sender's token does not admit events of this type");
    } else if (!operate(in, e)) {
        conclude(in, result, INTAKE_REFUSED, "it belongs to another operation than what is sent with it");
    } else if (!append_wanted(in->append, e->type)) {
        result->outcome = INTAKE_NOT_WANTED;
    } else if (away(in)) {
        conclude(in, result, INTAKE_UNAVAILABLE, in->away_reason);
    } else if (complete(in, result, e, data)) {
        struct event *kept = arena_alloc(in->arena, sizeof *kept);

        *kept = *e;
        in->events[in->event_count] = kept;
        in->result_of[in->event_count++] = (size_t)(result - in->results);
    }
}

void intake_add_refused(struct intake *in, const char *reason)
{
    conclude(in, add_result(in), INTAKE_REFUSED, reason);
}

void intake_add_event(struct intake *in, struct event *e, json_t *data)
{
    struct intake_result *result = add_result(in);

    result->id = e->id.text;
    if (data && !json_is_object(data))
        conclude(in, result, INTAKE_REFUSED, "data must be a JSON object");
    else
        take_event(in, result, e, data);
    json_decref(data);
}

/* The id of an event that is refused, where it has one worth repeating. */
static const char *refused_id(struct intake *in, const json_t *object)
{
    const char *id = json_member_text(object, "id", "");

    return strlen(id) <= 512 ? arena_text(in->arena, id) : "";
}

void intake_add_json(struct intake *in, const json_t *object)
{
    struct intake_result *result = add_result(in);
    struct error err = ERROR_INIT;
    struct event e;
    json_t *data;

    if (envelope_read(object, in->arena, &e, &data, &err) && envelope_admitted(&e, &err)) {
        take_event(in, result, &e, data);
    } else {
        result->id = refused_id(in, object);
        conclude(in, result, INTAKE_REFUSED, err.text);
    }
    json_decref(data);
}

void intake_add_text(struct intake *in, const char *bytes, size_t length)
{
    struct error err = ERROR_INIT;
    json_t *object = NULL;

    if ((int64_t)length > in->settings->http.event_bytes)
        error_set(&err, ERROR_INPUT, "longer than %lld bytes", (long long)in->settings->http.event_bytes);
    else
        object = json_text_parse(bytes, length, (int)in->settings->http.depth, &err);
    if (object)
        intake_add_json(in, object);
    else
        intake_add_refused(in, err.text);
    json_decref(object);
}

/* ----------------------------------------------------------------------------------------------- all in one go */

static enum intake_outcome outcome_of(enum append_outcome o)
{
    switch (o) {
    case APPEND_NEW:
        return INTAKE_ACCEPTED;
    case APPEND_DUPLICATE:
        return INTAKE_DUPLICATE;
    case APPEND_NO_QUEUE:
        return INTAKE_NOT_WANTED;
    case APPEND_UNKNOWN:
        break;
    }
    return INTAKE_UNAVAILABLE;
}

/* An event that was there before is not waited for under an operation that is not its own. */
static bool append_all(struct intake *in, struct error *err)
{
    bool *made = arena_alloc(in->arena, in->event_count * sizeof *made);
    struct error forgotten;
    bool ok;

    for (size_t i = 0; i < in->event_count; i++)
        in->outcomes[i] = APPEND_UNKNOWN;
    ok = operations_expect(in->redis, in->settings, in->events, in->event_count, made, err) &&
         append_events_at(in->append, in->place, in->events, in->event_count, in->outcomes, err);
    for (size_t i = 0; ok && i < in->event_count; i++)
        if (in->outcomes[i] == APPEND_DUPLICATE && made[i] &&
            !operations_forget(in->redis, in->settings, in->events[i], &forgotten))
            break; /* it waits in vain, until it is forgotten anyway */
    return ok;
}

const struct intake_result *intake_send(struct intake *in)
{
    struct error err = ERROR_INIT;

    if (in->checking || in->event_count == 0)
        return in->results;
    if (away(in)) {
        for (size_t i = 0; i < in->event_count; i++)
            in->outcomes[i] = APPEND_UNKNOWN;
        memcpy(err.text, in->away_reason, sizeof err.text);
    } else if (!append_all(in, &err)) {
        note_away(in, &err);
    }
    for (size_t i = 0; i < in->event_count; i++) {
        struct intake_result *result = &in->results[in->result_of[i]];

        result->outcome = outcome_of(in->outcomes[i]);
        if (result->outcome == INTAKE_UNAVAILABLE)
            conclude(in, result, INTAKE_UNAVAILABLE, err.text);
    }
    in->event_count = 0;
    return in->results;
}
