#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_compact.h"
#include "config/check.h"
#include "handlers/source/source_index.h"
#include "indexer/indices.h"
#include "indexer/search.h"

enum { HITS_MOST = 10000, SHOWN_MOST = 300 };

/* ------------------------------------------------------------------------------------------------ configuration */

static bool query_check(const char *query, struct error *err)
{
    json_t *object = json_text_parse(query, strlen(query), JSON_DEPTH_DEFAULT, err);
    bool ok = json_is_object(object);

    json_decref(object);
    return ok || error_set(err, ERROR_CONFIG, "query: for an index this is a query in JSON: {\"term\": {...}}");
}

static bool index_check(const struct source_settings *o, struct error *err)
{
    if (!*o->index)
        return error_set(err, ERROR_CONFIG, "index: the name of an index or alias is wanted");
    if ((*o->user || *o->password) && !*o->url)
        return error_set(err, ERROR_CONFIG, "user and password are for another cluster: url is wanted");
    if (!check_http_urls(o->url, err))
        return error_in(err, "url");
    return !*o->query || query_check(o->query, err);
}

static struct client *connect_to(const struct source *x)
{
    const struct source_settings *o = x->options;

    if (!*o->url)
        return client_new(&x->settings->opensearch);
    return client_new(&(struct opensearch_settings){
        .url = o->url,
        .user = o->user,
        .password = o->password,
        .ca_file = o->ca_file,
        .connect_ms = o->connect_ms,
        .timeout_ms = o->timeout_ms,
    });
}

/* Where a hit has what the section names; of the hit itself where it names nothing. */
static char *hit_path(const char *given, const char *own)
{
    struct buf path = BUF_INIT;

    buf_printf(&path, *given ? "_source.%s" : "%s", *given ? given : own);
    return buf_take(&path);
}

static void index_open(struct source *x)
{
    const struct source_settings *o = x->options;
    struct source_index *s = x->state = xcalloc(1, sizeof *s);

    s->client = connect_to(x);
    s->id = hit_path(o->id, "_id");
    s->version = hit_path(o->version, "_version");
    s->document = hit_path(o->document, "_source");
    s->routing = hit_path(o->routing, "_routing");
    s->paths = (struct source_paths){s->id, s->version, s->document, s->routing};
    buf_init(&s->request);
    buf_init(&s->compact);
}

static void index_close(struct source *x)
{
    struct source_index *s = x->state;

    source_index_leave(s);
    client_free(s->client);
    buf_release(&s->request);
    buf_release(&s->compact);
    free(s->at);
    free(s->id);
    free(s->version);
    free(s->document);
    free(s->routing);
    free(s);
}

/* ---------------------------------------------------------------------------------------------------- requests */

/* The path of a request to the index. */
static char *index_path(const struct source *x, const char *rest)
{
    const struct source_index *s = x->state;
    struct buf path = BUF_INIT;

    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(s->client), strlen(client_prefix(s->client)));
    http_add_segment(&path, x->options->index, strlen(x->options->index));
    buf_add_text(&path, rest);
    return buf_take(&path);
}

bool source_index_ask(struct source_index *s, const char *path, struct source_index_reply *reply, struct error *err)
{
    const struct http_reply *r;

    *reply = (struct source_index_reply){.text = SPAN_NONE};
    if (!client_send(s->client, "POST", path, NULL, s->request.data, s->request.length, &r, err)) {
        reply->too_long = r->too_long;
        return false;
    }
    reply->missing = r->status == 404;
    if (reply->missing)
        return true;
    if (r->status >= 300)
        return client_refused(r, err);
    buf_reset(&s->compact);
    if (!json_compact(r->body.data, r->body.length, JSON_COMPACT_DEPTH_MOST, &s->compact, err)) {
        err->kind = ERROR_AGAIN; /* some gateway's word */
        return error_in(err, "OpenSearch: the reply cannot be read");
    }
    reply->text = (struct span){s->compact.data, s->compact.length};
    return true;
}

bool source_index_missing(const struct source *x, struct error *err)
{
    return error_set(err, ERROR_AGAIN, "there is no index %s", x->options->index);
}

/* ------------------------------------------------------------------------------------------- single documents */

static void add_ids(struct buf *out, const struct span *ids, size_t count)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_json(out, ids[i].text, ids[i].length);
    }
    buf_add_char(out, ']');
}

static bool doc_error(struct span doc, struct error *err)
{
    struct span error, reason = SPAN_NONE;

    if (!json_compact_at(doc, "error", &error))
        return true;
    if (!json_compact_at(error, "reason", &reason))
        reason = error;
    return error_set(err, ERROR_AGAIN, "OpenSearch: %.*s",
                     (int)(reason.length < SHOWN_MOST ? reason.length : SHOWN_MOST), reason.text);
}

void source_index_read(const struct source_index *s, struct span hit, struct arena *arena, struct source_document *out)
{
    struct span own = {arena_copy(arena, hit.text, hit.length), hit.length};

    source_read(&s->paths, own, arena, out);
}

/* By _id, the present state whether or not a search would find it yet. */
static bool get_by_id(struct source *x, const struct span *ids, size_t count, struct arena *arena,
                      struct source_document *out, struct error *err)
{
    struct source_index *s = x->state;
    char *path = index_path(x, "/_mget");
    struct source_index_reply reply;
    struct span docs, doc, found;
    bool ok;
    size_t at = 0, i = 0;

