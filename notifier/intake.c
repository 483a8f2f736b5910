#include "notifier/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "notifier/append.h"
#include "notifier/envelope.h"
#include "notifier/personal.h"
#include "notifier/prepare.h"
#include "notifier/salt.h"
#include "notifier/unique.h"

enum {
    AWAY_MS = 1000,             /* how long a Redis that failed is not asked again: no request waits for it meanwhile */
    SCRATCH_KEPT_BYTES = 65536, /* from one batch to the next */
};

/* What an [event] section of the configuration asks for. */
struct section {
    const struct event_settings *settings;
    struct prepare *prepare;
    struct unique *unique;
};

struct intake {
    const struct settings *settings;
    bool checking; /* nothing reaches Redis */
    struct redis *redis;
    struct append *append;
    struct section *sections;
    struct unique *plain; /* of types without a section */
    struct salt *salt;    /* for ids of events that come without one */
    struct arena *arena;
    struct buf scratch;
    struct intake_result *results;
    const struct event **events; /* those to be appended, and which result is whose */
    size_t *result_of;
    enum append_outcome *outcomes;
    size_t count, event_count, room;
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

static bool section_open(struct intake *in, struct section *section, const struct event_settings *es, struct error *err)
{
    section->settings = es;
    section->unique = unique_new(&(struct unique_options){es->unique, es->clicks, (enum id_form)es->id}, err);
    if (!section->unique)
        return error_in(err, "[event %s]", es->type);
    section->prepare = prepare_new(es, personal_counted(in->settings, span_of(es->type)), in->redis, err);
    return section->prepare != NULL;
}

static struct intake *open_intake(const struct settings *settings, bool checking, struct error *err)
{
    struct intake *in = xcalloc(1, sizeof *in);
    bool ok;

