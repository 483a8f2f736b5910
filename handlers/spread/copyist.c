#include "handlers/spread/copyist.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/log.h"
#include "indexer/bulk.h"

enum {
    CONFLICTS_MOST = 5, /* readings of a document that others write too, before it is tried later */
    NAP_LEAST_MS = 50,  /* doubled until NAP_MOST_MS, while an index is busy that has to take a deletion */
    NAP_MOST_MS = 3200,
};

struct copyist {
    struct client *client;
    struct bulk *bulk;
    struct arena *arena; /* what one page makes */
    struct buf text;     /* a document made anew */
    const struct copyist_job *job;
    struct copyist_tally *tally;
};

/* A document of the page being written, and whose copies in it change. */
struct written {
    const struct hit *hit;
    size_t number; /* in the bulk */
    struct change **changes;
    size_t change_count;
};

struct page {
    struct copyist *copyist;
    int reading; /* of these documents: 1 is the search's */
    struct written *items;
    size_t count;
    const struct hit **again; /* to be read again */
    size_t again_count;
    const struct hit **revived; /* deleted meanwhile, and there again by our write */
    size_t revived_count;
    struct change **changed; /* in the document being looked at */
    size_t changed_count, changed_room;
};

struct copyist *copyist_new(const struct settings *s)
{
    struct copyist *w = xcalloc(1, sizeof *w);

    w->client = client_new(&s->opensearch);
    w->bulk = bulk_new(w->client, s->opensearch.bulk_bytes);
    bulk_tell_seq_no(w->bulk);
    w->arena = arena_new();
    buf_init(&w->text);
    return w;
}

void copyist_free(struct copyist *w)
{
    if (!w)
        return;
    bulk_free(w->bulk);
    client_free(w->client);
    arena_free(w->arena);
    buf_release(&w->text);
    free(w);
}

struct client *copyist_client(struct copyist *w)
{
    return w->client;
}

/* -------------------------------------------------------------------------------------------- reading a document */

static const struct subject *look_up(void *context, struct span id)
{
    const struct page *p = context;
    const struct change *change = changes_find(p->copyist->job->changes, id);

    return change ? &change->subject : NULL;
}

static void note_changed(void *context, const struct subject *s)
{
    struct page *p = context;

    if (p->changed_count == p->changed_room) {
        size_t room = p->changed_room ? 2 * p->changed_room : 8;
        struct change **more = arena_alloc(p->copyist->arena, room * sizeof(struct change *));

        if (p->changed_count)
            memcpy(more, p->changed, p->changed_count * sizeof(struct change *));
        p->changed = more;
        p->changed_room = room;
    }
    p->changed[p->changed_count++] = changes_find(p->copyist->job->changes, s->id);
}

static void note_unreadable(struct copyist *w, const struct hit *hit, const char *why)
{
    error_set(&w->tally->unreadable, ERROR_INPUT, "document %s/%s: %s", hit->index, hit->id.text, why);
}

/* As it is now, it counts for who looks again later. */
static void count_in(struct copyist *w, int64_t seq_no)
{
    w->tally->sum.count++;
    w->tally->sum.numbers += (double)seq_no;
    if (seq_no < 0)
        w->tally->sum_known = false;
}

/* A hit without a document: gone meanwhile, of a page too long to be read, or never kept. */
static void pass_over(struct page *p, const struct hit *hit)
{
    if (!hit->found)
        return;
    if (p->reading == 1) {
        p->again[p->again_count++] = hit;
        return;
    }
    note_unreadable(p->copyist, hit, "its index keeps no _source");
    count_in(p->copyist, hit->seq_no);
}

static struct bulk_target target_of(const struct copyist *w, const struct hit *hit)
{
    bool own = w->job->versions == VERSIONS_OWN;

    return (struct bulk_target){
        .action = BULK_INDEX,
        .index = hit->index,
        .with_prefix = true,
        .id = hit->id.text,
        .id_length = hit->id.length,
        .routing = hit->routing,
        .version = own ? -1 : hit->version,
        .same_version = true,
        .seq_no = own ? hit->seq_no : -1,
        .primary_term = own ? hit->primary_term : -1,
    };
}

