#include "notifier/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "notifier/robots.h"
#include "notifier/visitor.h"

enum step { STEP_ROBOTS, STEP_MACHINES, STEP_VISITOR, STEPS };

static const char *const step_names[STEPS] = {"robots", "machines", "visitor"};
static const char *const personal[] = {"ip_address", "user_agent", "user_id", "session_id"};

struct prepare {
    enum step steps[STEPS]; /* in the order they are done */
    size_t count;
    bool strip;
    struct robots *robots, *machines;
    struct visitor *visitor;
};

/* ------------------------------------------------------------------------------------------------- the steps */

static bool step_find(const char *word, size_t length, enum step *out, struct error *err)
{
    char name[32] = "";
    const char *nearest;

    for (size_t i = 0; i < STEPS; i++)
        if (strlen(step_names[i]) == length && memcmp(step_names[i], word, length) == 0) {
            *out = (enum step)i;
            return true;
        }
    memcpy(name, word, length < sizeof name ? length : sizeof name - 1);
    nearest = text_nearest(name, step_names, STEPS);
    return error_set(err, ERROR_CONFIG, "\"%s\" is no step; the steps are robots, machines and visitor%s%s%s", name,
                     nearest ? "; perhaps " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static bool read_steps(const char *text, enum step steps[STEPS], size_t *count, struct error *err)
{
    const char *word;
    size_t length;

    *count = 0;
    while (text_word(&text, &word, &length)) {
        enum step step = STEP_ROBOTS;

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

/* Where the list is: the file named, else the one that ships with crier. */
static bool list_path(const char *file, const char *shipped, char *out, size_t size, struct error *err)
{
    if (*file)
        snprintf(out, size, "%s", file);
    else if (!file_shipped(shipped, out, size))
        return error_set(err, ERROR_CONFIG,
                         "%s is not found where crier is installed; name one by robots_file, machines_file", shipped);
    if (access(out, R_OK) != 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", out, strerror(errno));
    return true;
}

static struct robots *list_open(const char *file, const char *shipped, struct error *err)
{
    char path[4096];

    return list_path(file, shipped, path, sizeof path, err) ? robots_new(path, err) : NULL;
}

bool prepare_files_check(const void *event_settings, struct error *err)
{
    const struct event_settings *es = event_settings;
    enum step steps[STEPS];
    size_t count;
    char path[4096];
    bool ok = read_steps(es->prepare, steps, &count, err);

    for (size_t i = 0; ok && i < count; i++)
        if (steps[i] == STEP_ROBOTS)
            ok = list_path(es->robots_file, "robots.txt", path, sizeof path, err);
        else if (steps[i] == STEP_MACHINES)
            ok = list_path(es->machines_file, "machines.txt", path, sizeof path, err);
    return ok;
}

static bool open_step(struct prepare *p, enum step step, const struct event_settings *es, struct redis *redis,
                      struct error *err)
{
    switch (step) {
    case STEP_ROBOTS:
        return (p->robots = list_open(es->robots_file, "robots.txt", err)) != NULL;
    case STEP_MACHINES:
        return (p->machines = list_open(es->machines_file, "machines.txt", err)) != NULL;
    case STEP_VISITOR:
        p->visitor = visitor_new(redis);
        break;
    case STEPS:
        break;
    }
    return true;
}

struct prepare *prepare_new(const struct event_settings *es, bool strip, struct redis *redis, struct error *err)
{
    struct prepare *p = xcalloc(1, sizeof *p);
    bool ok = !es || read_steps(es->prepare, p->steps, &p->count, err);

    p->strip = strip || p->count > 0;
    for (size_t i = 0; ok && es && i < p->count; i++)
        ok = open_step(p, p->steps[i], es, redis, err);
    if (ok)
        return p;
    error_in(err, "[event %s]", es->type);
    prepare_free(p);
    return NULL;
}

void prepare_free(struct prepare *p)
{
    if (!p)
        return;
    robots_free(p->robots);
    robots_free(p->machines);
    visitor_free(p->visitor);
    free(p);
}

/* An event without a user agent is nobody's robot; one with an empty user agent is, as the list itself says. */
static bool on_list(struct robots *list, const json_t *data)
{
    const json_t *agent = json_object_get(data, "user_agent");

    return json_is_string(agent) && robots_name(list, json_string_value(agent), json_string_length(agent));
}

void prepare_strip(json_t *data)
{
    for (size_t i = 0; i < ARRAY_LENGTH(personal); i++)
        json_object_del(data, personal[i]);
}

enum prepared prepare_apply(struct prepare *p, const struct event *e, json_t *data, struct error *err)
{
    for (size_t i = 0; i < p->count; i++)
        switch (p->steps[i]) {
        case STEP_ROBOTS:
            if (on_list(p->robots, data))
                return PREPARED_ROBOT;
            json_object_set_new_nocheck(data, "is_robot", json_false());
            break;
        case STEP_MACHINES:
            json_object_set_new_nocheck(data, "is_machine", json_boolean(on_list(p->machines, data)));
            break;
        case STEP_VISITOR:
            if (!visitor_set(p->visitor, e->time_us, data, err))
                return PREPARED_FAILED;
            break;
        case STEPS:
            break;
        }
    if (p->strip)
        prepare_strip(data);
    return PREPARED_KEEP;
}