    in->settings = settings;
    in->checking = checking;
    in->arena = arena_new();
    buf_init(&in->scratch);
    if (!checking)
        in->redis = settings_redis(settings);
    in->append = append_new(settings, in->redis);
    in->plain = unique_new(&(struct unique_options){"", "", ID_DIGEST}, err);
    in->salt = salt_new(in->redis);
    in->sections = xcalloc(settings->event_count, sizeof *in->sections);
    ok = in->plain != NULL;
    for (size_t i = 0; ok && i < settings->event_count; i++)
        ok = section_open(in, &in->sections[i], &settings->events[i], err);
    if (!ok) {
        intake_free(in);
        return NULL;
    }
    return in;
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
    for (size_t i = 0; i < in->settings->event_count; i++) {
        prepare_free(in->sections[i].prepare);
        unique_free(in->sections[i].unique);
    }
    free(in->sections);
    unique_free(in->plain);
    salt_free(in->salt);
    append_free(in->append);
    redis_free(in->redis);
    free(in->results);
    free(in->events);
    free(in->result_of);
    free(in->outcomes);
    buf_release(&in->scratch);
    arena_free(in->arena);
    free(in);
}

/* --------------------------------------------------------------------------------------------- event by event */

void intake_start(struct intake *in)
{
    arena_reset(in->arena);
    buf_trim(&in->scratch, SCRATCH_KEPT_BYTES);
    in->count = 0;
    in->event_count = 0;
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

static const struct section *section_of(const struct intake *in, struct span type)
{
    for (size_t i = 0; i < in->settings->event_count; i++)
        if (span_is(type, in->sections[i].settings->type))
            return &in->sections[i];
    return NULL;
}

/* Always false. */
static bool fail(struct intake *in, struct intake_result *result, const struct error *err)
{
    if (err->kind == ERROR_AGAIN)
        note_away(in, err);
    conclude(in, result, err->kind == ERROR_AGAIN ? INTAKE_UNAVAILABLE : INTAKE_REFUSED, err->text);
    return false;
}

/* Of personal data the id is made under the day's salt: from a mere digest an address could be found by trying all. */
static bool name(struct intake *in, struct intake_result *result, struct event *e, const json_t *data)
{
    struct error err = ERROR_INIT;
    struct keyed_hash *key = NULL;

    if (e->id.length > 0)
        return true;
    if (personal_in(data) && !(key = salt_of(in->salt, e->time_us, &err)))
        return fail(in, result, &err);
    envelope_name(e, data, key, in->arena);
    result->id = e->id.text;
    return true;
}

static bool prepare(struct intake *in, struct intake_result *result, struct prepare *p, const struct event *e,
                    json_t *data)
{
    static const enum intake_outcome outcomes[] = {
        [PREPARED_KEEP] = INTAKE_ACCEPTED,   [PREPARED_ROBOT] = INTAKE_ROBOT,     [PREPARED_MACHINE] = INTAKE_MACHINE,
        [PREPARED_IGNORED] = INTAKE_IGNORED, [PREPARED_PREVIEW] = INTAKE_PREVIEW, [PREPARED_FAILED] = INTAKE_REFUSED,
    };
    struct error err = ERROR_INIT;
    enum prepared verdict = prepare_apply(p, e, data, &err);

    if (verdict == PREPARED_FAILED)
        return fail(in, result, &err);
    result->outcome = outcomes[verdict];
    return verdict == PREPARED_KEEP;
}

static struct span keep_text(struct intake *in, const char *text)
{
    size_t length = strlen(text);

    return length > 0 ? (struct span){arena_copy(in->arena, text, length), length} : SPAN_NONE;
}

/* Preparation and unique id, which complete the event; who did it is as personal as what the preparation takes out.
 * False: the result has its outcome. */
static bool complete(struct intake *in, struct intake_result *result, struct event *e, json_t *data)
{
    const struct section *section = section_of(in, e->type);
    struct unique *unique = section ? section->unique : in->plain;
    char id[UNIQUE_TEXT_BYTES], click[ID_TEXT_BYTES];
    struct error err = ERROR_INIT;

    if (section && data && !prepare(in, result, section->prepare, e, data))
        return false;
    if (!section && data && personal_counted(in->settings, e->type))
        personal_strip(data);
    if (section && section->settings->prepare[0])
        e->actor = SPAN_NONE;
    if (!unique_id(unique, e, data, id, &err) || !unique_click(unique, e, data, click, &err))
        return fail(in, result, &err);
    e->unique = keep_text(in, id);
    e->click = keep_text(in, click);
    e->latest_wins = unique_latest_wins(unique);
    return true;
}

static bool write_data(struct intake *in, struct intake_result *result, struct event *e, const json_t *data)
{
    char reason[80];

    if (!data)
        return true;
    buf_reset(&in->scratch);
    json_add(&in->scratch, data);
    if ((int64_t)in->scratch.length > in->settings->http.event_bytes) {
        snprintf(reason, sizeof reason, "data is longer than %lld bytes", (long long)in->settings->http.event_bytes);
        conclude(in, result, INTAKE_REFUSED, reason);
        return false;
    }
    e->data = (struct span){arena_copy(in->arena, in->scratch.data, in->scratch.length), in->scratch.length};
    return true;
}

/* From a whole envelope on; data is borrowed and changed by its preparation. */
static void take_event(struct intake *in, struct intake_result *result, struct event *e, json_t *data)
{
    result->id = e->id.text;
    if (!append_wanted(in->append, e->type)) {
        result->outcome = INTAKE_NOT_WANTED;
    } else if (away(in)) {
        conclude(in, result, INTAKE_UNAVAILABLE, in->away_reason);
    } else if (name(in, result, e, data) && complete(in, result, e, data) && write_data(in, result, e, data)) {
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

const struct intake_result *intake_send(struct intake *in)
{
    struct error err = ERROR_INIT;

    if (in->checking || in->event_count == 0)
        return in->results;
    if (away(in)) {
        for (size_t i = 0; i < in->event_count; i++)
            in->outcomes[i] = APPEND_UNKNOWN;
        memcpy(err.text, in->away_reason, sizeof err.text);
    } else if (!append_events(in->append, in->events, in->event_count, in->outcomes, &err)) {
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
