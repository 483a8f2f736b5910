#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/http_many.h"
#include "base/json_compact.h"
#include "handlers/source/source_cache.h"
#include "handlers/source/source_list.h"
#include "handlers/source/source_type.h"
#include "handlers/source/source_url.h"

enum { EMPTY_PAGES_MOST = 100, SHOWN_BYTES = 120 };

static const int64_t QUIET_MS_MOST = 3600 * 1000;

struct source_http {
    struct http_many *links;
    struct source_cache *cache;
    struct source_paths paths;
    struct buf *urls;                 /* one a link */
    const struct source_kept **asked; /* likewise: what the request says it has; NULL: nothing */
};

static const char *or_else(const char *given, const char *fallback)
{
    return *given ? given : fallback;
}

/* ---------------------------------------------------------------------------------------------- configuration */

static bool list_check(const char *key, const char *url, const char *known, struct error *err)
{
    if (!*url)
        return true;
    if (source_url_has(url, "page") && source_url_has(url, "after"))
        return error_set(err, ERROR_CONFIG, "%s: either {page} or {after}, not both", key);
    return source_url_check(key, url, known, err);
}

static bool http_check(const struct source_settings *o, struct error *err)
{
    if (!source_url_has(o->url, "id"))
        return error_set(err, ERROR_CONFIG, "url: an address with {id} in it is wanted");
    if (*o->token && *o->user)
        return error_set(err, ERROR_CONFIG, "either token or user and password, not both");
    if (*o->since_url && !source_url_has(o->since_url, "since"))
        return error_set(err, ERROR_CONFIG, "since_url: an address with {since} in it is wanted");
    return source_url_check("url", o->url, "id", err) && list_check("list_url", o->list_url, "size page after", err) &&
           list_check("since_url", o->since_url, "since size page after", err);
}

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

static void http_open(struct source *x)
{
    const struct source_settings *o = x->options;
    struct source_http *s = x->state = xcalloc(1, sizeof *s);

    s->links = http_many_new(
        &(struct http_options){
            .user = given(o->user),
            .password = given(o->password),
            .bearer = given(o->token),
            .ca_file = given(o->ca_file),
            .connect_ms = (int)o->connect_ms,
            .timeout_ms = (int)o->timeout_ms,
            .reply_most = (size_t)o->reply_bytes,
        },
        (size_t)o->parallel);
    s->cache = source_cache_new((size_t)o->cache_bytes);
    s->paths = (struct source_paths){
        .version = or_else(o->version, "revision_id"), .document = o->document, .routing = o->routing, .id = ""};
    s->urls = xcalloc((size_t)o->parallel, sizeof *s->urls);
    s->asked = xcalloc((size_t)o->parallel, sizeof *s->asked);
    for (int64_t i = 0; i < o->parallel; i++)
        buf_init(&s->urls[i]);
}

static void http_close(struct source *x)
{
    struct source_http *s = x->state;

    for (int64_t i = 0; i < x->options->parallel; i++) {
        buf_release(&s->urls[i]);
        source_cache_give_back(s->cache, s->asked[i]);
    }
    http_many_free(s->links);
    source_cache_free(s->cache);
    free(s->urls);
    free(s->asked);
    free(s);
}

/* ---------------------------------------------------------------------------------------- what a reply means */

static bool is_refused_for_good(long status)
{
    return status == 400 || status == 414 || status == 422 || status == 451;
}

/* Every status but 200. A redirect is none that we follow: where it leads, our token has no business. */
static bool refused(struct source *x, const struct http_reply *reply, struct error *err)
{
    struct buf words = BUF_INIT;

    if (reply->retry_after_s > 0)
        source_be_quiet(x, reply->retry_after_s < QUIET_MS_MOST / 1000 ? reply->retry_after_s * 1000 : QUIET_MS_MOST);
    if (reply->status == 401 || reply->status == 403)
        return error_set(err, ERROR_AGAIN, "it answers %ld: are token (token_file) or user and password right?",
                         reply->status);
    if (reply->status >= 300 && reply->status < 400)
        return error_set(err, ERROR_AGAIN, "it answers %ld: redirects are not followed, the url must be the last one",
                         reply->status);
    text_add_escaped(&words, reply->body.data, reply->body.length, SHOWN_BYTES);
    error_set(err, is_refused_for_good(reply->status) ? ERROR_INPUT : ERROR_AGAIN, "it answers %ld%s%s", reply->status,
              words.length ? ": " : "", words.data);
    buf_release(&words);
    return false;
}

