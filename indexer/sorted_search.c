#include "indexer/sorted_search.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "indexer/indices.h"

#define KEEP_ALIVE "2m"

enum { REOPEN_MOST = 3 /* in a row */ };

/*
 * The last key is _seq_no, by which two hits are equal only across shards: those at the end of a page are left to the
 * next one.
 */
struct sorted_search {
    struct client *client;
    char *index;
    json_t *request; /* but for the point in time and the place to go on */
    size_t page_size;
    char *point;
    json_t *after; /* sort values of the last hit lent; NULL: none was */
    json_t *hits;
    bool ended;
};

static json_t *sort_of(const json_t *fields)
{
    json_t *sort = json_array();

    for (size_t i = 0; i < json_array_size(fields); i++)
        json_array_append_new(sort, json_pack("{s:s}", json_string_value(json_array_get(fields, i)), "asc"));
    json_array_append_new(sort, json_pack("{s:s}", "_seq_no", "asc"));
    return sort;
}

struct sorted_search *sorted_search_open(struct client *c, const char *index, const json_t *query, const json_t *fields,
                                         const json_t *source, size_t page_size)
{
    struct sorted_search *s = xcalloc(1, sizeof *s);

    s->client = c;
    s->index = xstrdup(index);
    s->page_size = page_size;
    s->request = json_pack("{s:b, s:b, s:O, s:O, s:o}", "version", 1, "track_total_hits", 0, "query", query, "_source",
                           source, "sort", sort_of(fields));
    return s;
}

/* ------------------------------------------------------------------------------------------ the point in time */

static bool open_point(struct sorted_search *s, struct error *err)
{
    json_t *answer;
    const char *id;

    if (!indices_ask(s->client, "POST", s->index,
                     "/_search/point_in_time?keep_alive=" KEEP_ALIVE
                     "&allow_no_indices=false&allow_partial_pit_creation=false",
                     NULL, &answer, &s->ended, err))
        return false;
    id = json_member_text(answer, "pit_id", NULL);
    if (id)
        s->point = xstrdup(id);
    json_decref(answer);
    return s->ended || s->point || error_set(err, ERROR_AGAIN, "OpenSearch opened no point in time");
}

static void forget_point(struct sorted_search *s)
{
    free(s->point);
    s->point = NULL;
}

/* Best effort: what is not closed expires. */
static void close_point(struct sorted_search *s)
{
    struct error err;
    json_t *body, *answer;

    if (!s->point)
        return;
    body = json_pack("{s:[s]}", "pit_id", s->point);
    if (client_json(s->client, "DELETE", "/_search/point_in_time", body, &answer, NULL, &err))
        json_decref(answer);
    json_decref(body);
    forget_point(s);
}

void sorted_search_close(struct sorted_search *s)
{
    if (!s)
        return;
    close_point(s);
    json_decref(s->request);
    json_decref(s->after);
    json_decref(s->hits);
    free(s->index);
    free(s);
}

/* ---------------------------------------------------------------------------------------------- page by page */

static bool read_page(struct sorted_search *s, bool *expired, struct error *err)
{
    json_t *answer;
    bool ok;

    json_object_set_new(s->request, "size", json_integer((json_int_t)s->page_size));
    json_object_set_new(s->request, "pit", json_pack("{s:s, s:s}", "id", s->point, "keep_alive", KEEP_ALIVE));
    if (s->after)
        json_object_set(s->request, "search_after", s->after);
    ok = client_json(s->client, "POST", "/_search?allow_partial_search_results=false", s->request, &answer, expired,
                     err);
    if (ok && !*expired) {
        json_decref(s->hits);
        s->hits = json_incref(json_at(answer, "hits.hits"));
        ok = json_is_array(s->hits) || error_set(err, ERROR_AGAIN, "OpenSearch answers a search without hits");
    }
    json_decref(answer);
    return ok;
}

static bool next_page(struct sorted_search *s, struct error *err)
{
    bool expired = true;

    for (int tries = 0; expired && tries < REOPEN_MOST; tries++) {
        if (!s->point && !open_point(s, err))
            return false;
        if (s->ended)
            return true;
        if (!read_page(s, &expired, err))
            return false;
        if (expired)
            forget_point(s);
    }
    return !expired || error_set(err, ERROR_AGAIN, "OpenSearch forgets its points in time at once");
}

static const json_t *sort_at(const struct sorted_search *s, size_t i)
{
    return json_object_get(json_array_get(s->hits, i), "sort");
}

/* Leaves the last hit, and those equal to it, to the next page. False: they are all equal. */
static bool leave_last(struct sorted_search *s)
{
    size_t count = json_array_size(s->hits), left = count;
    const json_t *last = sort_at(s, count - 1);

    while (left > 0 && json_equal(sort_at(s, left - 1), last))
        left--;
    if (left == 0)
        return false;
    while (json_array_size(s->hits) > left)
        json_array_remove(s->hits, json_array_size(s->hits) - 1);
    json_decref(s->after);
    s->after = json_deep_copy(sort_at(s, left - 1));
    return true;
}

bool sorted_search_next(struct sorted_search *s, const json_t **hits, struct error *err)
{
    *hits = NULL;
    while (!s->ended) {
        if (!next_page(s, err))
            return error_in(err, "search in %s", s->index);
        if (s->ended)
            break;
        if (json_array_size(s->hits) < s->page_size) {
            s->ended = true;
            close_point(s);
        } else if (!leave_last(s)) {
            s->page_size *= 2; /* more shards than hits in a page */
            continue;
        }
        if (json_array_size(s->hits) > 0)
            *hits = s->hits;
        break;
    }
    return true;
}
