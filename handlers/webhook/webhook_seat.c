#include <stdlib.h>

#include "base/alloc.h"
#include "handlers/webhook/webhook_crew_parts.h"

/* ---------------------------------------------------------------------------------------------- one who has a seat */

static struct counter *attempts(const char *target, const char *outcome)
{
    return counter_with(COUNTER_TOTAL, "crier_webhook_attempts_total", "attempts at deliveries", "webhook", target,
                        "outcome", outcome, NULL);
}

static void open_counters(struct webhook_seat *seat)
{
    const char *target = seat->target->name;

    seat->done = attempts(target, "done");
    seat->failed = attempts(target, "again");
    seat->dead = attempts(target, "dead");
    seat->blocked = counter_with(COUNTER_TOTAL, "crier_webhook_blocked_total",
                                 "attempts that the guard of addresses did not let through", "webhook", target, NULL);
    seat->percent =
        counter_with(COUNTER_GAUGE, "crier_webhook_failing_percent",
                     "how far it is on the way to being turned off, as nothing comes through", "webhook", target, NULL);
}

struct webhook_seat *webhook_crew_seat(struct webhook_crew *c, const struct webhook_target *t)
{
    struct webhook_seat *seat = xcalloc(1, sizeof *seat);

    seat->crew = c;
    seat->target = t;
    seat->store = webhook_store_new(c->redis, t->name);
    open_counters(seat);
    pthread_mutex_lock(&c->mutex);
    seat->next = c->arriving;
    c->arriving = seat;
    pthread_mutex_unlock(&c->mutex);
    post_loop_wake(c->loop);
    return seat;
}

/* Under the mutex, where no thread knows of it. */
static bool take_from_arriving(struct webhook_seat *seat)
{
    for (struct webhook_seat **at = &seat->crew->arriving; *at; at = &(*at)->next)
        if (*at == seat) {
            *at = seat->next;
            return true;
        }
    return false;
}

void webhook_seat_leave(struct webhook_seat *seat)
{
    struct webhook_crew *c;

    if (!seat)
        return;
    c = seat->crew;
    pthread_mutex_lock(&c->mutex);
    seat->leaving = true;
    seat->gone = seat->gone || take_from_arriving(seat);
    post_loop_wake(c->loop);
    while (!seat->gone)
        pthread_cond_wait(&c->left, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
    webhook_store_free(seat->store);
    free(seat);
}

void webhook_seat_wake(struct webhook_seat *seat)
{
    bool was;

    pthread_mutex_lock(&seat->crew->mutex);
    was = seat->woken;
    seat->woken = true;
    pthread_mutex_unlock(&seat->crew->mutex);
    if (!was)
        post_loop_wake(seat->crew->loop);
}

/* ------------------------------------------------------------------------------------------------ all who have one */

void webhook_seats_look_round(struct webhook_crew *c)
{
    struct webhook_seat **at = &c->seats;

    while (c->arriving) {
        struct webhook_seat *seat = c->arriving;

        c->arriving = seat->next;
        seat->next = c->seats;
        c->seats = seat;
    }
    while (*at) {
        struct webhook_seat *seat = *at;

        if (seat->woken)
            seat->look_ms = 0;
        if (seat->leaving)
            seat->look_ms = INT64_MAX;
        seat->woken = false;
        if (!seat->leaving || seat->under_way > 0) {
            at = &seat->next;
            continue;
        }
        *at = seat->next;
        seat->gone = true;
        pthread_cond_broadcast(&c->left);
    }
}

void webhook_seats_clear(struct webhook_crew *c)
{
    for (struct webhook_seat *seat = c->seats; seat; seat = seat->next)
        seat->gone = true;
    c->seats = NULL;
    pthread_cond_broadcast(&c->left);
}
