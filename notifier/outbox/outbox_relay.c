#include "notifier/outbox/outbox_relay.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "notifier/intake.h"
#include "notifier/outbox/outbox.h"
#include "notifier/outbox/outbox_batch.h"

enum {
    PAUSE_LEAST_MS = 250,
    PAUSE_MOST_MS = 10000,
    HELD_LEAST_MS = 4, /* while other relays hold all there is */
    HELD_MOST_MS = 500,
    SLICE_MS = 200, /* how late a stop is seen */
    STATE_EVERY_MS = 5000
};

/* Of one outbox, and of its thread alone but for why. */
struct relay {
    struct outbox *outbox;
    struct intake *intake;
    struct stop *stop;
    pthread_t thread;
    bool checked; /* its tables, on this link */
    int failures, held;
    int64_t state_due_ms;
    struct counter *outcomes[INTAKE_UNAVAILABLE + 1];
    struct counter *paused, *waiting, *parked, *oldest;
    struct log_limit parking;
    pthread_mutex_t mutex;
    char why[sizeof((struct error *)0)->text]; /* "": it goes on */
};

struct outbox_relays {
    struct relay *all;
    size_t count, started;
};

/* -------------------------------------------------------------------------------------------------- what is told */

static void get_counters(struct relay *r)
{
    const char *name = r->outbox->own->name;

    r->paused = counter_with(COUNTER_GAUGE, "crier_outbox_paused",
                             "1 while it waits for PostgreSQL, Redis or an operator", "outbox", name, NULL);
    r->waiting = counter_with(COUNTER_GAUGE, "crier_outbox_waiting", "rows yet to be sent", "outbox", name, NULL);
    r->parked = counter_with(COUNTER_GAUGE, "crier_outbox_parked", "rows that can be no event", "outbox", name, NULL);
    r->oldest =
        counter_with(COUNTER_GAUGE, "crier_outbox_oldest_seconds", "age of the oldest row", "outbox", name, NULL);
    for (int i = 0; i <= INTAKE_UNAVAILABLE; i++)
        r->outcomes[i] = counter_with(COUNTER_TOTAL, "crier_outbox_rows_total", "rows that were sent; refused: parked",
                                      "outbox", name, "outcome", intake_outcome_name((enum intake_outcome)i), NULL);
}

static void set_why(struct relay *r, const char *why)
{
    pthread_mutex_lock(&r->mutex);
    snprintf(r->why, sizeof r->why, "%s", why);
    pthread_mutex_unlock(&r->mutex);
    counter_set(r->paused, *why ? 1 : 0);
}

static void note_moved(struct relay *r, const struct outbox_moved *moved)
{
    const char *name = r->outbox->own->name;

    for (int i = 0; i <= INTAKE_UNAVAILABLE; i++)
        counter_add(r->outcomes[i], (int64_t)moved->outcomes[i]);
    if (moved->outcomes[INTAKE_REFUSED] > 0)
        log_limited(&r->parking, LOG_LEVEL_WARN, "outbox %s: row %s was parked: %s; `crier outbox parked %s` shows all",
                    name, moved->refused_id, moved->refused_reason, name);
}

/* What cannot be asked now is asked later: the numbers are for whoever looks. */
static void note_state(struct relay *r)
{
    struct outbox_state state;
    struct error err;

    if (!postgres_is_open(r->outbox->link) || clock_monotonic_ms() < r->state_due_ms)
        return;
    r->state_due_ms = clock_monotonic_ms() + STATE_EVERY_MS;
    if (!outbox_state(r->outbox, &state, &err))
        return;
    counter_set(r->waiting, state.waiting);
    counter_set(r->parked, state.parked);
    counter_set(r->oldest, state.oldest_ms / 1000);
}

/* ---------------------------------------------------------------------------------------------------- the thread */

static int64_t spread(int64_t least_ms, int64_t most_ms, int times)
{
    int64_t limit = times < 10 && least_ms << times < most_ms ? least_ms << times : most_ms;

    return limit / 2 + (int64_t)random_below((uint64_t)limit / 2 + 1);
}

