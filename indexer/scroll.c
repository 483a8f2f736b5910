#include "indexer/scroll.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "indexer/indices.h"

#define KEEP_ALIVE "5m" /* SCROLL_KEEP_MS */

struct scroll {
    struct client *client;
    char *index; /* without the prefix */
    json_t *query;
    size_t page_size;
    int part, parts; /* parts 0: all */
    bool first_page_only, in_order, of_shard, whole, begun, ended, without_source;
    size_t shard;
    struct buf *text; /* lent; NULL: pages are left where the client has them */
    struct buf id;    /* length 0: none is open */
};

struct scroll *scroll_open(struct client *c, const char *index, const json_t *query, size_t page_size)
{
    struct scroll *s = xcalloc(1, sizeof *s);

    s->client = c;
    s->index = xstrdup(index);
    s->query = json_deep_copy(query); /* others may have the same one, and counting references is not for threads */
    s->page_size = page_size;
    buf_init(&s->id);
    return s;
}

void scroll_part(struct scroll *s, int part, int parts)
{
    s->part = part;
    s->parts = parts;
}

void scroll_first_page_only(struct scroll *s)
{
    s->first_page_only = true;
}

void scroll_in_order(struct scroll *s)
{
    s->in_order = true;
}

void scroll_shard(struct scroll *s, size_t shard)
{
    s->of_shard = true;
    s->shard = shard;
}

void scroll_whole(struct scroll *s)
{
    s->whole = true;
}

void scroll_keep(struct scroll *s, struct buf *text)
{
    s->text = text;
}

/* Best effort: what is not cleared expires. */
static void clear(struct scroll *s)
{
    struct error err;
    json_t *body, *answer;

    if (s->id.length == 0)
        return;
    body = json_pack("{s:[s]}", "scroll_id", s->id.data);
    if (client_json(s->client, "DELETE", "/_search/scroll", body, &answer, NULL, &err))
        json_decref(answer);
    json_decref(body);
    buf_reset(&s->id);
}

void scroll_close(struct scroll *s)
{
    if (!s)
        return;
    clear(s);
    buf_release(&s->id);
    json_decref(s->query);
    free(s->index);
    free(s);
}

/* ------------------------------------------------------------------------------------------------- one page */

static json_t *first_request(const struct scroll *s)
{
    json_t *request = json_pack("{s:b, s:b, s:[s], s:O}", "seq_no_primary_term", 1, "version", 1, "sort",
                                s->in_order ? "_seq_no" : "_doc", "query", s->query);

    json_object_set_new(request, "size", json_integer((json_int_t)s->page_size));
    if (s->first_page_only)
        json_object_set_new(request, "track_total_hits", json_false());
    if (s->without_source)
        json_object_set_new(request, "_source", json_false());
    if (s->parts > 0)
        json_object_set_new(request, "slice",
                            json_pack("{s:s, s:i, s:i}", "field", "_seq_no", "id", s->part, "max", s->parts));
    return request;
}

static void first_path(const struct scroll *s, struct buf *path)
{
    buf_add_char(path, '/');
    http_add_segment(path, client_prefix(s->client), strlen(client_prefix(s->client)));
    http_add_segment(path, s->index, strlen(s->index));
    buf_add_text(path, "/_search?allow_partial_search_results=false&allow_no_indices=true");
    if (!s->first_page_only)
        buf_add_text(path, "&scroll=" KEEP_ALIVE);
    if (s->of_shard)
        buf_printf(path, "&preference=_shards:%zu%%7C_primary", s->shard);
}

static bool send(struct scroll *s, const struct http_reply **reply, struct error *err)
{
    struct buf path = BUF_INIT, body = BUF_INIT;
    json_t *request;
    bool ok;

    if (s->id.length) {
        buf_add_text(&path, "/_search/scroll");
        request = json_pack("{s:s, s:s}", "scroll", KEEP_ALIVE, "scroll_id", s->id.data);
    } else {
        first_path(s, &path);
        request = first_request(s);
    }
    json_add(&body, request);
    ok = client_send(s->client, "POST", path.data, NULL, body.data, body.length, reply, err);
    json_decref(request);
    buf_release(&body);
    buf_release(&path);
    return ok;
}

/* From the beginning, without the documents, where they are too long to be read page by page. */
static bool begin_anew(struct scroll *s, struct error *err)
{
    if (s->whole)
        err->kind = ERROR_INPUT;
    if (s->whole || s->without_source)
        return false;
    clear(s);
    *err = (struct error)ERROR_INIT;
    s->without_source = true;
    s->begun = false;
    return true;
}

static bool keep_id(struct scroll *s, const struct hits *page, struct error *err)
{
    if (s->first_page_only)
        return true;
    buf_reset(&s->id);
    buf_add(&s->id, page->scroll_id.text, page->scroll_id.length);
    return s->id.length > 0 || error_set(err, ERROR_AGAIN, "OpenSearch opened no scroll");
}

static struct span text_of(struct scroll *s, const struct http_reply *reply)
{
    if (!s->text)
        return (struct span){reply->body.data, reply->body.length};
    buf_reset(s->text);
    buf_add(s->text, reply->body.data, reply->body.length);
    return (struct span){s->text->data, s->text->length};
}

