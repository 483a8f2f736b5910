#include "indexer/search.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "indexer/indices.h"

#define KEEP_ALIVE "2m"

enum { REOPEN_MOST = 3 /* in a row */ };

/*
 * Pages follow the order asked for, and at last _seq_no: every shard counts its own writes, so a number may come once
 * from each shard, and a page may end between equals. Those at its end are left to the next page. A document written
 * meanwhile only moves on in that number, so a point in time that expired is opened anew at the same place and nothing
 * is passed over.
 */
struct search {
    struct client *client;
    char *index; /* without the prefix */
    json_t *query;
    char *fields; /* NULL: all */
    json_t *sort; /* as a request has it; ends with _seq_no */
    size_t page_size;
    char *point;   /* the point in time; NULL: not open */
    json_t *after; /* the sort values up to which all is read; NULL: none */
    json_t *hits;  /* the page lent */
    bool ended;
};

struct search *search_open(struct client *c, const char *index, const json_t *query, size_t page_size)
{
    struct search *s = xcalloc(1, sizeof *s);

    s->client = c;
    s->index = xstrdup(index);
    s->query = json_incref((json_t *)(uintptr_t)query);
    s->page_size = page_size;
    s->sort = json_pack("[{s:s}]", "_seq_no", "asc");
    return s;
}

void search_fields(struct search *s, const char *fields)
{
    free(s->fields);
    s->fields = xstrdup(fields);
}

void search_sort(struct search *s, const json_t *fields)
{
    for (size_t i = 0; i < json_array_size(fields); i++)
        json_array_insert_new(s->sort, i, json_pack("{s:s}", json_string_value(json_array_get(fields, i)), "asc"));
}

/* ------------------------------------------------------------------------------------------ the point in time */

bool search_point_open(struct client *c, const char *pattern, const char *keep_alive, char **point, bool *missing,
                       struct error *err)
{
    struct buf path = BUF_INIT;
    json_t *answer = NULL;
    const char *id;
    bool ok;

    *point = NULL;
    *missing = false;
    buf_printf(&path, "/_search/point_in_time?keep_alive=%s&allow_no_indices=false&allow_partial_pit_creation=false",
               keep_alive);
    ok = indices_ask(c, "POST", pattern, path.data, NULL, &answer, missing, err);
    buf_release(&path);
    if (!ok)
        return false;
    id = json_member_text(answer, "pit_id", NULL);
    if (id)
        *point = xstrdup(id);
    json_decref(answer);
    return *missing || *point || error_set(err, ERROR_AGAIN, "OpenSearch opened no point in time");
}

static bool open_point(struct search *s, struct error *err)
{
    return search_point_open(s->client, s->index, KEEP_ALIVE, &s->point, &s->ended, err);
}

void search_point_close(struct client *c, char **point)
{
    struct error err;
    json_t *body, *answer;

    if (!*point)
        return;
    body = json_pack("{s:[s]}", "pit_id", *point);
    if (client_json(c, "DELETE", "/_search/point_in_time", body, &answer, NULL, &err))
        json_decref(answer);
    json_decref(body);
    free(*point);
    *point = NULL;
}

void search_close(struct search *s)
{
    if (!s)
        return;
    search_point_close(s->client, &s->point);
    json_decref(s->hits);
    json_decref(s->after);
    json_decref(s->sort);
    json_decref(s->query);
    free(s->index);
    free(s->fields);
    free(s);
}

/* ---------------------------------------------------------------------------------------------- page by page */

/* "a,b" as ["a","b"]. */
static json_t *field_list(const char *fields)
{
    json_t *list = json_array();

    for (size_t length; *fields; fields += length + (fields[length] == ',')) {
        length = strcspn(fields, ",");
        json_array_append_new(list, json_stringn(fields, length));
    }
    return list;
}

static json_t *page_request(const struct search *s)
{
    json_t *request = json_pack("{s:b, s:b, s:b}", "seq_no_primary_term", 1, "version", 1, "track_total_hits", 0);

    json_object_set_new(request, "size", json_integer((json_int_t)s->page_size));
    json_object_set_new(request, "pit", json_pack("{s:s, s:s}", "id", s->point, "keep_alive", KEEP_ALIVE));
    json_object_set(request, "query", s->query);
    if (s->fields)
        json_object_set_new(request, "_source", field_list(s->fields));
    json_object_set(request, "sort", s->sort);
    if (s->after)
        json_object_set(request, "search_after", s->after);
    return request;
}

