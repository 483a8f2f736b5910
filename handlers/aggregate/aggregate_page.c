#include "handlers/aggregate/aggregate_page.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/counters.h"
#include "base/log.h"
#include "handlers/aggregate/aggregate_write.h"
#include "handlers/record_stats/record_marks.h"

enum {
    PAGE_LEAST = 10,
    GROWTH = 8,     /* after a page that went well, the next is larger by an eighth */
    NEWER_MOST = 5, /* times that a page is computed again for a higher version in the index */
};

/* One page in hand. */
struct page {
    struct aggregation *aggregation;
    struct clock_run *run;
    struct arena *arena;
    struct aggregate_result *results;
    enum aggregate_outcome *outcomes;
    size_t count;
    struct buf *reason;
    size_t refused;
};

/* The marks of results with an outcome. */
static struct dirty_mark *marks_with(const struct page *p, enum aggregate_outcome outcome, size_t *count)
{
    struct dirty_mark *marks = arena_alloc(p->arena, (p->count + 1) * sizeof *marks);

    *count = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->outcomes[i] == outcome)
            marks[(*count)++] = p->results[i].mark;
    return marks;
}

/* ------------------------------------------------------------------------------------------- records' counters */

static bool mark_records(const struct page *p, struct error *err)
{
    struct dirty_mark *marks = arena_alloc(p->arena, (p->count + 1) * sizeof *marks);
    size_t count = 0;

    for (size_t i = 0; i < p->count; i++)
        if (p->outcomes[i] == AGGREGATE_DONE && p->results[i].parent)
            marks[count++] = (struct dirty_mark){.key = span_of(p->results[i].parent)};
    return record_marks_set(p->aggregation->handler, marks, count, err);
}

/* ---------------------------------------------------------------------------------------------------- settling */

static bool settle(const struct page *p, enum aggregate_outcome outcome, struct error *err)
{
    const struct handler *h = p->aggregation->handler;
    size_t count;
    struct dirty_mark *marks = marks_with(p, outcome, &count);

    return dirty_settle(h->redis, h->common->queue, h->common->name, marks, count, err);
}

static void say_never(const struct page *p)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    for (size_t i = 0; i < p->count; i++)
        if (p->outcomes[i] == AGGREGATE_NEVER)
            log_limited(&limit, LOG_LEVEL_ERROR, "handler %s: a key of %zu bytes cannot be counted: no id is so long",
                        p->aggregation->handler->common->name, p->results[i].mark.key.length);
}

/* Refused ones get a new number: they come last, and do not keep others from their turn. */
static bool put_back_refused(struct page *p, struct error *err)
{
    const struct handler *h = p->aggregation->handler;
    struct dirty_mark *marks = marks_with(p, AGGREGATE_REFUSED, &p->refused);

    return dirty_mark(h->redis, h->common->queue, h->common->name, marks, p->refused, err);
}

static bool settle_page(struct page *p, struct error *err)
{
    size_t done, waiting;

    say_never(p);
    if (!mark_records(p, err) || !settle(p, AGGREGATE_DONE, err) || !settle(p, AGGREGATE_NEVER, err) ||
        !put_back_refused(p, err))
        return false;
    marks_with(p, AGGREGATE_DONE, &done);
    p->run->did(p->run, (int64_t)done);
    marks_with(p, AGGREGATE_WAIT, &waiting);
    return waiting == 0 || error_set(err, ERROR_AGAIN, "OpenSearch takes no writes now: %s", p->reason->data);
}

/* -------------------------------------------------------------------------------------------------- one page */

/* Computes and writes; the number is taken before the search, the lease is looked at after it. */
static bool compute_and_write(struct page *p, const struct dirty_mark *marks, size_t count, int64_t above,
                              bool *searched, struct error *err)
{
    struct aggregation *a = p->aggregation;
    int64_t version;

    *searched = true;
    p->count = count;
    p->outcomes = arena_zero(p->arena, (count + 1) * sizeof *p->outcomes);
    if (!aggregate_version(a, above, &version, err))
        return false;
    *searched = aggregate_compute(a, marks, count, p->arena, &p->results, err);
    return *searched && p->run->may_go_on(p->run, err) &&
           aggregate_write(a, p->results, count, version, p->arena, p->outcomes, p->reason, err);
}

/*
 * *searched false: the search failed, and a smaller page may go through. Where the index has higher versions, Redis has
 * lost its count, or another process came in between: what that one saw may be less than what is there by now.
 */
static bool work_page(struct page *p, const struct dirty_mark *marks, size_t count, bool *searched, struct error *err)
{
    int64_t above = 0;

    for (int tries = 0; tries < NEWER_MOST && count > 0; tries++) {
        if (!compute_and_write(p, marks, count, above, searched, err) || !settle_page(p, err))
            return false;
        marks = marks_with(p, AGGREGATE_NEWER, &count);
        if (count && !aggregate_highest(p->aggregation, marks, count, &above, err))
            return false;
    }
    return count == 0 || error_set(err, ERROR_AGAIN, "%zu aggregates have higher versions time and again", count);
}

/* ------------------------------------------------------------------------------------------------- all of them */

static void note_refused(struct page *p, size_t *refused, struct buf *why)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    if (!p->refused)
        return;
    *refused += p->refused;
    log_limited(&limit, LOG_LEVEL_ERROR, "handler %s: OpenSearch refuses %zu aggregates: %s",
                p->aggregation->handler->common->name, p->refused, p->reason->data);
    buf_reset(why);
    buf_add_text(why, p->reason->data);
}

/* Whether a smaller page is worth a try. */
static bool shrink(struct aggregation *a, size_t tried, const struct error *err)
{
    if (tried <= PAGE_LEAST) {
        a->page = (size_t)a->options->page; /* it was not for the size */
        return false;
    }
    a->page = tried / 2 > PAGE_LEAST ? tried / 2 : PAGE_LEAST;
    log_debug("handler %s: pages of %zu keys from now: %s", a->handler->common->name, a->page, err->text);
    return true;
}

static void grow(struct aggregation *a, size_t tried)
{
    size_t most = (size_t)a->options->page;

    if (tried < a->page)
        return;
    a->page += a->page / GROWTH + 1;
    if (a->page > most)
        a->page = most;
}

bool aggregate_work_off(struct aggregation *a, struct clock_run *run, const struct dirty_mark *marks, size_t count,
                        struct error *err)
{
    struct buf reason = BUF_INIT, why = BUF_INIT;
    struct arena *arena = arena_new();
    size_t at = 0, refused = 0;
    bool ok = true;

    while (ok && at < count) {
        size_t size = count - at < a->page ? count - at : a->page;
        struct page p = {.aggregation = a, .run = run, .arena = arena, .reason = &reason};
        bool searched;

        arena_reset(arena);
        ok = run->may_go_on(run, err);
        if (!ok)
            break;
        if (work_page(&p, marks + at, size, &searched, err)) {
            at += size;
            grow(a, size);
        } else {
            ok = !searched && shrink(a, size, err);
        }
        note_refused(&p, &refused, &why);
    }
    if (ok && refused)
        ok = error_set(err, ERROR_AGAIN, "OpenSearch refuses %zu aggregates: %s", refused, why.data);
    else if (!ok)
        err->kind = ERROR_AGAIN;
    arena_free(arena);
    buf_release(&reason);
    buf_release(&why);
    return ok;
}
