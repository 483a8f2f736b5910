#include "notifier/door_desk.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"

enum { BODIES_MOST = 4 }; /* whole batches that all bodies under way may fill together */

static bool open_intakes(struct desk *d, struct error *err)
{
    size_t count = (size_t)d->settings->http.threads; /* no more requests are answered at a time */

    d->intakes = xcalloc(count, sizeof(struct intake *));
    for (; d->free_intakes < count; d->free_intakes++)
        if (!(d->intakes[d->free_intakes] = intake_new(d->settings, err)))
            return false;
    return true;
}

static bool need_errands(const struct door_page *pages)
{
    for (; pages && pages->path; pages++)
        if (pages->answer)
            return true;
    return false;
}

bool desk_init(struct desk *d, const struct settings *settings, const struct door_page *pages, struct error *err)
{
    pthread_condattr_t attributes;

    *d = (struct desk){.settings = settings, .pages = pages};
    atomic_init(&d->room, BODIES_MOST * settings->http.batch_bytes);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    events_door_init(&d->events, settings);
    d->access = access_new(settings);
    if (need_errands(pages))
        d->errands = errands_new();
    return signed_door_open(settings, &d->signatures, err) && open_intakes(d, err);
}

void desk_release(struct desk *d)
{
    errands_free(d->errands);
    access_free(d->access);
    signed_door_close(d->signatures);
    for (size_t i = 0; i < d->free_intakes; i++)
        intake_free(d->intakes[i]);
    free(d->intakes);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->mutex);
}

bool desk_enter(struct desk *d)
{
    bool open;

    pthread_mutex_lock(&d->mutex);
    d->under_way++;
    open = !d->closing;
    pthread_mutex_unlock(&d->mutex);
    return open;
}

void desk_leave(struct desk *d)
{
    pthread_mutex_lock(&d->mutex);
    d->under_way--;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->mutex);
}

void desk_clear(struct desk *d, int wait_ms)
{
    struct timespec until;
    int status = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    pthread_mutex_lock(&d->mutex);
    d->closing = true;
    pthread_mutex_unlock(&d->mutex);
    operation_feed_close(d->feed);
    pthread_mutex_lock(&d->mutex);
    while (d->under_way > 0 && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&d->changed, &d->mutex, &until);
    pthread_mutex_unlock(&d->mutex);
    errands_close(d->errands);
}

struct intake *desk_borrow(struct desk *d)
{
    struct intake *in;

    pthread_mutex_lock(&d->mutex);
    while (d->free_intakes == 0)
        pthread_cond_wait(&d->changed, &d->mutex);
    in = d->intakes[--d->free_intakes];
    pthread_mutex_unlock(&d->mutex);
    return in;
}

void desk_return(struct desk *d, struct intake *in)
{
    pthread_mutex_lock(&d->mutex);
    d->intakes[d->free_intakes++] = in;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->mutex);
}
