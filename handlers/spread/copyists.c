#include "handlers/spread/copyists.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { COPYISTS_MOST = 2 };

struct copyists {
    struct copyist *items[COPYISTS_MOST];
    int count;
};

/* What one of them does. */
struct part {
    struct copyist *copyist;
    const struct copyist_job *job;
    const json_t *query;
    int number, of;
    pthread_t thread;
    bool has_thread;
    struct copyist_tally tally;
    struct error err;
    bool ok;
};

struct copyists *copyists_new(const struct settings *s, int count)
{
    struct copyists *c = xcalloc(1, sizeof *c);

    for (; c->count < count && c->count < COPYISTS_MOST; c->count++)
        c->items[c->count] = copyist_new(s);
    return c;
}

void copyists_free(struct copyists *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->count; i++)
        copyist_free(c->items[i]);
    free(c);
}

struct client *copyists_client(struct copyists *c)
{
    return copyist_client(c->items[0]);
}

static void *part_main(void *context)
{
    struct part *p = context;

    p->ok = copyist_pass(p->copyist, p->job, p->query, p->number, p->of, &p->tally, &p->err);
    return NULL;
}

static void add_tally(struct copyist_tally *to, const struct copyist_tally *more)
{
    to->written += more->written;
    to->superseded += more->superseded;
    to->conflicts += more->conflicts;
    to->refused += more->refused;
    to->sum.count += more->sum.count;
    to->sum.numbers += more->sum.numbers;
    to->sum_known = to->sum_known && more->sum_known;
    if (more->unreadable.kind != ERROR_NONE)
        to->unreadable = more->unreadable;
}

/* The first is the calling thread's, as is what no thread can be had for. */
static void run_parts(struct part *p, int count)
{
    for (int i = 1; i < count; i++)
        p[i].has_thread = pthread_create(&p[i].thread, NULL, part_main, &p[i]) == 0;
    for (int i = 0; i < count; i++)
        if (!p[i].has_thread)
            part_main(&p[i]);
    for (int i = 1; i < count; i++)
        if (p[i].has_thread)
            pthread_join(p[i].thread, NULL);
}

bool copyists_pass(struct copyists *c, const struct copyist_job *job, const json_t *query, bool one_page,
                   struct copyist_tally *tally, struct error *err)
{
    struct part p[COPYISTS_MOST];
    int count = one_page ? 1 : c->count;
    bool ok = true;

    for (int i = 0; i < count; i++)
        p[i] = (struct part){
            .copyist = c->items[i], .job = job, .query = query, .number = i, .of = one_page ? 0 : c->count};
    run_parts(p, count);
    *tally = (struct copyist_tally){.sum_known = true, .unreadable = ERROR_INIT};
    for (int i = 0; i < count; i++) {
        add_tally(tally, &p[i].tally);
        if (!p[i].ok && (ok || p[i].err.kind == ERROR_AGAIN))
            *err = p[i].err;
        ok = ok && p[i].ok;
    }
    return ok;
}
