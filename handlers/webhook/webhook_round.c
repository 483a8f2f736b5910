#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "handlers/webhook/webhook_crew_parts.h"
#include "handlers/webhook/webhook_off.h"
#include "handlers/webhook/webhook_schedule.h"
#include "notifier/dead.h"

enum {
    PAUSE_MS = 1000,
    HOLD_MORE_MS = 5000, /* a claim holds the request's time limit and so much longer */
};

static void warn(const struct webhook_seat *seat, const struct error *err)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    log_limited(&limit, LOG_LEVEL_WARN, "webhook %s: %s", seat->target->name, err->text);
}

static const char *reason_of(const struct errand *e)
{
    const struct delivery_attempt *a = &e->answer.attempt;

    return *a->error ? a->error : arena_printf(e->arena, "the target answers %ld", a->status);
}

/* The letter first: a crash between the two leads to one more try and one more letter, never to none. */
static bool write_letter(struct webhook_crew *c, struct errand *e, struct error *err)
{
    const struct webhook_target *t = e->seat->target;
    const struct delivery_attempt *a = &e->answer.attempt;

    if (a->fate != DELIVERY_DEAD || e->lettered)
        return true;
    e->lettered =
        dead_add(c->redis, t->queue, t->handler, &e->claim.event, e->claim.tries + 1, reason_of(e), a->reply.text, err);
    return e->lettered;
}

/* False: Redis took no letter; all that is answered stays so. */
static bool add_settles(struct webhook_crew *c, size_t *moves, struct error *err)
{
    for (struct errand *e = c->answered; e && *moves < MOVES_MOST; e = e->next) {
        if (!write_letter(c, e, err))
            return false;
        c->moved[*moves] = e;
        c->moves[(*moves)++] = (struct delivery_move){.store = webhook_store_kept(e->seat->store),
                                                      .arena = e->arena,
                                                      .attempt = &e->answer.attempt,
                                                      .claim = &e->claim};
    }
    return true;
}

/* Where many are under way, so that files run short, a target has one at a time: those that hang take no other's. */
bool webhook_seat_has_room(const struct webhook_crew *c, const struct webhook_seat *seat)
{
    size_t own = c->under_way < c->most / 2 ? (size_t)seat->target->options->concurrency : 1;

    return seat->under_way < own && c->under_way < c->most;
}

/* So that those at the end of a long line are not asked for last each time. */
static void go_on_next_time_at(struct webhook_crew *c, struct webhook_seat **at)
{
    struct webhook_seat *first = *at, *last = *at;

    if (!first || first == c->seats)
        return;
    while (last->next)
        last = last->next;
    last->next = c->seats;
    *at = NULL;
    c->seats = first;
}

static void add_claims(struct webhook_crew *c, int64_t now_ms, size_t *moves)
{
    struct webhook_seat **at;
    size_t claims = 0;

    for (at = &c->seats; *at && *moves < MOVES_MOST && c->under_way + claims < c->most; at = &(*at)->next) {
        struct webhook_seat *seat = *at;
        struct errand *e;

        if (seat->look_ms > now_ms || !webhook_seat_has_room(c, seat))
            continue;
        e = errand_new(c, seat);
        claims++;
        c->moved[*moves] = e;
        c->moves[(*moves)++] = (struct delivery_move){
            .store = webhook_store_kept(seat->store),
            .arena = e->arena,
            .claim = &e->claim,
            .hold_us = (seat->target->options->timeout_ms + HOLD_MORE_MS) * 1000,
        };
    }
    go_on_next_time_at(c, at);
}

static bool turn_off(struct webhook_crew *c, struct webhook_seat *seat, const char *reason, struct error *err)
{
    return webhook_turn_off(c->settings, c->redis, seat->store, seat->target, reason, err);
}

static bool look_at_failures(struct webhook_crew *c, const struct errand *e, int64_t failing_since_us,
                             struct error *err)
{
    int percent, warning;

    if (e->answer.gone)
        return turn_off(c, e->seat, "it answers 410 Gone", err);
    percent = webhook_failing_percent(failing_since_us > 0 ? e->started_us - failing_since_us : 0);
    warning = webhook_warning_of(percent);
    counter_set(e->seat->percent, percent);
    if (percent == 100)
        return turn_off(c, e->seat, "nothing came through for 120 hours", err);
    if (warning > e->seat->warned && !webhook_warn_owner(c->settings, c->redis, e->seat->store, e->seat->target,
                                                         warning, failing_since_us, reason_of(e), err))
        return false;
    e->seat->warned = warning;
    return true;
}

/*
 * What cannot be settled is due again when its claim ends, with the same id. A Redis that is only not ready, as while
 * it loads its file, is asked again: false.
 */
static bool settled(struct webhook_crew *c, struct errand *e, const struct delivery_move *m)
{
    struct error err;

    if (!m->ok && m->err.kind == ERROR_AGAIN) {
        e->next = c->answered;
        c->answered = e;
        c->pause_until_ms = clock_monotonic_ms() + PAUSE_MS;
        warn(e->seat, &m->err);
        return false;
    }
    if (!m->ok)
        warn(e->seat, &m->err);
    else if (!look_at_failures(c, e, m->failing_since_us, &err))
        warn(e->seat, &err);
    e->seat->look_ms = 0;
    errand_end(c, e);
    return true;
}

static void claimed(struct webhook_crew *c, struct errand *e, const struct delivery_move *m)
{
    int64_t wait_ms = LOOK_MS_MOST, now_ms = clock_monotonic_ms();

    if (m->ok && *e->claim.id) {
        e->seat->look_ms = 0; /* another may be due */
        errand_begin(c, e);
        return;
    }
    if (!m->ok) {
        warn(e->seat, &m->err);
        wait_ms = PAUSE_MS;
    } else if (e->claim.wait_us >= 0 && e->claim.wait_us < wait_ms * 1000) {
        wait_ms = e->claim.wait_us / 1000 + 1;
    }
    e->seat->look_ms = now_ms + wait_ms;
    errand_rest(c, e);
}

/* Whether Redis took all settles. */
static bool take_moves(struct webhook_crew *c, size_t settles, size_t moves)
{
    bool all = true;

    for (size_t i = 0; i < settles; i++)
        c->answered = c->moved[i]->next;
    for (size_t i = 0; i < moves; i++)
        if (i < settles)
            all = settled(c, c->moved[i], &c->moves[i]) && all;
        else
            claimed(c, c->moved[i], &c->moves[i]);
    return all;
}

/* Its claims are over by the time that Redis is back, or they are not: then they are settled yet. */
static void pause_after(struct webhook_crew *c, size_t settles, size_t moves, const struct error *err)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    log_limited(&limit, LOG_LEVEL_WARN, "webhooks: %s", err->text);
    for (size_t i = settles; i < moves; i++)
        errand_rest(c, c->moved[i]);
    c->pause_until_ms = clock_monotonic_ms() + PAUSE_MS;
}

bool webhook_round(struct webhook_crew *c, bool claims)
{
    size_t settles = 0, moves;
    struct error err;
    bool ok = add_settles(c, &settles, &err);

    moves = settles;
    if (ok && claims)
        add_claims(c, clock_monotonic_ms(), &moves);
    if (ok && moves == 0)
        return false;
    ok = ok && delivery_round(c->redis, c->moves, moves, clock_wall_us(), &err);
    if (ok)
        return take_moves(c, settles, moves);
    pause_after(c, settles, moves, &err);
    return false;
}
