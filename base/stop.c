#include "base/stop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"

struct stop {
    pthread_mutex_t mutex;
    pthread_cond_t raised;
    atomic_bool wanted;
};

struct stop *stop_new(void)
{
    struct stop *s = xcalloc(1, sizeof *s);
    pthread_condattr_t attributes;

    pthread_mutex_init(&s->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->raised, &attributes);
    pthread_condattr_destroy(&attributes);
    return s;
}

void stop_free(struct stop *s)
{
    if (!s)
        return;
    pthread_cond_destroy(&s->raised);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

void stop_raise(struct stop *s)
{
    pthread_mutex_lock(&s->mutex);
    atomic_store(&s->wanted, true);
    pthread_cond_broadcast(&s->raised);
    pthread_mutex_unlock(&s->mutex);
}

bool stop_wanted(struct stop *s)
{
    return atomic_load_explicit(&s->wanted, memory_order_acquire);
}

static struct timespec time_after(int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

bool stop_sleep(struct stop *s, int64_t ms)
{
    struct timespec until;

    if (ms <= 0)
        return stop_wanted(s);
    until = time_after(ms);
    pthread_mutex_lock(&s->mutex);
    while (!stop_wanted(s) && pthread_cond_timedwait(&s->raised, &s->mutex, &until) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&s->mutex);
    return stop_wanted(s);
}
