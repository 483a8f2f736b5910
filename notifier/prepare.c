#include "notifier/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "notifier/agent_class.h"
#include "notifier/agents.h"
#include "notifier/country.h"
#include "notifier/networks.h"
#include "notifier/personal.h"
#include "notifier/preview.h"
#include "notifier/visitor.h"

enum step {
    STEP_IGNORE,
    STEP_PREVIEWS,
    STEP_ROBOTS,
    STEP_MACHINES,
    STEP_VIA_API,
    STEP_COUNTRY,
    STEP_VISITOR,
    STEP_RECORD_ID,
    STEP_FILE_ID,
    STEP_TIMESTAMP,
    STEPS
};

static const char *const step_names[STEPS] = {"ignore",  "previews", "robots",    "machines", "via-api",
                                              "country", "visitor",  "record-id", "file-id",  "timestamp"};

struct prepare {
    const struct event_settings *settings; /* NULL: a type without section */
    enum step steps[STEPS];                /* in the order they are done */
    size_t count;
    bool strip;
    struct span *fields; /* that are kept, where any are named */
    size_t field_count;
    struct agents *agents;     /* NULL: no step asks for it, as for all that follow */
    struct agent agent;        /* whose event is at hand */
    struct networks *networks; /* never counted */
    struct country *country;
    struct visitor *visitor;
    struct buf text, scratch;
};

/* ------------------------------------------------------------------------------------------------- the steps */

