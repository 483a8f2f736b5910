#include "notifier/emit_operation.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/key.h"
#include "config/value.h"
#include "notifier/operation/searchable.h"

enum { LOOK_MS = 25, LOOK_MS_MOST = 400, LEAST_MS = 100 /* for the refresh, where all was done in the last moment */ };

static bool read_wait(struct emit_operation *o, struct error *err)
{
    static const struct config_key key = {.name = "wait", .type = CONFIG_TIME, .least = 1, .most = EMIT_WAIT_MS_MOST};

    return config_value_set(&key, o->wait, &o->wait_ms, err) || error_in(err, "--wait");
}

bool emit_operation_take(struct emit_operation *o, struct verb_call *call, struct error *err)
{
    const char *id = "";

    if (verb_option(call, "operation", &id) && !id)
        return error_set(err, ERROR_INPUT, "--operation needs an id, or new");
    if (verb_option(call, "wait", &o->wait)) {
        if (!o->wait)
            return error_set(err, ERROR_INPUT, "--wait needs a time, as 5s");
        if (!read_wait(o, err))
            return false;
        id = *id ? id : "new";
    }
    if (strcmp(id, "new") == 0) {
        operation_name(o->made);
        id = o->made;
    }
    o->id = id;
    return !*id || operation_id_check(id, err) || error_in(err, "--operation");
}

void emit_operation_begin(const struct emit_operation *o, struct intake *in)
{
    if (*o->id)
        intake_operate(in, o->id);
    if (o->wait_ms)
        intake_hurry(in);
}

/* What is known goes into told. */
static bool look(struct redis *r, struct emit_operation *o, struct buf *told, struct error *err)
{
    buf_reset(told);
    return operation_show(r, o->id, NULL, &o->fate, told, err);
}

static bool is_under_way(const struct emit_operation *o)
{
    return o->fate == OPERATION_WAITING || o->fate == OPERATION_RETRYING;
}

/* Looks less and less often: each look reads all that is known of the operation. */
static bool look_until(struct emit_operation *o, const struct settings *s, int64_t until_ms, struct buf *told,
                       struct error *err)
{
    int64_t left_ms, pause_ms = LOOK_MS;
    struct redis *r = settings_redis(s);
    bool ok;

    while ((ok = look(r, o, told, err)) && is_under_way(o) && (left_ms = until_ms - clock_monotonic_ms()) > 0) {
        usleep((useconds_t)(pause_ms < left_ms ? pause_ms : left_ms) * 1000);
        pause_ms = 2 * pause_ms < LOOK_MS_MOST ? 2 * pause_ms : LOOK_MS_MOST;
    }
    redis_free(r);
    return ok;
}

/* For the rest of the time. */
struct refresh {
    const struct emit_operation *operation;
    const struct settings *settings;
    int64_t until_ms;
};

static bool refresh(void *context, const char *const *handlers, size_t count, struct error *err)
{
    const struct refresh *r = context;
    int64_t left_ms = r->until_ms - clock_monotonic_ms();

    return r->operation->make(r->settings, handlers, count, left_ms > LEAST_MS ? left_ms : LEAST_MS, err);
}

static void search(struct emit_operation *o, const struct settings *s, int64_t until_ms, const struct buf *told)
{
    struct refresh how = {o, s, until_ms};
    json_t *handlers = json_object();
    struct error err;

    searchable_add_handlers(handlers, told);
    o->searchable = searchable_make(&(struct searchable){refresh, &how}, handlers, &err);
    if (!o->searchable)
        fprintf(stderr, "all is done, but a search may not see it yet: %s\n", err.text);
    json_decref(handlers);
}

bool emit_operation_wait(struct emit_operation *o, const struct settings *s, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + o->wait_ms;
    struct buf told = BUF_INIT;
    bool ok;

    o->waited = true;
    ok = look_until(o, s, until_ms, &told, err);
    if (ok && o->fate == OPERATION_DONE)
        search(o, s, until_ms, &told);
    buf_release(&told);
    return ok;
}

void emit_operation_print(const struct emit_operation *o, bool json)
{
    if (!*o->id)
        return;
    printf(json ? ",\"operation\":\"%s\"" : ", operation %s", o->id); /* an id has nothing to be escaped */
    if (o->waited)
        printf(json ? ",\"state\":\"%s\"" : ", %s", operation_fate_name(o->fate));
    if (o->waited && json)
        printf(",\"searchable\":%s", o->searchable ? "true" : "false");
}

int emit_operation_status(const struct emit_operation *o, size_t known)
{
    if (!o->waited || (o->fate == OPERATION_UNKNOWN && known == 0))
        return EXIT_DONE; /* of what no handler wants nothing is known */
    if (o->fate == OPERATION_DONE)
        return o->searchable ? EXIT_DONE : EXIT_FAILED;
    if (o->fate == OPERATION_DEAD) {
        fprintf(stderr, "not all could be done: `crier operations show %s` says why\n", o->id);
        return EXIT_PART_FAILED;
    }
    if (o->fate == OPERATION_UNKNOWN)
        fprintf(stderr, "nothing is known of operation %s: what was sent came before, under another one or none\n",
                o->id);
    else
        fprintf(stderr, "not done within %s: `crier operations show %s` tells how far it is\n", o->wait, o->id);
    return EXIT_FAILED;
}