    buf_reset(&s->request);
    buf_add_text(&s->request, "{\"ids\":");
    add_ids(&s->request, ids, count);
    buf_add_char(&s->request, '}');
    ok = source_index_ask(s, path, &reply, err) && (!reply.missing || source_index_missing(x, err)) &&
         (json_compact_at(reply.text, "docs", &docs) || error_set(err, ERROR_AGAIN, "OpenSearch answers no documents"));
    if (reply.too_long)
        err->kind = ERROR_INPUT; /* fewer may fit */
    while (ok && i < count && json_compact_next(docs, &at, &doc)) {
        struct span id = ids[i];

        ok = doc_error(doc, err);
        if (ok && json_compact_at(doc, "found", &found) && span_is(found, "true"))
            source_index_read(s, doc, arena, &out[i]);
        out[i++].id = id;
    }
    free(path);
    return ok && (i == count || error_set(err, ERROR_AGAIN, "OpenSearch answers for other documents"));
}

/* Of several documents with one id the newest counts. */
static void place_hit(const struct source_document *d, struct source_document *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (out[i].id.length == d->id.length && memcmp(out[i].id.text, d->id.text, d->id.length) == 0 &&
            (!out[i].found || d->version > out[i].version)) {
            struct span id = out[i].id;

            out[i] = *d;
            out[i].id = id;
        }
}

/* What narrows down which documents of the index are the source's, behind another filter. */
static void add_own_query(const struct source *x, struct buf *out)
{
    if (!*x->options->query)
        return;
    buf_add_char(out, ',');
    buf_add_text(out, x->options->query);
}

/* By a field or a query, so by a search, which finds what was written before the last refresh. */
static bool get_by_field(struct source *x, const struct span *ids, size_t count, struct arena *arena,
                         struct source_document *out, struct error *err)
{
    struct source_index *s = x->state;
    char *path = index_path(x, "/_search?allow_partial_search_results=false");
    struct source_index_reply reply = {.text = SPAN_NONE};
    struct span hits, hit;
    bool ok;
    size_t at = 0;

    buf_reset(&s->request);
    buf_printf(&s->request, "{\"version\":true,\"size\":%d,\"query\":{\"bool\":{\"filter\":[{\"terms\":{", HITS_MOST);
    buf_add_json_text(&s->request, *x->options->id ? x->options->id : "_id");
    buf_add_char(&s->request, ':');
    add_ids(&s->request, ids, count);
    buf_add_text(&s->request, "}}");
    add_own_query(x, &s->request);
    buf_add_text(&s->request, "]}}}");
    ok = search_refresh(s->client, x->options->index, err) && source_index_ask(s, path, &reply, err) &&
         (!reply.missing || source_index_missing(x, err)) &&
         (json_compact_at(reply.text, "hits.hits", &hits) || error_set(err, ERROR_AGAIN, "OpenSearch answers no hits"));
    if (reply.too_long)
        err->kind = ERROR_INPUT;
    while (ok && json_compact_next(hits, &at, &hit)) {
        struct source_document d = {.id = SPAN_NONE, .version = VERSION_NONE, .body = SPAN_NONE, .routing = SPAN_NONE};

        source_index_read(s, hit, arena, &d);
        place_hit(&d, out, count);
    }
    free(path);
    return ok;
}

static bool index_get(struct source *x, const struct span *ids, size_t count, struct arena *arena,
                      struct source_document *out, struct error *err)
{
    return *x->options->id || *x->options->query ? get_by_field(x, ids, count, arena, out, err)
                                                 : get_by_id(x, ids, count, arena, out, err);
}

/* ---------------------------------------------------------------------------------------------------- counting */

/* What changed since, or all. */
void source_index_add_query(const struct source *x, int64_t since_us, struct buf *out)
{
    char since[TIME_TEXT_BYTES];

    buf_add_text(out, "{\"bool\":{\"filter\":[");
    if (since_us) {
        buf_add_text(out, "{\"range\":{");
        buf_add_json_text(out, x->options->changed);
        buf_printf(out, ":{\"gte\":\"%s\",\"format\":\"strict_date_optional_time\"}}}", time_text(since_us, since));
    } else {
        buf_add_text(out, "{\"match_all\":{}}");
    }
    add_own_query(x, out);
    buf_add_text(out, "]}}");
}

static bool index_count(struct source *x, int64_t since_us, int64_t *count, struct error *err)
{
    struct source_index *s = x->state;
    struct buf text = BUF_INIT;
    json_t *query;
    bool ok;

    if (since_us && !*x->options->changed)
        return true; /* it cannot tell */
    source_index_add_query(x, since_us, &text);
    query = json_text_parse(text.data, text.length, JSON_DEPTH_DEFAULT, err);
    ok = query && indices_count(s->client, x->options->index, query, count, err);
    json_decref(query);
    buf_release(&text);
    return ok;
}

const struct source_type source_index = {
    .check = index_check,
    .open = index_open,
    .close = index_close,
    .get = index_get,
    .page = source_index_page,
    .count = index_count,
};
