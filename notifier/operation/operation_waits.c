#include "notifier/operation/operation_waits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

struct operation_waits {
    struct searchable searchable;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct operation_wait *waiting, *done, *refreshing; /* done: but not searchable yet; refreshing: under way to be */
    size_t count;                                       /* of all three */
    bool closing, over;
    pthread_t refresher;
};

static void answer(struct operation_waits *all, struct operation_wait *w, unsigned status)
{
    w->status = status;
    MHD_resume_connection(w->connection); /* from here on w is the door's */
    pthread_mutex_lock(&all->mutex);
    all->count--;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->mutex);
}

static void answer_all(struct operation_waits *all, struct operation_wait *list, unsigned status)
{
    while (list) {
        struct operation_wait *w = list;

        list = w->next;
        answer(all, w, status);
    }
}

/* Takes out of a list those that the question says yes to. */
static struct operation_wait *take(struct operation_wait **list, int64_t now_ms,
                                   bool (*question)(const struct operation_wait *w, int64_t now_ms))
{
    struct operation_wait *taken = NULL;

    while (*list) {
        struct operation_wait *w = *list;

        if (!question(w, now_ms)) {
            list = &w->next;
            continue;
        }
        *list = w->next;
        w->next = taken;
        taken = w;
    }
    return taken;
}

/* ------------------------------------------------------------------------------------------ made searchable */

static json_t *handlers_of(const struct operation_wait *list)
{
    json_t *names = json_object();

    for (; list; list = list->next)
        searchable_add_handlers(names, list->answer);
    return names;
}

static bool make_searchable(struct operation_waits *all, json_t *names)
{
    static struct log_limit limit = LOG_LIMIT_INIT;
    struct error err;
    bool ok = searchable_make(&all->searchable, names, &err);

    if (!ok)
        log_limited(&limit, LOG_LEVEL_WARN, "what is waited for cannot be made searchable: %s", err.text);
    return ok;
}

/* Those whose time is over are answered meanwhile, by operation_waits_look. */
static void refresh_for(struct operation_waits *all, struct operation_wait *list)
{
    json_t *names = handlers_of(list);
    bool ok;

    pthread_mutex_lock(&all->mutex);
    all->refreshing = list;
    pthread_mutex_unlock(&all->mutex);
    ok = make_searchable(all, names);
    pthread_mutex_lock(&all->mutex);
    list = all->refreshing;
    all->refreshing = NULL;
    pthread_mutex_unlock(&all->mutex);
    answer_all(all, list, ok ? 200 : 202);
    json_decref(names);
}

static void *refresh(void *context)
{
    struct operation_waits *all = context;

    pthread_mutex_lock(&all->mutex);
    while (!all->over) {
        struct operation_wait *list = all->done;

        all->done = NULL;
        if (!list) {
            pthread_cond_wait(&all->changed, &all->mutex);
            continue;
        }
        pthread_mutex_unlock(&all->mutex);
        refresh_for(all, list);
        pthread_mutex_lock(&all->mutex);
    }
    pthread_mutex_unlock(&all->mutex);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------- those there */

struct operation_waits *operation_waits_new(const struct searchable *searchable)
{
    struct operation_waits *all = xcalloc(1, sizeof *all);

    all->searchable = *searchable;
    pthread_mutex_init(&all->mutex, NULL);
    pthread_cond_init(&all->changed, NULL);
    pthread_create(&all->refresher, NULL, refresh, all);
    return all;
}

void operation_waits_free(struct operation_waits *all)
{
    pthread_mutex_lock(&all->mutex);
    all->over = true;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->mutex);
    pthread_join(all->refresher, NULL);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->mutex);
    free(all);
}

bool operation_waits_give(struct operation_waits *all, struct operation_wait *w)
{
    bool taken;

    pthread_mutex_lock(&all->mutex);
    taken = !all->closing && all->count < OPERATION_WAITS_MOST;
    if (taken) {
        MHD_suspend_connection(w->connection); /* before anybody can wake it */
        w->status = 0;
        w->look = true;
        w->next = all->waiting;
        all->waiting = w;
        all->count++;
    }
    pthread_mutex_unlock(&all->mutex);
    return taken;
}

void operation_waits_heard(struct operation_waits *all, struct span operation)
{
    pthread_mutex_lock(&all->mutex);
    for (struct operation_wait *w = all->waiting; w; w = w->next)
        if (operation.length == 0 || span_is(operation, w->operation))
            w->look = true;
    pthread_mutex_unlock(&all->mutex);
}

static bool to_be_looked_at(const struct operation_wait *w, int64_t now_ms)
{
    (void)now_ms;
    return w->look;
}

static bool too_late(const struct operation_wait *w, int64_t now_ms)
{
    return now_ms >= w->until_ms;
}

/* Also those that are done, where the refresh takes too long. */
static void end_late(struct operation_waits *all, int64_t now_ms)
{
    struct operation_wait **lists[] = {&all->waiting, &all->done, &all->refreshing};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct operation_wait *late;

        pthread_mutex_lock(&all->mutex);
        late = take(lists[i], now_ms, too_late);
        pthread_mutex_unlock(&all->mutex);
        answer_all(all, late, 202);
    }
}

/* Where Redis does not answer it is looked at again. */
static void look_at(struct redis *r, struct operation_wait *w)
{
    struct error err;

    buf_reset(w->answer);
    w->look = !operation_show(r, w->operation, w->caller, &w->fate, w->answer, &err);
}

/* To where it belongs by now; true: it is answered, as nothing better will come. */
static bool sort(struct operation_waits *all, struct operation_wait *w)
{
    struct operation_wait **list = w->fate == OPERATION_DONE && !w->look ? &all->done : &all->waiting;

    if (!w->look && (w->fate == OPERATION_DEAD || w->fate == OPERATION_UNKNOWN))
        return true;
    w->next = *list;
    *list = w;
    if (list == &all->done)
        pthread_cond_broadcast(&all->changed);
    return false;
}

void operation_waits_look(struct operation_waits *all, struct redis *r)
{
    int64_t now_ms = clock_monotonic_ms();
    struct operation_wait *list;

    pthread_mutex_lock(&all->mutex);
    if (all->closing)
        now_ms = INT64_MAX;
    list = take(&all->waiting, now_ms, to_be_looked_at);
    pthread_mutex_unlock(&all->mutex);
    while (list) {
        struct operation_wait *w = list;
        bool ends;

        list = w->next;
        look_at(r, w);
        pthread_mutex_lock(&all->mutex);
        ends = sort(all, w);
        pthread_mutex_unlock(&all->mutex);
        if (ends)
            answer(all, w, 202);
    }
    end_late(all, now_ms);
}

void operation_waits_close(struct operation_waits *all)
{
    pthread_mutex_lock(&all->mutex);
    all->closing = true;
    while (all->count > 0)
        pthread_cond_wait(&all->changed, &all->mutex);
    pthread_mutex_unlock(&all->mutex);
}