static bool looks_like_json(const struct http_reply *reply)
{
    size_t space = strspn(reply->body.data, " \t\r\n");

    return reply->body.data[space] == '{' || reply->body.data[space] == '[';
}

/* The reply as compact text in the arena. What does not even look like JSON is some gateway's word, and passes. */
static bool read_reply(const struct http_reply *reply, struct arena *arena, struct span *text, struct error *err)
{
    struct buf compact = BUF_INIT;
    bool ok = json_compact(reply->body.data, reply->body.length, JSON_COMPACT_DEPTH_MOST, &compact, err);

    if (ok)
        *text = (struct span){arena_copy(arena, compact.data, compact.length), compact.length};
    else
        error_set(err, looks_like_json(reply) ? ERROR_INPUT : ERROR_AGAIN, "its reply is no JSON: %s",
                  arena_text(arena, err->text));
    buf_release(&compact);
    return ok;
}

/* A reply that is too long is so every time. */
static bool no_reply(const struct http_reply *reply, const struct error *failed, struct error *err)
{
    *err = *failed;
    if (reply->too_long)
        err->kind = ERROR_INPUT;
    return false;
}

/* -------------------------------------------------------------------------------------------- single documents */

struct getting {
    struct source *source;
    const struct span *ids;
    struct arena *arena;
    struct source_document *out;
    const struct source_kept **kept; /* of each id, while it is asked for */
};

static void ask_document(void *context, size_t number, size_t link, struct http_request *request)
{
    struct getting *g = context;
    struct source_http *s = g->source->state;
    const struct source_settings *o = g->source->options;

    buf_reset(&s->urls[link]);
    source_url_add(o->url, &(struct source_url_values){.id = g->ids[number]}, &s->urls[link]);
    source_cache_give_back(s->cache, s->asked[link]);
    s->asked[link] = g->kept[number] = source_cache_take(s->cache, g->ids[number]);
    request->url = s->urls[link].data;
    request->accept = given(o->accept);
    request->if_none_match = s->asked[link] ? s->asked[link]->etag : NULL;
}

/*
 * A gateway that has lost the platform answers 404 for everything: taken at its word, it would have all of it deleted.
 * It may still be the platform's own, so that it concerns the one document alone.
 */
static bool is_gone(const struct http_reply *reply, struct source_document *d)
{
    if (reply->status != 404 && reply->status != 410)
        return false;
    if (reply->status == 404 && reply->body.length > 0 && !looks_like_json(reply)) {
        d->wrong = "it answers 404 with what is no JSON, as a gateway does that has lost the platform: a document is "
                   "gone where it answers 410, or 404 with JSON or nothing";
        d->may_pass = true;
    }
    return true;
}

static bool take_document(struct getting *g, size_t number, const struct http_reply *reply, struct error *err)
{
    struct source_http *s = g->source->state;
    struct source_document *d = &g->out[number];
    struct span text;

    if (is_gone(reply, d))
        return true;
    if (reply->status == 304 && g->kept[number])
        text = (struct span){arena_copy(g->arena, g->kept[number]->text.text, g->kept[number]->text.length),
                             g->kept[number]->text.length};
    else if (reply->status != 200)
        return refused(g->source, reply, err);
    else if (!read_reply(reply, g->arena, &text, err))
        return false;
    if (reply->status == 200 && reply->etag[0])
        source_cache_keep(s->cache, g->ids[number], reply->etag, text);
    source_read(&s->paths, text, g->arena, d);
    return true;
}

/* What is wrong for good is so of this document alone. */
static bool answer_document(void *context, size_t number, const struct http_reply *reply, const struct error *failed,
                            struct error *err)
{
    struct getting *g = context;

