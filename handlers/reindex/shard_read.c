#include "handlers/reindex/shard_read.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

enum {
    WIDTH_MOST = 1 << 30,
    PAUSE_MS = 500,
};

bool patience_left(struct clock_run *run, int64_t until_ms, struct error *err)
{
    if (err->kind != ERROR_AGAIN || clock_monotonic_ms() > until_ms || !run->may_go_on(run, err))
        return false;
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    return true;
}

/* The primary alone: a copy may be behind it in what can be seen. */
static void add_path(const struct client *c, const char *index, size_t shard, struct buf *path)
{
    buf_add_char(path, '/');
    http_add_segment(path, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(path, index, strlen(index));
    buf_printf(path, "/_search?preference=_shards:%zu%%7C_primary&allow_partial_search_results=false", shard);
}

bool shard_search(struct client *c, const char *index, size_t shard, const struct buf *body, struct buf *text,
                  struct arena *arena, struct hits *hits, struct error *err)
{
    const struct http_reply *reply;
    struct buf path = BUF_INIT;
    bool ok;

    add_path(c, index, shard, &path);
    ok = client_send(c, "POST", path.data, NULL, body->data, body->length, &reply, err);
    if (!ok && reply->too_long)
        err->kind = ERROR_INPUT;
    if (ok && reply->status != 200)
        ok = client_refused(reply, err);
    if (ok) {
        buf_reset(text);
        buf_add(text, reply->body.data, reply->body.length);
        ok = hits_read_search(hits, (struct span){text->data, text->length}, arena, err);
    }
    buf_release(&path);
    return ok || error_in(err, "search in %s", index);
}

static void add_request(const struct shard_reader *r, int64_t after, int64_t end, struct buf *body)
{
    buf_printf(body,
               "{\"size\":%zu,\"version\":true,\"seq_no_primary_term\":true,\"track_total_hits\":false,"
               "\"sort\":[{\"_seq_no\":\"asc\"}],%s\"query\":{\"range\":{\"_seq_no\":{\"gt\":%lld,\"lte\":%lld}}}}",
               r->page.hits, r->ids_only ? "\"_source\":false," : "", (long long)after, (long long)end);
}

/* So that the search for the next page looks through no more writes than it needs. */
static void adapt(struct shard_reader *r, size_t bytes, size_t count)
{
    if (count == r->page.hits)
        r->width /= 2;
    else if (count < r->page.hits / 2 && r->width < WIDTH_MOST)
        r->width *= 2;
    page_size_fit(&r->page, bytes, count);
    if (r->width < (int64_t)r->page.hits)
        r->width = (int64_t)r->page.hits;
}

bool shard_read(struct shard_reader *r, size_t shard, int64_t after, int64_t upto, struct clock_run *run,
                struct buf *text, struct arena *arena, struct hits *hits, int64_t *reached, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS, end;
    struct buf body = BUF_INIT;
    bool ok;

    page_size_begin(&r->page);
    if (r->width == 0)
        r->width = (int64_t)r->page.hits;
    do {
        end = upto - after < r->width ? upto : after + r->width;
        buf_reset(&body);
        add_request(r, after, end, &body);
        ok = shard_search(r->client, r->index, shard, &body, text, arena, hits, err);
    } while (!ok && ((err->kind == ERROR_INPUT && page_size_less(&r->page)) || patience_left(run, until_ms, err)));
    if (ok) {
        *reached = hits->count == r->page.hits ? hits->items[hits->count - 1].seq_no : end;
        adapt(r, text->length, hits->count);
    }
    buf_release(&body);
    return ok;
}
