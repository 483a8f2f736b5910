#include "notifier/operation/operations.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "notifier/wanted.h"

enum { CALL_PAIRS = 256 /* in one call of a script: Redis serves nobody else meanwhile */ };

#define OPERATION_KEY  "crier:{operations}:of:"
#define OPERATION_IDS  "crier:{operations}:ids"
#define LEFT_OUT_FIELD "" /* how many pairs there was no room for */

/*
 * KEYS: the list of ids, the operation of each pair. ARGV: how long it is kept in ms, most operations, most pairs, then
 * the field and value of each pair. Replies 1 for each that was not there before.
 */
static struct redis_script expect = {
    .text = "local call, out = redis.call, {}\n"
            "for i = 2, #KEYS do\n"
            "  local key, field = KEYS[i], ARGV[2 * i]\n"
            "  local pairs = call('HLEN', key)\n"
            "  out[i - 1] = 0\n"
            "  if pairs == 0 and call('RPUSH', KEYS[1], key) > tonumber(ARGV[2]) then\n"
            "    call('DEL', call('LPOP', KEYS[1]))\n"
            "  end\n"
            "  if pairs < tonumber(ARGV[3]) then\n"
            "    out[i - 1] = call('HSETNX', key, field, ARGV[2 * i + 1])\n"
            "  elseif call('HEXISTS', key, field) == 0 then\n"
            "    call('HINCRBY', key, '', 1)\n"
            "  end\n"
            "  call('PEXPIRE', key, ARGV[1])\n"
            "end\n"
            "return out\n",
};

/*
 * KEYS: the stream of results, the operation of each pair, or the stream again where it has none. ARGV: how long, most
 * results, then id, type, field and value of each pair. What was never expected, or is forgotten by now, is not begun
 * anew. Also without memory left, or nothing could be settled.
 */
static struct redis_script note = {
    .text = SCRIPT_ALLOW_OOM
    "local call, results = redis.call, KEYS[1]\n"
    "for i = 2, #KEYS do\n"
    "  local key, at = KEYS[i], 4 * i - 5\n"
    "  if key == results then\n"
    "    call('XADD', results, 'MAXLEN', '~', ARGV[2], '*', 't', ARGV[at + 1], 'v', ARGV[at + 3])\n"
    "  elseif call('HEXISTS', key, ARGV[at + 2]) == 1 then\n"
    "    call('HSET', key, ARGV[at + 2], ARGV[at + 3])\n"
    "    call('PEXPIRE', key, ARGV[1])\n"
    "    call('XADD', results, 'MAXLEN', '~', ARGV[2], '*', 'o', ARGV[at], 't', ARGV[at + 1], 'v', ARGV[at + 3])\n"
    "  end\n"
    "end\n"
    "call('PEXPIRE', results, ARGV[1])\n"
    "return 0\n",
};

/* One event and one of its handlers. */
struct pair {
    const struct event *event;
    const struct handler_settings *handler;
    const char *state, *reason;
    int64_t since_us;
    size_t of; /* which event it is, of those given */
};

/* Pairs on their way, in calls of CALL_PAIRS. */
struct pairs {
    struct arena *arena;
    const struct settings *settings;
    struct pair items[CALL_PAIRS];
    size_t count;
    int64_t now_us;
};

static const char *key_of(struct arena *arena, struct span operation)
{
    return arena_printf(arena, OPERATION_KEY "%.*s", (int)operation.length, operation.text);
}

static const char *field_of(struct arena *arena, const struct handler_settings *hs, const struct event *e)
{
    return arena_printf(arena, "%s %.*s", hs->name, (int)e->unique.length, e->unique.text);
}

/* A reason holds a peer's words, which may be cut within a character: a pair that nobody can read would never be done.
 */
static void add_member(struct buf *out, const char *name, struct span value)
{
    buf_add_text(out, name);
    buf_add_json(out, value.text, text_utf8_valid(value.text, value.length));
}

static const char *value_of(const struct pairs *p, const struct pair *one)
{
    struct buf out = BUF_INIT;
    char time[TIME_TEXT_BYTES];
    const char *text;

    add_member(&out, "{\"event\":", one->event->id);
    add_member(&out, ",\"type\":", one->event->type);
    if (one->event->subject.length)
        add_member(&out, ",\"subject\":", one->event->subject);
    add_member(&out, ",\"handler\":", span_of(one->handler->name));
    add_member(&out, ",\"state\":", span_of(one->state));
    add_member(&out, ",\"since\":", span_of(time_text(one->since_us, time)));
    add_member(&out, ",\"time\":", span_of(time_text(p->now_us, time)));
    if (one->reason)
        add_member(&out, ",\"reason\":", span_of(one->reason));
    buf_add_char(&out, '}');
    text = arena_copy(p->arena, out.data, out.length);
    buf_release(&out);
    return text;
}

/* ------------------------------------------------------------------------------------------------------- ids */

void operation_name(char *out)
{
    unsigned char secret[ID_BYTES];

    random_secret(secret, sizeof secret);
    hash_hex(secret, sizeof secret, out);
}

bool operation_id_check(const char *id, struct error *err)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:~";
    size_t length = strlen(id);

    return (length > 0 && length < OPERATION_ID_BYTES && strspn(id, fit) == length) ||
           error_set(err, ERROR_INPUT, "operation: 1 to %d letters, digits and -_.:~, or new", OPERATION_ID_BYTES - 1);
}