static bool read_page(struct scroll *s, const struct http_reply *reply, struct arena *arena, struct hits *out,
                      struct error *err)
{
    if (reply->status == 404 && !s->begun && !s->of_shard) { /* no such index */
        s->ended = true;
        return true;
    }
    if (reply->status == 404)
        buf_reset(&s->id);
    if (reply->status >= 300) {
        client_refused(reply, err);
        err->kind = reply->status == 404 ? ERROR_AGAIN : err->kind;
        return false;
    }
    if (!hits_read_search(out, text_of(s, reply), arena, err) || !keep_id(s, out, err))
        return false;
    s->begun = true;
    s->ended = s->first_page_only || out->count == 0 || out->count < s->page_size;
    return true;
}

bool scroll_next(struct scroll *s, struct arena *arena, struct hits *out, struct error *err)
{
    const struct http_reply *reply;

    *out = (struct hits){.scroll_id = SPAN_NONE};
    if (s->ended)
        return true;
    while (!send(s, &reply, err))
        if (!reply->too_long || !begin_anew(s, err))
            return error_in(err, "search in %s", s->index);
    if (!read_page(s, reply, arena, out, err))
        return error_in(err, "search in %s", s->index);
    return true;
}

/* --------------------------------------------------------------------------------------------- documents by id */

static void add_documents(const struct hit *const *which, size_t count, struct buf *body)
{
    buf_add_text(body, "{\"docs\":[");
    for (size_t i = 0; i < count; i++) {
        buf_printf(body, "%s{\"_index\":", i ? "," : "");
        buf_add_json_text(body, which[i]->index);
        buf_add_text(body, ",\"_id\":");
        buf_add_json(body, which[i]->id.text, which[i]->id.length);
        if (which[i]->routing) {
            buf_add_text(body, ",\"routing\":");
            buf_add_json_text(body, which[i]->routing);
        }
        buf_add_char(body, '}');
    }
    buf_add_text(body, "]}");
}

bool hits_get(struct client *c, const struct hit *const *which, size_t count, struct arena *arena, struct hits *out,
              struct error *err)
{
    struct buf body = BUF_INIT;
    const struct http_reply *reply;
    bool ok;

    add_documents(which, count, &body);
    ok = client_send(c, "POST", "/_mget", NULL, body.data, body.length, &reply, err);
    if (!ok && reply->too_long)
        err->kind = ERROR_INPUT;
    if (ok)
        ok = reply->status >= 300
                 ? client_refused(reply, err)
                 : hits_read_documents(out, (struct span){reply->body.data, reply->body.length}, count, arena, err);
    buf_release(&body);
    return ok;
}

/* ------------------------------------------------------------------------------------------------- in numbers */

/* *answer NULL: the index is missing. */
static bool ask_numbers(struct client *c, const char *index, json_t *request, json_t **answer, struct error *err)
{
    bool missing,
        ok = indices_ask(c, "POST", index, "/_search?allow_partial_search_results=false&allow_no_indices=true", request,
                         answer, &missing, err);

    json_decref(request);
    if (ok && json_integer_value(json_at(*answer, "_shards.failed")) > 0) {
        json_decref(*answer);
        *answer = NULL;
        ok = error_set(err, ERROR_AGAIN, "OpenSearch: a part of %s does not answer", index);
    }
    return ok;
}

bool hits_count(struct client *c, const char *index, const json_t *query, int64_t most, int64_t *count,
                struct error *err)
{
    json_t *answer, *request = json_pack("{s:i, s:I, s:O}", "size", 0, "track_total_hits", (json_int_t)most, "query",
                                         (json_t *)(uintptr_t)query);

    *count = 0;
    if (!ask_numbers(c, index, request, &answer, err))
        return false;
    *count = json_integer_value(json_at(answer, "hits.total.value"));
    json_decref(answer);
    return true;
}

bool hits_sum(struct client *c, const char *index, const json_t *query, struct hits_sum *out, struct error *err)
{
    json_t *answer, *request = json_pack("{s:i, s:b, s:O, s:{s:{s:{s:s}}}}", "size", 0, "track_total_hits", 1, "query",
                                         (json_t *)(uintptr_t)query, "aggs", "numbers", "sum", "field", "_seq_no");

    *out = (struct hits_sum){0};
    if (!ask_numbers(c, index, request, &answer, err))
        return false;
    out->count = json_integer_value(json_at(answer, "hits.total.value"));
    out->numbers = json_number_value(json_at(answer, "aggregations.numbers.value"));
    json_decref(answer);
    return true;
}

/* Beyond 2^52 a double tells no neighbours apart. */
bool hits_sum_same(const struct hits_sum *a, const struct hits_sum *b)
{
    return a->count == b->count && fabs(a->numbers - b->numbers) <= a->numbers * 2.3e-16;
}

bool hits_last_number(struct client *c, const char *index, int64_t *number, struct error *err)
{
    json_t *answer,
        *request = json_pack("{s:i, s:{s:{s:{s:s}}}}", "size", 0, "aggs", "last", "max", "field", "_seq_no");

    *number = 0;
    if (!ask_numbers(c, index, request, &answer, err))
        return false;
    *number = (int64_t)json_number_value(json_at(answer, "aggregations.last.value"));
    json_decref(answer);
    return true;
}

bool hits_writes(struct client *c, const char *index, int64_t *count, struct error *err)
{
    json_t *answer;
    bool missing, ok = indices_ask(c, "GET", index, "/_stats/indexing?filter_path=_all.primaries.indexing", NULL,
                                   &answer, &missing, err);
    const json_t *indexing = json_at(answer, "_all.primaries.indexing");

    *count = json_integer_value(json_object_get(indexing, "index_total")) +
             json_integer_value(json_object_get(indexing, "delete_total"));
    json_decref(answer);
    return ok;
}
