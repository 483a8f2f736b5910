#include "notifier/emit_operation.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/key.h"
#include "config/value.h"

enum { LOOK_MS = 25, LOOK_MS_MOST = 400 };

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

static bool look(struct redis *r, struct emit_operation *o, struct error *err)
{
    struct buf unused = BUF_INIT;
    bool ok = operation_show(r, o->id, NULL, &o->fate, &unused, err);

    buf_release(&unused);
    return ok;
}

static bool is_under_way(const struct emit_operation *o)
{
    return o->fate == OPERATION_WAITING || o->fate == OPERATION_RETRYING;
}

/* Looks less and less often: each look reads all that is known of the operation. */
bool emit_operation_wait(struct emit_operation *o, const struct settings *s, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + o->wait_ms, left_ms, pause_ms = LOOK_MS;
    struct redis *r = settings_redis(s);
    bool ok;

    o->waited = true;
    while ((ok = look(r, o, err)) && is_under_way(o) && (left_ms = until_ms - clock_monotonic_ms()) > 0) {
        usleep((useconds_t)(pause_ms < left_ms ? pause_ms : left_ms) * 1000);
        pause_ms = 2 * pause_ms < LOOK_MS_MOST ? 2 * pause_ms : LOOK_MS_MOST;
    }
    redis_free(r);
    return ok;
}

void emit_operation_print(const struct emit_operation *o, bool json)
{
    if (!*o->id)
        return;
    printf(json ? ",\"operation\":\"%s\"" : ", operation %s", o->id); /* an id has nothing to be escaped */
    if (o->waited)
        printf(json ? ",\"state\":\"%s\"" : ", %s", operation_fate_name(o->fate));
}

int emit_operation_status(const struct emit_operation *o, size_t known)
{
    if (!o->waited || o->fate == OPERATION_DONE || (o->fate == OPERATION_UNKNOWN && known == 0))
        return EXIT_DONE; /* of what no handler wants nothing is known */
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
