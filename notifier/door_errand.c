#include "notifier/door_errand.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { THREADS = 4, WAITING_MOST = 64 };

struct errands {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct errand *first, **end; /* those that wait */
    size_t waiting;
    bool closing;
    pthread_t threads[THREADS];
};

/* The next that waits; NULL: the door closes and none is left. */
static struct errand *take(struct errands *all, bool *closing)
{
    struct errand *e;

    pthread_mutex_lock(&all->mutex);
    while (!all->first && !all->closing)
        pthread_cond_wait(&all->changed, &all->mutex);
    e = all->first;
    if (e) {
        all->first = e->next;
        all->end = all->first ? all->end : &all->first;
        all->waiting--;
    }
    *closing = all->closing;
    pthread_mutex_unlock(&all->mutex);
    return e;
}

static unsigned turn_away(struct errand *e)
{
    buf_add_text(e->reply, "{\"error\":\"the service is about to stop\"}\n");
    return MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned make_answer(struct errand *e)
{
    return e->page->answer(e->page->context, e->request, e->reply);
}

static void *run(void *context)
{
    struct errands *all = context;
    struct errand *e;
    bool closing;

    while ((e = take(all, &closing))) {
        e->status = closing ? turn_away(e) : make_answer(e);
        MHD_resume_connection(e->connection); /* from here on e is the door's */
    }
    return NULL;
}

struct errands *errands_new(void)
{
    struct errands *all = xcalloc(1, sizeof *all);

    all->end = &all->first;
    pthread_mutex_init(&all->mutex, NULL);
    pthread_cond_init(&all->changed, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&all->threads[i], NULL, run, all);
    return all;
}

bool errands_give(struct errands *all, struct errand *e)
{
    bool taken;

    pthread_mutex_lock(&all->mutex);
    taken = !all->closing && all->waiting < WAITING_MOST;
    if (taken) {
        MHD_suspend_connection(e->connection); /* before anybody can wake it */
        e->next = NULL;
        *all->end = e;
        all->end = &e->next;
        all->waiting++;
        pthread_cond_signal(&all->changed);
    }
    pthread_mutex_unlock(&all->mutex);
    return taken;
}

void errands_close(struct errands *all)
{
    bool closed;

    if (!all)
        return;
    pthread_mutex_lock(&all->mutex);
    closed = all->closing;
    all->closing = true;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->mutex);
    for (int i = 0; i < THREADS && !closed; i++)
        pthread_join(all->threads[i], NULL);
}

void errands_free(struct errands *all)
{
    if (!all)
        return;
    errands_close(all);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->mutex);
    free(all);
}