/* Puts the document into the bulk where a copy in it changed. */
static void add_hit(struct page *p, const struct hit *hit)
{
    const struct copy_source from = {.look_up = look_up, .changed = note_changed, .context = p};
    struct copyist *w = p->copyist;
    struct written *item = &p->items[p->count];
    struct bulk_target target;
    struct error why;
    bool changed;

    if (hit->source.length == 0) {
        pass_over(p, hit);
        return;
    }
    p->changed = NULL;
    p->changed_count = p->changed_room = 0;
    buf_reset(&w->text);
    if (!document_apply(w->job->relation, w->job->roots, hit->source, &from, &w->text, &changed, &why)) {
        note_unreadable(w, hit, why.text);
        count_in(w, hit->seq_no);
        return;
    }
    if (!changed) {
        count_in(w, hit->seq_no);
        return;
    }
    target = target_of(w, hit);
    buf_add(bulk_add(w->bulk, &target, &item->number), w->text.data, w->text.length);
    item->hit = hit;
    item->changes = p->changed;
    item->change_count = p->changed_count;
    p->count++;
}

/* -------------------------------------------------------------------------------------------- what became of it */

static void set_all(struct page *p, const struct written *item, enum outcome outcome, const char *reason,
                    const char *reply)
{
    const char *where =
        arena_printf(p->copyist->arena, "%s: document %s/%s", reason, item->hit->index, item->hit->id.text);

    for (size_t i = 0; i < item->change_count; i++)
        change_set(p->copyist->job->changes, item->changes[i], outcome, where, reply);
    count_in(p->copyist, item->hit->seq_no);
}

static void conflict(struct page *p, const struct written *item, int64_t *count, const char *reply)
{
    ++*count;
    if (p->reading < CONFLICTS_MOST)
        p->again[p->again_count++] = item->hit;
    else
        set_all(p, item, OUTCOME_RETRY, "others write it all the time", reply);
}

/* What was read is not there any more where the server says that it was created: deleted meanwhile, at that version. */
static void wrote(struct page *p, const struct written *item, const struct bulk_item *said)
{
    enum { CREATED = 201 };

    if (said->status == CREATED) {
        p->copyist->tally->superseded++;
        p->revived[p->revived_count++] = item->hit;
        return;
    }
    p->copyist->tally->written++;
    count_in(p->copyist, said->seq_no);
    for (size_t i = 0; i < item->change_count; i++)
        change_wrote(p->copyist->job->changes, item->changes[i]);
}

static void settle_document(struct page *p, const struct written *item)
{
    const struct bulk_item *said = bulk_item(p->copyist->bulk, item->number);
    struct copyist_tally *tally = p->copyist->tally;

    switch (said->outcome) {
    case BULK_UNSENT:
        break;
    case BULK_DONE:
        wrote(p, item, said);
        break;
    case BULK_SUPERSEDED:
        conflict(p, item, &tally->superseded, said->reason);
        break;
    case BULK_CONFLICT:
        conflict(p, item, &tally->conflicts, said->reason);
        break;
    case BULK_BUSY:
        set_all(p, item, OUTCOME_WAIT, "OpenSearch is busy", said->reason);
        break;
    case BULK_PAUSED:
        set_all(p, item, OUTCOME_WAIT, "the index takes no writes", said->reason);
        break;
    case BULK_DEAD:
        tally->refused++;
        set_all(p, item, OUTCOME_DEAD, "OpenSearch refuses it", said->reason);
        break;
    }
}

/* ----------------------------------------------------------------------------------------------- page by page */

static bool write_hits(struct copyist *w, const struct hits *hits, int reading, struct error *err);

/* Halves until a document that is too long to be read is alone. */
static bool read_again(struct copyist *w, const struct hit **hits, size_t count, int reading, struct error *err)
{
    struct hits fresh;

    if (count == 0)
        return true;
    if (hits_get(w->client, hits, count, w->arena, &fresh, err))
        return write_hits(w, &fresh, reading, err);
    if (err->kind != ERROR_INPUT)
        return false;
    if (count > 1)
        return read_again(w, hits, count / 2, reading, err) &&
               read_again(w, hits + count / 2, count - count / 2, reading, err);
    note_unreadable(w, hits[0], err->text);
    count_in(w, hits[0]->seq_no);
    return true;
}

