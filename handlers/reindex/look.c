#include "handlers/reindex/look.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"

static void add_wanted(const struct hit *wanted, size_t count, struct buf *body)
{
    buf_add_text(body, "{\"docs\":[");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(body, i ? ",{\"_id\":" : "{\"_id\":");
        buf_add_json(body, wanted[i].id.text, wanted[i].id.length);
        if (wanted[i].routing) {
            buf_add_text(body, ",\"routing\":");
            buf_add_json_text(body, wanted[i].routing);
        }
        buf_add_char(body, '}');
    }
    buf_add_text(body, "]}");
}

static bool ask(struct client *c, const char *index, const struct buf *body, bool bodies, struct buf *text,
                struct error *err)
{
    const struct http_reply *reply;
    struct buf path = BUF_INIT;
    bool ok;

    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(&path, index, strlen(index));
    buf_printf(&path, "/_mget?preference=_primary&_source=%s", bodies ? "true" : "false");
    ok = client_send(c, "POST", path.data, NULL, body->data, body->length, &reply, err);
    if (ok && reply->status != 200)
        ok = client_refused(reply, err);
    buf_reset(text);
    if (ok)
        buf_add(text, reply->body.data, reply->body.length);
    buf_release(&path);
    return ok;
}

bool look_up(struct client *c, const char *index, const struct hit *wanted, size_t count, bool bodies, struct buf *text,
             struct arena *arena, struct hit **out, struct error *err)
{
    struct buf body = BUF_INIT;
    struct hits hits;
    bool ok;

    *out = NULL;
    if (count == 0)
        return true;
    add_wanted(wanted, count, &body);
    ok = ask(c, index, &body, bodies, text, err) &&
         hits_read_documents(&hits, (struct span){text->data, text->length}, count, arena, err);
    if (ok)
        *out = hits.items;
    buf_release(&body);
    return ok || error_in(err, "documents of %s", index);
}

bool look_sample(struct client *c, const char *index, struct buf *text, struct arena *arena, struct hits *out,
                 struct error *err)
{
    struct buf path = BUF_INIT, body = BUF_INIT;
    const struct http_reply *reply;
    bool ok;

    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(&path, index, strlen(index));
    buf_add_text(&path, "/_search?allow_partial_search_results=false");
    buf_printf(&body,
               "{\"size\":%d,\"_source\":false,\"query\":{\"function_score\":{\"query\":{\"match_all\":{}},"
               "\"random_score\":{\"seed\":%lld,\"field\":\"_seq_no\"}}}}",
               LOOK_SAMPLE, (long long)(clock_wall_us() % 1000000));
    ok = client_send(c, "POST", path.data, NULL, body.data, body.length, &reply, err);
    if (ok && reply->status != 200)
        ok = client_refused(reply, err);
    if (ok) {
        buf_add(text, reply->body.data, reply->body.length);
        ok = hits_read_search(out, (struct span){text->data, text->length}, arena, err);
    }
    buf_release(&path);
    buf_release(&body);
    return ok;
}

/* Bytes may differ in white space alone. */
static bool same_json(struct span a, struct span b)
{
    json_t *of_a, *of_b;
    bool same;

    if (a.length == b.length && memcmp(a.text, b.text, a.length) == 0)
        return true;
    of_a = json_loadb(a.text, a.length, JSON_ALLOW_NUL, NULL);
    of_b = json_loadb(b.text, b.length, JSON_ALLOW_NUL, NULL);
    same = of_a && json_equal(of_a, of_b);
    json_decref(of_a);
    json_decref(of_b);
    return same;
}

bool look_same(const struct hit *a, const struct hit *b)
{
    if (!a->found || !b->found)
        return a->found == b->found;
    return a->version == b->version && same_json(a->source, b->source);
}
