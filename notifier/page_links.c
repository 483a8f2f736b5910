#include "notifier/page_links.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"

struct page_links {
    const struct settings *settings;
    pthread_mutex_t mutex;
    pthread_cond_t given_back;
    struct redis **idle; /* under the mutex, as what follows */
    int idle_count, taken, most;
};

struct page_links *page_links_new(const struct settings *s, int most)
{
    struct page_links *l = xcalloc(1, sizeof *l);
    pthread_condattr_t monotonic;

    l->settings = s;
    l->most = most;
    l->idle = xcalloc((size_t)most, sizeof(struct redis *));
    pthread_mutex_init(&l->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->given_back, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return l;
}

void page_links_free(struct page_links *l)
{
    if (!l)
        return;
    while (l->idle_count > 0)
        redis_free(l->idle[--l->idle_count]);
    free(l->idle);
    pthread_cond_destroy(&l->given_back);
    pthread_mutex_destroy(&l->mutex);
    free(l);
}

static struct redis *link_new(const struct settings *s)
{
    int64_t timeout_ms = s->redis.timeout_ms < PAGE_LINK_REPLY_MS ? s->redis.timeout_ms : PAGE_LINK_REPLY_MS;

    return redis_new(&(struct redis_options){&s->redis.address, (int)timeout_ms});
}

struct redis *page_links_take(struct page_links *l, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + PAGE_LINK_PATIENCE_MS;
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    struct redis *r = NULL;

    pthread_mutex_lock(&l->mutex);
    while (l->taken == l->most && clock_monotonic_ms() < until_ms)
        pthread_cond_timedwait(&l->given_back, &l->mutex, &until);
    if (l->taken < l->most) {
        l->taken++;
        r = l->idle_count > 0 ? l->idle[--l->idle_count] : link_new(l->settings);
    }
    pthread_mutex_unlock(&l->mutex);
    if (!r)
        error_set(err, ERROR_AGAIN, "%d requests wait for Redis already", l->most);
    return r;
}

void page_links_give_back(struct page_links *l, struct redis *r)
{
    pthread_mutex_lock(&l->mutex);
    l->idle[l->idle_count++] = r;
    l->taken--;
    pthread_cond_signal(&l->given_back);
    pthread_mutex_unlock(&l->mutex);
}