static bool any_busy(const struct bulk *b)
{
    for (size_t i = 0; i < bulk_count(b); i++)
        if (bulk_item(b, i)->outcome == BULK_BUSY)
            return true;
    return false;
}

/* Nobody will find these by themselves: they look like any other document. */
static void say_revived(const struct page *p)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    for (size_t i = 0; i < p->revived_count; i++) {
        const struct bulk_item *said = bulk_item(p->copyist->bulk, i);

        if (said->outcome == BULK_BUSY || said->outcome == BULK_PAUSED || said->outcome == BULK_DEAD)
            log_limited(&limit, LOG_LEVEL_ERROR,
                        "document %s/%s was deleted while it was written, is there again and cannot be deleted: %s",
                        p->revived[i]->index, p->revived[i]->id.text, said->reason);
    }
}

/*
 * Deletes again what our write brought back, unless it was made anew meanwhile. Who is killed before that leaves it: no
 * write at the version of a deletion could be told from it.
 */
static bool delete_revived(struct page *p, struct error *err)
{
    struct bulk *bulk = p->copyist->bulk;
    size_t number;

    if (p->revived_count == 0)
        return true;
    bulk_start(bulk);
    for (size_t i = 0; i < p->revived_count; i++) {
        struct bulk_target target = target_of(p->copyist, p->revived[i]);

        target.action = BULK_DELETE;
        bulk_add(bulk, &target, &number);
    }
    if (!bulk_send(bulk, err))
        return false;
    for (int nap_ms = NAP_LEAST_MS; any_busy(bulk) && nap_ms <= NAP_MOST_MS; nap_ms *= 2) {
        nanosleep(&(struct timespec){.tv_sec = nap_ms / 1000, .tv_nsec = nap_ms % 1000 * 1000000L}, NULL);
        bulk_again(bulk);
        if (!bulk_send(bulk, err))
            return false;
    }
    say_revived(p);
    return true;
}

static bool write_hits(struct copyist *w, const struct hits *hits, int reading, struct error *err)
{
    struct page p = {.copyist = w, .reading = reading};

    p.items = arena_alloc(w->arena, (hits->count + 1) * sizeof *p.items);
    p.again = arena_alloc(w->arena, (hits->count + 1) * sizeof(struct hit *));
    p.revived = arena_alloc(w->arena, (hits->count + 1) * sizeof(struct hit *));
    bulk_start(w->bulk);
    for (size_t i = 0; i < hits->count; i++)
        add_hit(&p, &hits->items[i]);
    if (p.count > 0 && !bulk_send(w->bulk, err))
        return false;
    for (size_t i = 0; i < p.count; i++)
        settle_document(&p, &p.items[i]);
    return delete_revived(&p, err) && read_again(w, p.again, p.again_count, reading + 1, err);
}

/* A page, and what is asked after it. *more: there was one. */
static bool next_page(struct copyist *w, struct scroll *scroll, bool *more, struct error *err)
{
    int64_t before = w->tally->written;
    struct hits hits;

    arena_reset(w->arena);
    *more = false;
    if (!scroll_next(scroll, w->arena, &hits, err))
        return false;
    if (hits.count == 0)
        return true;
    *more = true;
    return write_hits(w, &hits, 1, err) &&
           (!w->job->between || w->job->between(w->job->context, w->tally->written - before, err));
}

bool copyist_pass(struct copyist *w, const struct copyist_job *job, const json_t *query, int part, int parts,
                  struct copyist_tally *tally, struct error *err)
{
    struct scroll *scroll = scroll_open(w->client, job->index, query, job->page);
    bool ok = true, more = true;

    w->job = job;
    w->tally = tally;
    *tally = (struct copyist_tally){.sum_known = true, .unreadable = ERROR_INIT};
    if (parts == 0)
        scroll_first_page_only(scroll);
    else if (parts > 1)
        scroll_part(scroll, part, parts);
    while (ok && more)
        ok = next_page(w, scroll, &more, err);
    scroll_close(scroll);
    arena_reset(w->arena);
    bulk_start(w->bulk);
    return ok;
}