/* A new link may lead to another server, or to one where somebody changed the tables meanwhile. */
static bool relay_once(struct relay *r, struct outbox_moved *moved, struct error *err)
{
    r->checked = r->checked && postgres_is_open(r->outbox->link);
    if (!r->checked && !outbox_check(r->outbox, err))
        return false;
    r->checked = true;
    return outbox_batch_relay(r->outbox, r->intake, moved, err);
}

/* Until something is told of, or it is time to look; a link that fails is for the next turn to find. */
static void wait_for_rows(struct relay *r)
{
    int64_t deadline_ms = clock_monotonic_ms() + r->outbox->own->poll_ms, left_ms;
    bool told = false;
    struct error err;

    while (!told && !stop_wanted(r->stop) && (left_ms = deadline_ms - clock_monotonic_ms()) > 0) {
        int wait_ms = (int)(left_ms < SLICE_MS ? left_ms : SLICE_MS);

        if (!outbox_has(r->outbox->own->channel))
            stop_sleep(r->stop, wait_ms);
        else if (!postgres_wait(r->outbox->link, wait_ms, &told, &err))
            return;
    }
}

static void pause(struct relay *r, const struct error *err)
{
    if (r->failures == 0)
        log_warn("outbox %s: %s; trying again", r->outbox->own->name, err->text);
    set_why(r, err->text);
    stop_sleep(r->stop, spread(PAUSE_LEAST_MS, PAUSE_MOST_MS, r->failures++));
}

static void *relay_main(void *context)
{
    struct relay *r = context;

    while (!stop_wanted(r->stop)) {
        struct outbox_moved moved = {0};
        struct error err = ERROR_INIT;
        bool ok = relay_once(r, &moved, &err);

        note_moved(r, &moved);
        note_state(r);
        if (!ok) {
            pause(r, &err);
            continue;
        }
        if (r->failures > 0) {
            log_info("outbox %s: its rows are sent again", r->outbox->own->name);
            set_why(r, "");
        }
        r->failures = 0;
        r->held = moved.held ? r->held + 1 : 0;
        if (moved.held)
            stop_sleep(r->stop, spread(HELD_LEAST_MS, HELD_MOST_MS, r->held - 1));
        else if (moved.rows == 0)
            wait_for_rows(r);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------ the part */

static bool relay_start(struct relay *r, const struct settings *s, const struct outbox_settings *own, struct stop *stop,
                        struct error *err)
{
    struct error later;

    r->outbox = outbox_new(s, own);
    r->stop = stop;
    r->parking = (struct log_limit)LOG_LIMIT_INIT;
    pthread_mutex_init(&r->mutex, NULL);
    get_counters(r);
    if (!(r->intake = intake_new(s, err)))
        return false;
    if (outbox_has(own->channel) && !postgres_listen(r->outbox->link, own->channel, &later))
        log_debug("outbox %s: %s", own->name, later.text); /* said for good by the first turn */
    pthread_create(&r->thread, NULL, relay_main, r);
    return true;
}

struct outbox_relays *outbox_relays_start(const struct settings *s, struct stop *stop, struct error *err)
{
    struct outbox_relays *relays = xcalloc(1, sizeof *relays);
    bool ok = true;

    relays->all = xcalloc(s->outbox_count + 1, sizeof *relays->all);
    for (; ok && relays->count < s->outbox_count; relays->count++) {
        ok = relay_start(&relays->all[relays->count], s, &s->outboxes[relays->count], stop, err);
        relays->started += ok;
    }
    if (ok)
        return relays;
    stop_raise(stop);
    outbox_relays_join(relays);
    return NULL;
}

void outbox_relays_join(struct outbox_relays *relays)
{
    if (!relays)
        return;
    for (size_t i = 0; i < relays->count; i++) {
        struct relay *r = &relays->all[i];

        if (i < relays->started)
            pthread_join(r->thread, NULL);
        intake_free(r->intake);
        outbox_free(r->outbox);
        pthread_mutex_destroy(&r->mutex);
    }
    free(relays->all);
    free(relays);
}

bool outbox_relays_trouble(struct outbox_relays *relays, size_t index, const char **name, char *why, size_t size)
{
    struct relay *r;

    if (!relays || index >= relays->count)
        return false;
    r = &relays->all[index];
    *name = r->outbox->own->name;
    pthread_mutex_lock(&r->mutex);
    snprintf(why, size, "%s", r->why);
    pthread_mutex_unlock(&r->mutex);
    return true;
}
