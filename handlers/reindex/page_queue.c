#include "handlers/reindex/page_queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "handlers/repair/writer.h"

enum { MORE_PAGES = 2 /* than writers: one being filled, one waiting */, ASK_MS = 200 };

enum page_state { PAGE_EMPTY, PAGE_LENT, PAGE_FULL, PAGE_WRITING, PAGE_WRITTEN };

struct page_slot {
    struct page page; /* first: what others see */
    enum page_state state;
};

/* What a writer is asked by: it shares nothing with the thread that keeps the lease. */
struct quiet_run {
    struct clock_run run; /* first */
    atomic_bool *ending;
};

struct page_queue {
    const struct settings *settings;
    const char *index;
    page_settled *settled;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct page_slot *slots; /* a ring: pages are put, written and settled in its order */
    size_t slot_count, first, used;
    pthread_t *writers;
    size_t writer_count;
    atomic_bool ending;
    struct error failure; /* ERROR_NONE: none */
};

/* ----------------------------------------------------------------------------------------------------- a writer */

static bool quiet_may_go_on(struct clock_run *run, struct error *err)
{
    struct quiet_run *q = (struct quiet_run *)run;

    return !atomic_load(q->ending) || error_set(err, ERROR_AGAIN, "stopped before the end");
}

static void quiet_did(struct clock_run *run, int64_t items)
{
    (void)run;
    (void)items;
}

static bool write_document(struct writer *w, const char *index, const struct page_document *d, struct error *err)
{
    struct bulk_target target = {.action = d->gone ? BULK_DELETE : BULK_INDEX,
                                 .index = index,
                                 .routing = d->routing,
                                 .id = d->id.text,
                                 .id_length = d->id.length,
                                 .version = d->unversioned ? -1 : d->version,
                                 .same_version = !d->newer_only,
                                 .seq_no = -1,
                                 .primary_term = -1};

    return writer_add(w, &target, d->gone ? "" : d->body.text, d->gone ? 0 : d->body.length, err);
}

static bool write_page(struct page_queue *q, struct writer *w, const struct page *p, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < p->count; i++)
        ok = write_document(w, q->index, &p->documents[i], err);
    ok = ok && writer_flush(w, err);
    if (ok && writer_counts(w)->refused > 0)
        ok = error_set(err, ERROR_INPUT, "%s refuses a document: %s", q->index, writer_counts(w)->refusal);
    return ok;
}

static struct page_slot *find_full(struct page_queue *q)
{
    for (size_t i = 0; i < q->used; i++) {
        struct page_slot *slot = &q->slots[(q->first + i) % q->slot_count];

        if (slot->state == PAGE_FULL)
            return slot;
    }
    return NULL;
}

/* NULL: the end. */
static struct page_slot *wait_for_full(struct page_queue *q)
{
    struct page_slot *slot;

    pthread_mutex_lock(&q->lock);
    while (!(slot = find_full(q)) && !atomic_load(&q->ending))
        pthread_cond_wait(&q->changed, &q->lock);
    if (atomic_load(&q->ending))
        slot = NULL;
    if (slot)
        slot->state = PAGE_WRITING;
    pthread_mutex_unlock(&q->lock);
    return slot;
}