/* ------------------------------------------------------------------------------------------- what is expected */

static bool send_expected(struct redis *r, struct pairs *p, bool *made, struct error *err)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    bool ok;

    if (p->count == 0)
        return true;
    redis_script_args(&expect, &args, (int)p->count + 1);
    args_text(&args, OPERATION_IDS);
    for (size_t i = 0; i < p->count; i++)
        args_text(&args, key_of(p->arena, p->items[i].event->operation));
    args_int(&args, p->settings->http.operations_ms);
    args_int(&args, OPERATIONS_MOST);
    args_int(&args, OPERATION_PAIRS_MOST);
    for (size_t i = 0; i < p->count; i++) {
        args_text(&args, field_of(p->arena, p->items[i].handler, p->items[i].event));
        args_text(&args, value_of(p, &p->items[i]));
    }
    ok = redis_script_call(r, &expect, &args, p->arena, &reply, err);
    for (size_t i = 0; ok && i < p->count && i < reply->count; i++)
        made[p->items[i].of] = made[p->items[i].of] || reply->items[i].integer > 0;
    args_release(&args);
    p->count = 0;
    return ok;
}

static bool expect_event(struct redis *r, struct pairs *p, const struct event *e, size_t i, bool *made,
                         struct error *err)
{
    const struct settings *s = p->settings;

    for (size_t j = 0; j < s->handler_count; j++) {
        const struct handler_settings *hs = &s->handlers[j];

        if (!wanted_in_queue(s, hs, e->type) || !wanted_by(hs, e))
            continue;
        p->items[p->count++] =
            (struct pair){.event = e, .handler = hs, .state = "waiting", .since_us = p->now_us, .of = i};
        if (p->count == CALL_PAIRS && !send_expected(r, p, made, err))
            return false;
    }
    return true;
}

bool operations_expect(struct redis *r, const struct settings *s, const struct event *const *events, size_t count,
                       bool *made, struct error *err)
{
    struct pairs p = {.settings = s, .now_us = clock_wall_us()};
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++) {
        made[i] = false;
        if (events[i]->operation.length == 0)
            continue;
        p.arena = p.arena ? p.arena : arena_new();
        ok = expect_event(r, &p, events[i], i, made, err);
    }
    ok = ok && send_expected(r, &p, made, err);
    arena_free(p.arena);
    return ok || error_in(err, "operations");
}

bool operations_forget(struct redis *r, const struct settings *s, const struct event *e, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = true;

    for (size_t i = 0; ok && i < s->handler_count; i++)
        if (wanted_in_queue(s, &s->handlers[i], e->type))
            ok = redis_do(r, arena, &reply, err, "HDEL %s %s", key_of(arena, e->operation),
                          field_of(arena, &s->handlers[i], e));
    arena_free(arena);
    return ok;
}

/* -------------------------------------------------------------------------------------------- what became of it */

static bool send_notes(struct redis *r, struct pairs *p, struct error *err)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    bool ok;

    if (p->count == 0)
        return true;
    redis_script_args(&note, &args, (int)p->count + 1);
    args_text(&args, OPERATION_RESULTS);
    for (size_t i = 0; i < p->count; i++)
        args_text(&args, p->items[i].event->operation.length ? key_of(p->arena, p->items[i].event->operation)
                                                             : OPERATION_RESULTS);
    args_int(&args, p->settings->http.operations_ms);
    args_int(&args, RESULTS_MOST);
    for (size_t i = 0; i < p->count; i++) {
        const struct pair *one = &p->items[i];

        args_bytes(&args, one->event->operation.text, one->event->operation.length);
        args_bytes(&args, one->event->type.text, one->event->type.length);
        args_text(&args, field_of(p->arena, one->handler, one->event));
        args_text(&args, value_of(p, one));
    }
    ok = redis_script_call(r, &note, &args, p->arena, &reply, err);
    args_release(&args);
    p->count = 0;
    return ok;
}

static const char *state_of(enum outcome o)
{
    switch (o) {
    case OUTCOME_DONE:
        return "done";
    case OUTCOME_RETRY:
        return "retrying";
    case OUTCOME_DEAD:
        return "dead";
    default:
        return NULL; /* it still waits */
    }
}

static const char *reason_of(struct arena *arena, const struct delivery *d)
{
    return *d->reply ? arena_printf(arena, "%s: %s", d->reason, d->reply) : d->reason;
}

bool operations_note(struct redis *r, const struct settings *s, const struct handler_settings *hs,
                     const struct batch *b, struct error *err)
{
    struct pairs p = {.settings = s};
    bool ok = true;

    for (size_t i = 0; ok && i < b->count; i++) {
        const struct delivery *d = &b->items[i];
        const char *state = state_of(d->outcome);

        if (!state || (d->event.operation.length == 0 && s->http.results != RESULTS_ALL))
            continue;
        if (!p.arena) {
            p.arena = arena_new();
            p.now_us = clock_wall_us();
        }
        p.items[p.count++] = (struct pair){.event = &d->event,
                                           .handler = hs,
                                           .state = state,
                                           .reason = d->outcome == OUTCOME_DONE ? NULL : reason_of(p.arena, d),
                                           .since_us = (int64_t)d->id.ms * 1000};
        if (p.count == CALL_PAIRS)
            ok = send_notes(r, &p, err);
    }
    ok = ok && send_notes(r, &p, err);
    arena_free(p.arena);
    return ok || error_in(err, "operations");
}
