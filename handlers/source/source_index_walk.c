#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_compact.h"
#include "handlers/source/source_index.h"
#include "indexer/indices.h"
#include "indexer/search.h"

#define KEEP_ALIVE "2m"

enum {
    REOPEN_MOST = 3, /* in a row */
    HITS_MOST = 10000,
    SHOWN_MOST = 100,
};

/*
 * Documents are walked over a point in time, in the order of a field or of their writes, and at last of _seq_no: that
 * is a number of the shard, so a page may end between equals, and those at its end are left to the next page. A
 * position is the sort values up to which all is read; over a point in time opened later it leads on as well, as what
 * was written meanwhile only moved on.
 */
void source_index_leave(struct source_index *s)
{
    search_point_close(s->client, &s->point);
}

static bool open_point(struct source *x, struct error *err)
{
    struct source_index *s = x->state;
    bool missing;

    return search_point_open(s->client, x->options->index, KEEP_ALIVE, &s->point, &missing, err) &&
           (s->point || source_index_missing(x, err));
}

static void add_page_request(struct source *x, const struct source_walk *walk, size_t size)
{
    struct source_index *s = x->state;
    struct buf *out = &s->request;

    buf_reset(out);
    buf_printf(out,
               "{\"size\":%zu,\"version\":true,\"track_total_hits\":false,\"pit\":{\"keep_alive\":\"" KEEP_ALIVE
               "\",\"id\":",
               size);
    buf_add_json_text(out, s->point);
    buf_add_text(out, "},\"query\":");
    source_index_add_query(x, walk->since_us, out);
    buf_add_text(out, ",\"sort\":[");
    if (*x->options->order) {
        buf_add_char(out, '{');
        buf_add_json_text(out, x->options->order);
        buf_add_text(out, ":\"asc\"},");
    }
    buf_add_text(out, "{\"_seq_no\":\"asc\"}]");
    if (walk->position.length) {
        buf_add_text(out, ",\"search_after\":");
        buf_add(out, walk->position.text, walk->position.length);
    }
    buf_add_char(out, '}');
}

/* A page of that size, over a point in time that is opened anew where it expired, or went with its node. */
static bool fetch_page(struct source *x, const struct source_walk *walk, size_t size, struct source_index_reply *reply,
                       struct error *err)
{
    struct source_index *s = x->state;

    for (int tries = 0; tries < REOPEN_MOST; tries++) {
        reply->too_long = false;
        if (!s->point && !open_point(x, err))
            return false;
        add_page_request(x, walk, size);
        if (!source_index_ask(s, "/_search?allow_partial_search_results=false", reply, err))
            return false;
        if (!reply->missing)
            return true;
        free(s->point);
        s->point = NULL;
    }
    return error_set(err, ERROR_AGAIN, "OpenSearch forgets its points in time at once");
}

static struct span sort_of(struct span hit)
{
    struct span sort;

    return json_compact_at(hit, "sort", &sort) ? sort : SPAN_NONE;
}

/* The hits of a page, at most size. */
static size_t list_hits(struct span hits, size_t size, struct span *list)
{
    size_t at = 0, count = 0;

    while (count < size && json_compact_next(hits, &at, &list[count]))
        count++;
    return count;
}

static bool same_place(struct span a, struct span b)
{
    struct span of_a = sort_of(a), of_b = sort_of(b);

    return of_a.length == of_b.length && memcmp(of_a.text, of_b.text, of_a.length) == 0;
}

/*
 * How many hits of the page are given out: of a full one without the last that are equal, as other shards may hold more
 * of them.
 */
static size_t count_whole(const struct span *list, size_t count, size_t size)
{
    size_t whole = count;

    if (count < size)
        return count;
    while (whole > 0 && same_place(list[whole - 1], list[count - 1]))
        whole--;
    return whole;
}

static void take_hits(struct source *x, const struct span *list, size_t count, struct source_walk *walk,
                      struct arena *arena, struct source_document **out)
{
    *out = arena_alloc(arena, (count + 1) * sizeof **out);
    for (size_t i = 0; i < count; i++) {
        (*out)[i] =
            (struct source_document){.id = SPAN_NONE, .version = VERSION_NONE, .body = SPAN_NONE, .routing = SPAN_NONE};
        source_index_read(x->state, list[i], arena, &(*out)[i]);
    }
    if (count > 0) {
        struct span sort = sort_of(list[count - 1]);

        walk->position = (struct span){arena_copy(arena, sort.text, sort.length), sort.length};
    }
}

/* A walk goes on over its own point in time; any other begins with a new one. */
static bool go_to(struct source *x, const struct source_walk *walk, struct error *err)
{
    struct source_index *s = x->state;
    struct buf compact = BUF_INIT;
    bool good =
        walk->position.length == 0 ||
        (walk->position.text[0] == '[' && json_compact(walk->position.text, walk->position.length, 2, &compact, err));

    buf_release(&compact);
    if (!good)
        return error_set(err, ERROR_INPUT, "\"%.*s\" is no position in an index",
                         (int)(walk->position.length < SHOWN_MOST ? walk->position.length : SHOWN_MOST),
                         walk->position.text);
    if (walk->since_us && !*x->options->changed)
        return error_set(err, ERROR_CONFIG, "changed is wanted to tell what changed since a time");
    if (!s->at || !span_is(walk->position, s->at) || s->since_us != walk->since_us || walk->position.length == 0)
        source_index_leave(s);
    return true;
}

static void note_place(struct source_index *s, const struct source_walk *walk)
{
    free(s->at);
    s->at = xstrndup(walk->position.text, walk->position.length);
    s->since_us = walk->since_us;
}

/* A page that is too long is asked for smaller; one in which all are equal, larger. */
static bool fetch_hits(struct source *x, const struct source_walk *walk, struct arena *arena, struct span **list,
                       size_t *count, struct error *err)
{
    struct source_index_reply reply;
    struct span hits;
    size_t size = walk->most, all;
    bool grown = false;

    for (;;) {
        if (fetch_page(x, walk, size, &reply, err)) {
            if (!json_compact_at(reply.text, "hits.hits", &hits))
                return error_set(err, ERROR_AGAIN, "OpenSearch answers a search without hits");
            *list = arena_alloc(arena, size * sizeof **list);
            all = list_hits(hits, size, *list);
            *count = count_whole(*list, all, size);
            if (*count > 0 || all == 0)
                return true;
            if (size >= HITS_MOST)
                return error_set(err, ERROR_INPUT, "more than %d documents have the same place in its order",
                                 HITS_MOST);
            grown = true;
            size = 2 * size < HITS_MOST ? 2 * size : HITS_MOST;
        } else if (reply.too_long && size > 1 && !grown) {
            size /= 2;
        } else {
            err->kind = reply.too_long ? ERROR_INPUT : err->kind;
            return false;
        }
    }
}

bool source_index_page(struct source *x, struct source_walk *walk, struct arena *arena, struct source_document **out,
                       size_t *count, struct error *err)
{
    struct source_index *s = x->state;
    struct span *list = NULL;

    if (!go_to(x, walk, err) || !fetch_hits(x, walk, arena, &list, count, err))
        return false;
    take_hits(x, list, *count, walk, arena, out);
    note_place(s, walk);
    if (*count == 0)
        source_index_leave(s);
    return true;
}