static void note_written(struct page_queue *q, struct page_slot *slot, const struct error *failure)
{
    pthread_mutex_lock(&q->lock);
    if (failure && q->failure.kind == ERROR_NONE)
        q->failure = *failure;
    slot->state = failure ? PAGE_FULL : PAGE_WRITTEN;
    if (failure)
        atomic_store(&q->ending, true);
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

static void *write_pages(void *context)
{
    struct page_queue *q = context;
    struct client *client = client_new(&q->settings->opensearch);
    struct quiet_run run = {
        {quiet_may_go_on, quiet_did},
        &q->ending
    };
    struct writer *w = writer_new(client, q->settings->opensearch.bulk_bytes, &run.run);
    struct page_slot *slot;
    struct error err;

    while ((slot = wait_for_full(q)))
        note_written(q, slot, write_page(q, w, &slot->page, &err) ? NULL : &err);
    writer_free(w);
    client_free(client);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ from outside */

struct page_queue *page_queue_new(const struct settings *s, const char *index, size_t writers, page_settled *settled,
                                  void *context)
{
    struct page_queue *q = xcalloc(1, sizeof *q);

    q->settings = s;
    q->index = index;
    q->settled = settled;
    q->context = context;
    q->failure = (struct error)ERROR_INIT;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->changed, NULL);
    q->slot_count = writers + MORE_PAGES;
    q->slots = xcalloc(q->slot_count, sizeof *q->slots);
    for (size_t i = 0; i < q->slot_count; i++) {
        buf_init(&q->slots[i].page.text);
        q->slots[i].page.arena = arena_new();
    }
    q->writers = xcalloc(writers, sizeof *q->writers);
    while (q->writer_count < writers && pthread_create(&q->writers[q->writer_count], NULL, write_pages, q) == 0)
        q->writer_count++;
    if (q->writer_count == 0)
        error_set(&q->failure, ERROR_AGAIN, "no thread can be started");
    return q;
}

void page_queue_free(struct page_queue *q)
{
    if (!q)
        return;
    pthread_mutex_lock(&q->lock);
    atomic_store(&q->ending, true);
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    for (size_t i = 0; i < q->writer_count; i++)
        pthread_join(q->writers[i], NULL);
    for (size_t i = 0; i < q->slot_count; i++) {
        buf_release(&q->slots[i].page.text);
        arena_free(q->slots[i].page.arena);
    }
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->changed);
    free(q->slots);
    free(q->writers);
    free(q);
}

/* The oldest page, where it is written; its state belongs to the thread that puts. NULL: not yet. */
static struct page_slot *oldest_written(struct page_queue *q, struct error *err, bool *ok)
{
    struct page_slot *slot = &q->slots[q->first];

    *ok = true;
    pthread_mutex_lock(&q->lock);
    if (q->used == 0 || slot->state != PAGE_WRITTEN)
        slot = NULL;
    if (!slot && q->failure.kind != ERROR_NONE) {
        *err = q->failure;
        *ok = false;
    }
    pthread_mutex_unlock(&q->lock);
    return slot;
}

/* All that were written from the oldest on. */
static bool settle(struct page_queue *q, struct error *err)
{
    struct page_slot *slot;
    bool ok;

    while ((slot = oldest_written(q, err, &ok))) {
        if (!q->settled(&slot->page, q->context, err))
            return false;
        pthread_mutex_lock(&q->lock);
        slot->state = PAGE_EMPTY;
        q->first = (q->first + 1) % q->slot_count;
        q->used--;
        pthread_mutex_unlock(&q->lock);
    }
    return ok;
}

/* Until something changed, or for a moment. */
static void wait_for_change(struct page_queue *q)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ASK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&q->lock);
    if (q->used > 0 && q->slots[q->first].state != PAGE_WRITTEN && q->failure.kind == ERROR_NONE)
        pthread_cond_timedwait(&q->changed, &q->lock, &until);
    pthread_mutex_unlock(&q->lock);
}

/* Until at most so many pages are under way. */
static bool wait_until(struct page_queue *q, size_t most, struct clock_run *run, struct error *err)
{
    for (;;) {
        if (!run->may_go_on(run, err) || !settle(q, err))
            return false;
        if (q->used <= most)
            return true;
        wait_for_change(q);
    }
}

bool page_queue_take(struct page_queue *q, struct clock_run *run, struct page **page, struct error *err)
{
    struct page_slot *slot;

    if (!wait_until(q, q->slot_count - 1, run, err))
        return false;
    slot = &q->slots[(q->first + q->used) % q->slot_count];
    slot->state = PAGE_LENT;
    *page = &slot->page;
    buf_reset(&slot->page.text);
    arena_reset(slot->page.arena);
    slot->page.documents = NULL;
    slot->page.count = 0;
    slot->page.read = 0;
    slot->page.position = SPAN_NONE;
    return true;
}

void page_queue_put(struct page_queue *q, struct page *page)
{
    struct page_slot *slot = (struct page_slot *)page;

    pthread_mutex_lock(&q->lock);
    slot->state = PAGE_FULL;
    q->used++;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

bool page_queue_drain(struct page_queue *q, struct clock_run *run, struct error *err)
{
    return wait_until(q, 0, run, err);
}