    if (failed ? no_reply(reply, failed, err) : take_document(g, number, reply, err))
        return true;
    if (err->kind != ERROR_INPUT)
        return false;
    g->out[number].wrong = arena_text(g->arena, err->text);
    return true;
}

static bool http_get(struct source *x, const struct span *ids, size_t count, struct arena *arena,
                     struct source_document *out, struct error *err)
{
    struct source_http *s = x->state;
    struct getting g = {x, ids, arena, out, arena_zero(arena, count * sizeof *g.kept)};

    return http_many_send(s->links, &(struct http_work){count, &g, ask_document, answer_document}, err);
}

/* ------------------------------------------------------------------------------------------------------- lists */

struct paging {
    struct source *source;
    const struct buf *url;
    struct arena *arena;
    struct span text; /* of the page */
};

static void ask_page(void *context, size_t number, size_t link, struct http_request *request)
{
    const struct paging *p = context;

    (void)number;
    (void)link;
    request->url = p->url->data;
    request->accept = given(p->source->options->accept);
}

static bool answer_page(void *context, size_t number, const struct http_reply *reply, const struct error *failed,
                        struct error *err)
{
    struct paging *p = context;

    (void)number;
    if (failed)
        return no_reply(reply, failed, err);
    if (reply->status != 200)
        return refused(p->source, reply, err);
    return read_reply(reply, p->arena, &p->text, err);
}

static bool fetch_page(struct source *x, const struct buf *url, struct arena *arena, struct span *text,
                       struct error *err)
{
    struct source_http *s = x->state;
    struct paging p = {x, url, arena, SPAN_NONE};
    bool ok = http_many_send(s->links, &(struct http_work){1, &p, ask_page, answer_page}, err);

    *text = p.text;
    return ok;
}

static struct source_list list_of(const struct source *x, int64_t since_us)
{
    const struct source_settings *o = x->options;

    return (struct source_list){
        .url = since_us ? o->since_url : o->list_url,
        .since_us = since_us,
        .items = o->items,
        .next = o->next,
        .paths = {or_else(o->id, "id"), or_else(o->version, "revision_id"), o->document, o->routing},
    };
}

/* Pages that hold nothing but lead on are passed over. */
static bool http_page(struct source *x, struct source_walk *walk, struct arena *arena, struct source_document **out,
                      size_t *count, struct error *err)
{
    struct source_list list = list_of(x, walk->since_us);
    struct buf url = BUF_INIT;
    bool ok = *list.url ||
              error_set(err, ERROR_CONFIG, "%s is wanted to list documents", walk->since_us ? "since_url" : "list_url");

    for (int pages = 0; ok && *count == 0 && !source_list_ended(walk->position); pages++) {
        struct span text;

        buf_reset(&url);
        ok = (pages < EMPTY_PAGES_MOST || error_set(err, ERROR_INPUT, "its list is empty pages without end")) &&
             source_list_add_url(&list, walk, &url, err) && fetch_page(x, &url, arena, &text, err) &&
             source_list_read(&list, text, walk, arena, out, count, err);
    }
    buf_release(&url);
    return ok;
}

static bool http_count(struct source *x, int64_t since_us, int64_t *count, struct error *err)
{
    struct source_list list = list_of(x, since_us);
    struct source_walk walk = {since_us, SPAN_NONE, 1};
    struct arena *arena = arena_new();
    struct buf url = BUF_INIT;
    struct span text, total;
    bool ok = true;

    if (*list.url && *x->options->total) {
        ok = source_list_add_url(&list, &walk, &url, err) && fetch_page(x, &url, arena, &text, err);
        if (!ok || !json_compact_at(text, x->options->total, &total) || !json_compact_integer(total, count) ||
            *count < 0)
            *count = -1;
    }
    buf_release(&url);
    arena_free(arena);
    return ok;
}

const struct source_type source_http = {
    .check = http_check,
    .open = http_open,
    .close = http_close,
    .get = http_get,
    .page = http_page,
    .count = http_count,
};
