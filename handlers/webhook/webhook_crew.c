#include "handlers/webhook/webhook_crew.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "handlers/webhook/webhook_crew_parts.h"

enum {
    UNDER_WAY_MOST = 4096,
    IDLE_MOST = 64, /* errands kept for the next delivery */
};

/* --------------------------------------------------------------------------------------------------------- errands */

struct errand *errand_new(struct webhook_crew *c, struct webhook_seat *seat)
{
    struct errand *e = c->idle;

    if (e) {
        c->idle = e->next;
        c->idle_count--;
    } else {
        e = xcalloc(1, sizeof *e);
        e->arena = arena_new();
    }
    e->seat = seat;
    e->lettered = false;
    return e;
}

static void errand_free(struct errand *e)
{
    arena_free(e->arena);
    free(e);
}

void errand_rest(struct webhook_crew *c, struct errand *e)
{
    if (c->idle_count == IDLE_MOST) {
        errand_free(e);
        return;
    }
    arena_reset(e->arena);
    e->next = c->idle;
    c->idle = e;
    c->idle_count++;
}

void errand_end(struct webhook_crew *c, struct errand *e)
{
    e->seat->under_way--;
    c->under_way--;
    errand_rest(c, e);
}

void errand_begin(struct webhook_crew *c, struct errand *e)
{
    struct post_request request;

    e->started_us = clock_wall_us();
    e->started_ms = clock_monotonic_ms();
    e->seat->under_way++;
    c->under_way++;
    request = webhook_request(e->seat->target, &e->claim, e->started_us, e->arena);
    post_loop_begin(c->loop, &request, e);
}

static void count(const struct webhook_seat *seat, const struct webhook_answer *a)
{
    struct counter *const by_fate[] = {
        [DELIVERY_DONE] = seat->done, [DELIVERY_AGAIN] = seat->failed, [DELIVERY_DEAD] = seat->dead};

    counter_add(by_fate[a->attempt.fate], 1);
    counter_add(seat->blocked, a->blocked);
    if (a->blocked)
        log_warn("webhook %s: blocked: %s", seat->target->name, a->attempt.error);
}

static void take_answers(struct webhook_crew *c)
{
    struct post_result result;

    while (post_loop_next(c->loop, &result)) {
        struct errand *e = result.context;

        webhook_judge(&e->claim, e->started_us, result.reply, result.ok ? NULL : &result.err, e->arena, &e->answer);
        e->answer.attempt.took_ms = clock_monotonic_ms() - e->started_ms;
        count(e->seat, &e->answer);
        e->next = c->answered;
        c->answered = e;
    }
}

/* ---------------------------------------------------------------------------------------------------------- the thread
 */

static int64_t wait_of(const struct webhook_crew *c, bool stop)
{
    int64_t now_ms = clock_monotonic_ms(), until_ms = now_ms + LOOK_MS_MOST;

    for (const struct webhook_seat *seat = c->seats; seat && !stop; seat = seat->next)
        if (seat->look_ms < until_ms && webhook_seat_has_room(c, seat))
            until_ms = seat->look_ms;
    if (c->answered)
        until_ms = now_ms;
    if (until_ms < c->pause_until_ms)
        until_ms = c->pause_until_ms;
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

/* At the end Redis is asked once: what it does not take is due again when its claim ends. */
static void give_up_answered(struct webhook_crew *c)
{
    while (c->answered) {
        struct errand *e = c->answered;

        c->answered = e->next;
        errand_end(c, e);
    }
}

static void *crew_main(void *context)
{
    struct webhook_crew *c = context;
    bool stop;

    do {
        pthread_mutex_lock(&c->mutex);
        stop = c->stop;
        webhook_seats_look_round(c);
        pthread_mutex_unlock(&c->mutex);
        if (clock_monotonic_ms() >= c->pause_until_ms && !webhook_round(c, !stop) && stop)
            give_up_answered(c);
        if (!stop || c->under_way > 0)
            post_loop_wait(c->loop, wait_of(c, stop));
        take_answers(c);
    } while (!stop || c->under_way > 0);
    pthread_mutex_lock(&c->mutex);
    webhook_seats_clear(c);
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------------- the crew
 */

/* Half of the files that the process may open. */
static size_t most_under_way(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur / 2 > UNDER_WAY_MOST)
        return UNDER_WAY_MOST;
    return files.rlim_cur / 2 > 1 ? (size_t)files.rlim_cur / 2 : 1;
}

struct webhook_crew *webhook_crew_new(const struct settings *s, const struct webhook_options *o, struct error *err)
{
    struct address_guard *guard = address_guard_new(o->allow, err);
    struct webhook_crew *c;
    struct post_options post;

    if (!guard)
        return NULL;
    c = xcalloc(1, sizeof *c);
    c->settings = s;
    c->guard = guard;
    c->redis = settings_redis(s);
    post = webhook_post_options(o, guard);
    c->loop = post_loop_new(&post);
    c->most = most_under_way();
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->left, NULL);
    webhook_crew_muster(c);
    return c;
}

void webhook_crew_muster(struct webhook_crew *c)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    pthread_mutex_lock(&c->mutex);
    if (!c->has_thread && !c->stop) {
        c->has_thread = pthread_create(&c->thread, NULL, crew_main, c) == 0;
        if (!c->has_thread)
            log_limited(&limit, LOG_LEVEL_ERROR, "webhooks: no thread can be started; what is due waits");
    }
    pthread_mutex_unlock(&c->mutex);
}

void webhook_crew_stop(struct webhook_crew *c)
{
    pthread_mutex_lock(&c->mutex);
    c->stop = true;
    pthread_mutex_unlock(&c->mutex);
    post_loop_wake(c->loop);
}

void webhook_crew_free(struct webhook_crew *c)
{
    if (!c)
        return;
    webhook_crew_stop(c);
    if (c->has_thread)
        pthread_join(c->thread, NULL);
    post_loop_free(c->loop);
    while (c->idle) {
        struct errand *e = c->idle;

        c->idle = e->next;
        errand_free(e);
    }
    pthread_cond_destroy(&c->left);
    pthread_mutex_destroy(&c->mutex);
    redis_free(c->redis);
    address_guard_free(c->guard);
    free(c);
}