/* Takes the page out of the answer; *expired instead where the point in time is gone. */
static bool read_page(struct search *s, bool *expired, struct error *err)
{
    static const char path[] = "/_search?allow_partial_search_results=false";
    json_t *request = page_request(s), *answer;
    bool ok = client_json(s->client, "POST", path, request, &answer, expired, err);

    if (!ok && err->kind == ERROR_INPUT) {
        json_object_set_new(request, "_source", json_false());
        ok = client_json(s->client, "POST", path, request, &answer, expired, err);
    }
    json_decref(request);
    if (!ok || *expired)
        return ok;
    json_decref(s->hits);
    s->hits = json_incref(json_object_get(json_object_get(answer, "hits"), "hits"));
    json_decref(answer);
    return json_is_array(s->hits) || error_set(err, ERROR_AGAIN, "OpenSearch answers a search without hits");
}

static const json_t *sort_at(const struct search *s, size_t i)
{
    return json_object_get(json_array_get(s->hits, i), "sort");
}

/* Leaves the last hits that are equal to the next page, as other shards may hold more. False: they all are. */
static bool leave_last(struct search *s)
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

/* A point in time that expired, or went with its node, is opened anew. */
static bool next_page(struct search *s, struct error *err)
{
    bool expired = true;

    for (int tries = 0; expired && tries < REOPEN_MOST; tries++) {
        if (!s->point && !open_point(s, err))
            return false;
        if (s->ended)
            return true;
        if (!read_page(s, &expired, err))
            return false;
        if (expired) {
            free(s->point);
            s->point = NULL;
        }
    }
    return !expired || error_set(err, ERROR_AGAIN, "OpenSearch forgets its points in time at once");
}

bool search_next(struct search *s, const json_t **hits, struct error *err)
{
    *hits = NULL;
    while (!s->ended) {
        if (!next_page(s, err))
            return error_in(err, "search in %s", s->index);
        if (s->ended)
            break;
        if (json_array_size(s->hits) < s->page_size) {
            s->ended = true;
            search_point_close(s->client, &s->point);
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

/* --------------------------------------------------------------------------------------------- single requests */

bool search_refresh(struct client *c, const char *index, struct error *err)
{
    json_t *answer;
    bool missing, ok = indices_ask(c, "POST", index, "/_refresh", NULL, &answer, &missing, err);

    json_decref(answer);
    return ok;
}

/* A document that was not looked for because its index is missing is not found; one that could not be read is an error.
 */
static bool settle_doc(json_t *doc, struct error *err)
{
    const json_t *error = json_object_get(doc, "error");
    struct buf words = BUF_INIT;

    if (!error)
        return true;
    if (strcmp(json_member_text(error, "type", ""), "index_not_found_exception") == 0) {
        json_object_set_new(doc, "found", json_false());
        return true;
    }
    client_add_reason(error, &words);
    error_set(err, ERROR_AGAIN, "OpenSearch: document %s: %s", json_member_text(doc, "_id", ""), words.data);
    buf_release(&words);
    return false;
}

static json_t *documents_request(const char *fields, const json_t *const *hits, size_t count)
{
    static const char *const names[][2] = {
        {"_index",   "_index" },
        {"_id",      "_id"    },
        {"_routing", "routing"}
    };
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *one = json_object();

        for (size_t n = 0; n < ARRAY_LENGTH(names); n++)
            json_object_set(one, names[n][1], json_object_get(hits[i], names[n][0])); /* what is not there is not set */
        if (fields)
            json_object_set_new(one, "_source", field_list(fields));
        json_array_append_new(list, one);
    }
    return json_pack("{s:o}", "docs", list);
}

bool search_get(struct client *c, const json_t *const *hits, size_t count, json_t **docs, struct error *err)
{
    return search_get_fields(c, NULL, hits, count, docs, err);
}

bool search_get_fields(struct client *c, const char *fields, const json_t *const *hits, size_t count, json_t **docs,
                       struct error *err)
{
    json_t *request = documents_request(fields, hits, count), *answer = NULL;
    bool ok = client_json(c, "POST", "/_mget", request, &answer, NULL, err);

    *docs = NULL;
    if (ok) {
        *docs = json_incref(json_object_get(answer, "docs"));
        ok = json_array_size(*docs) == count || error_set(err, ERROR_AGAIN, "OpenSearch answers for other documents");
    }
    for (size_t i = 0; ok && i < count; i++)
        ok = settle_doc(json_array_get(*docs, i), err);
    if (!ok) {
        json_decref(*docs);
        *docs = NULL;
    }
    json_decref(request);
    json_decref(answer);
    return ok;
}