static bool step_find(const char *word, size_t length, enum step *out, struct error *err)
{
    char name[32] = "";
    const char *nearest;

    for (size_t i = 0; i < STEPS; i++)
        if (span_is((struct span){word, length}, step_names[i])) {
            *out = (enum step)i;
            return true;
        }
    memcpy(name, word, length < sizeof name ? length : sizeof name - 1);
    nearest = text_nearest(name, step_names, STEPS);
    return error_set(err, ERROR_CONFIG,
                     "\"%s\" is no step; the steps are ignore, previews, robots, machines, via-api, country, visitor, "
                     "record-id, file-id and timestamp%s%s%s",
                     name, nearest ? "; perhaps " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static bool read_steps(const char *text, enum step steps[STEPS], size_t *count, struct error *err)
{
    const char *word;
    size_t length;

    *count = 0;
    while (text_word(&text, &word, &length)) {
        enum step step = STEP_IGNORE;

        if (!step_find(word, length, &step, err))
            return false;
        for (size_t i = 0; i < *count; i++)
            if (steps[i] == step)
                return error_set(err, ERROR_CONFIG, "%s stands there twice", step_names[step]);
        steps[(*count)++] = step;
    }
    return true;
}

bool prepare_check(const char *text, struct error *err)
{
    enum step steps[STEPS];
    size_t count;

    return read_steps(text, steps, &count, err);
}

/* ------------------------------------------------------------------------------------------------ in use */

static bool has_step(const enum step *steps, size_t count, enum step step)
{
    for (size_t i = 0; i < count; i++)
        if (steps[i] == step)
            return true;
    return false;
}

/* What the steps ask of a user agent; its class is kept for the questions that a later list may answer otherwise. */
static unsigned questions_of(const struct event_settings *es, const enum step *steps, size_t count)
{
    unsigned all = es->agent_class ? AGENTS_ROBOTS | AGENTS_MACHINES : 0;

    all |= has_step(steps, count, STEP_ROBOTS) ? AGENTS_ROBOTS : 0;
    all |= has_step(steps, count, STEP_MACHINES) ? AGENTS_MACHINES : 0;
    all |= has_step(steps, count, STEP_IGNORE) ? AGENTS_IGNORED : 0;
    return all;
}

bool prepare_files_check(const void *event_settings, struct error *err)
{
    const struct event_settings *es = event_settings;
    enum step steps[STEPS];
    size_t count;

    if (!read_steps(es->prepare, steps, &count, err) || !agents_files_check(es, questions_of(es, steps, count), err))
        return false;
    if (has_step(steps, count, STEP_COUNTRY) && *es->country_file && access(es->country_file, R_OK) != 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", es->country_file, strerror(errno));
    return true;
}

static bool open_steps(struct prepare *p, const struct event_settings *es, struct redis *redis, struct error *err)
{
    unsigned questions = questions_of(es, p->steps, p->count);

    if (questions && !(p->agents = agents_new(es, questions, err)))
        return false;
    if (has_step(p->steps, p->count, STEP_IGNORE) && !(p->networks = networks_new(es->ignore_networks, err)))
        return false;
    if (has_step(p->steps, p->count, STEP_COUNTRY) && *es->country_file &&
        !(p->country = country_new(es->country_file, err)))
        return false;
    if (has_step(p->steps, p->count, STEP_VISITOR))
        p->visitor = visitor_new(redis, (enum visitor_form)es->visitor);
    return true;
}

static void read_fields(struct prepare *p, const char *fields)
{
    struct span word;

    while (text_word(&fields, &word.text, &word.length)) {
        p->fields = xrealloc(p->fields, (p->field_count + 1) * sizeof *p->fields);
        p->fields[p->field_count++] = word;
    }
}

struct prepare *prepare_new(const struct event_settings *es, bool strip, struct redis *redis, struct error *err)
{
    struct prepare *p = xcalloc(1, sizeof *p);

    p->settings = es;
    buf_init(&p->text);
    buf_init(&p->scratch);
    if (!es || (read_steps(es->prepare, p->steps, &p->count, err) && open_steps(p, es, redis, err))) {
        p->strip = strip || p->count > 0;
        if (es)
            read_fields(p, es->fields);
        return p;
    }
    error_in(err, "[event %s]", es->type);
    prepare_free(p);
    return NULL;
}

void prepare_free(struct prepare *p)
{
    if (!p)
        return;
    agents_free(p->agents);
    networks_free(p->networks);
    country_free(p->country);
    visitor_free(p->visitor);
    buf_release(&p->text);
    buf_release(&p->scratch);
    free(p->fields);
    free(p);
}

/* An event without a user agent is nobody's robot; one with an empty user agent is, as the list itself says. */
static struct agent judge(struct prepare *p, const json_t *data)
{
    const json_t *agent = p->agents ? json_object_get(data, "user_agent") : NULL;

    return json_is_string(agent) ? agents_judge(p->agents, json_string_value(agent), json_string_length(agent))
                                 : (struct agent){false, false, false};
}

static void set_truth(json_t *data, const char *key, bool truth)
{
    json_object_set_new_nocheck(data, key, json_boolean(truth));
}

static void set_text(json_t *data, const char *key, const char *text, size_t length)
{
    json_object_set_new_nocheck(data, key, json_stringn_nocheck(text, length));
}

static enum prepared ignore(struct prepare *p, const json_t *data)
{
    struct address address;
    bool known = address_read(json_member_text(data, "ip_address", ""), &address);

    return p->agent.ignored || (known && networks_hold(p->networks, &address)) ? PREPARED_IGNORED : PREPARED_KEEP;
}

static enum prepared tell_robots(struct prepare *p, json_t *data)
{
    if (p->agent.robot && p->settings->robots == LIST_DROP)
        return PREPARED_ROBOT;
    set_truth(data, "is_robot", p->agent.robot);
    return PREPARED_KEEP;
}

static enum prepared tell_machines(struct prepare *p, json_t *data)
{
    if (p->agent.machine && p->settings->machines == LIST_DROP)
        return PREPARED_MACHINE;
    set_truth(data, "is_machine", p->agent.machine);
    return PREPARED_KEEP;
}

/* Whether a member is true, or a number or text that says so. */
static bool truth_of(const json_t *data, const char *key)
{
    static const char *const untrue[] = {"", "0", "false", "no"};
    const json_t *value = json_object_get(data, key);

    if (!json_is_string(value))
        return json_is_true(value) || (json_is_number(value) && json_number_value(value) != 0);
    for (size_t i = 0; i < ARRAY_LENGTH(untrue); i++)
        if (strcasecmp(json_string_value(value), untrue[i]) == 0)
            return false;
    return true;
}

static void set_country(struct prepare *p, json_t *data)
{
    const char *address = json_member_text(data, "ip_address", "");
    char code[COUNTRY_TEXT_BYTES];

    if (!*address)
        return;
    if (p->country && country_of(p->country, address, code))
        set_text(data, "country", code, COUNTRY_TEXT_BYTES - 1);
    else
        json_object_set_new_nocheck(data, "country", json_null());
}

/* Adds a member's text to p->text; an event without it cannot be counted. */
static bool add_part(struct prepare *p, const json_t *data, const char *key, struct error *err)
{
    const json_t *value = json_object_get(data, key);
    const char *text = json_is_boolean(value) ? NULL : json_scalar_text(value, &p->scratch);

    if (!text || !*text)
        return error_set(err, ERROR_INPUT, "data.%s, part of unique_id, is %s", key,
                         value && !json_is_null(value) ? "no text or number" : "missing");
    buf_add_text(&p->text, text);
    return true;
}

static enum prepared set_unique_id(struct prepare *p, json_t *data, enum step step, struct error *err)
{
    bool ok;

    buf_reset(&p->text);
    if (step == STEP_RECORD_ID) {
        buf_add_text(&p->text, truth_of(data, "via_api") ? "api_" : "ui_");
        ok = add_part(p, data, "recid", err);
    } else {
        ok = add_part(p, data, "bucket_id", err);
        buf_add_char(&p->text, '_');
        ok = ok && add_part(p, data, "file_id", err);
    }
    if (ok)
        set_text(data, "unique_id", p->text.data, p->text.length);
    return ok ? PREPARED_KEEP : PREPARED_FAILED;
}

static void set_timestamp(json_t *data, int64_t time_us)
{
    char text[TIME_TEXT_BYTES];
    size_t length = time_format(time_us, "%Y-%m-%dT%H:%M:%S", text, sizeof text);

    set_text(data, "timestamp", text, length);
}

static enum prepared take_step(struct prepare *p, enum step step, const struct event *e, json_t *data,
                               struct error *err)
{
    switch (step) {
    case STEP_IGNORE:
        return ignore(p, data);
    case STEP_PREVIEWS:
        return preview_made_it(data, &p->text) ? PREPARED_PREVIEW : PREPARED_KEEP;
    case STEP_ROBOTS:
        return tell_robots(p, data);
    case STEP_MACHINES:
        return tell_machines(p, data);
    case STEP_VIA_API:
        set_truth(data, "via_api", truth_of(data, "via_api"));
        break;
    case STEP_COUNTRY:
        set_country(p, data);
        break;
    case STEP_VISITOR:
        return visitor_set(p->visitor, e->time_us, data, err) ? PREPARED_KEEP : PREPARED_FAILED;
    case STEP_RECORD_ID:
    case STEP_FILE_ID:
        return set_unique_id(p, data, step, err);
    case STEP_TIMESTAMP:
        set_timestamp(data, e->time_us);
        break;
    case STEPS:
        break;
    }
    return PREPARED_KEEP;
}

/* -------------------------------------------------------------------------------------------- what is kept */

static bool is_kept(const struct prepare *p, const char *key, size_t length)
{
    for (size_t i = 0; i < p->field_count; i++)
        if (p->fields[i].length == length && memcmp(p->fields[i].text, key, length) == 0)
            return true;
    return false;
}

static void keep_fields(const struct prepare *p, json_t *data)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(data, next, key, value)
    {
        if (!is_kept(p, key, strlen(key)))
            json_object_del(data, key);
    }
}

/* The class before the personal fields go, "" where there is no user agent. */
static size_t agent_class(struct prepare *p, const json_t *data, char out[AGENT_CLASS_BYTES])
{
    const json_t *agent = p->settings && p->settings->agent_class ? json_object_get(data, "user_agent") : NULL;

    return json_is_string(agent) ? agents_class(p->agents, json_string_value(agent), json_string_length(agent), out)
                                 : 0;
}

enum prepared prepare_apply(struct prepare *p, const struct event *e, json_t *data, struct error *err)
{
    char class[AGENT_CLASS_BYTES];
    size_t class_length;

    p->agent = judge(p, data);
    for (size_t i = 0; i < p->count; i++) {
        enum prepared verdict = take_step(p, p->steps[i], e, data, err);

        if (verdict != PREPARED_KEEP)
            return verdict;
    }
    class_length = agent_class(p, data, class);
    if (p->strip)
        personal_strip(data);
    if (p->field_count > 0)
        keep_fields(p, data);
    if (class_length > 0)
        set_text(data, AGENT_CLASS_FIELD, class, class_length);
    return PREPARED_KEEP;
}
