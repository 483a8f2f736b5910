/* The model that schedules run on answers as OpenSearch does: the same requests to both, compared. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "indexer/client.h"
#include "race/model.h"
#include "race/questions.h"
#include "support/scene.h"
#include "support/search_index.h"

enum { SEQUENCES = 25, REQUESTS = 40 };

static const char INI[] =
    "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"
    "[queue q]\nevents = *\n";

struct both {
    struct scene *scene;
    struct client *client;
    struct model *model;
    struct choice *choice;
    char index[100];
    int64_t seq_no; /* the highest given out */
    uint64_t seed;
};

/* An answer of each. */
struct pair {
    long status[2];
    json_t *body[2];
};

static void release(struct pair *p)
{
    json_decref(p->body[0]);
    json_decref(p->body[1]);
}

static void ask_model(struct both *b, const struct http_request *r, struct pair *out)
{
    struct http_reply reply = HTTP_REPLY_INIT;

    model_serve(b->model, r, r->url, &reply);
    out->status[0] = reply.status;
    out->body[0] = json_loadb(reply.body.data, reply.body.length, 0, NULL);
    buf_release(&reply.body);
}

static void ask_real(struct both *b, const struct http_request *r, struct pair *out)
{
    const struct http_reply *reply;
    struct error err;

    if (!client_send(b->client, r->method, r->url, r->content_type, r->body, r->length, &reply, &err))
        fail_msg("%s", err.text);
    out->status[1] = reply->status;
    out->body[1] = json_loadb(reply->body.data, reply->body.length, 0, NULL);
}

static struct pair ask_text(struct both *b, const char *method, const char *path, const struct buf *body)
{
    bool bulk = strncmp(path, "/_bulk", 6) == 0;
    const struct http_request r = {.method = method,
                                   .url = path,
                                   .content_type = bulk ? "application/x-ndjson" : NULL,
                                   .body = body ? body->data : NULL,
                                   .length = body ? body->length : 0};
    struct pair p;

    ask_model(b, &r, &p);
    ask_real(b, &r, &p);
    return p;
}

/* Each is asked in its own words, where they differ in a name that was given out. */
static struct pair ask_each(struct both *b, const char *method, const char *path, json_t *to_model, json_t *to_real)
{
    struct buf bodies[2] = {BUF_INIT, BUF_INIT};
    struct http_request r = {.method = method, .url = path};
    struct pair p;

    json_add(&bodies[0], to_model);
    json_add(&bodies[1], to_real);
    r.body = bodies[0].data;
    r.length = bodies[0].length;
    ask_model(b, &r, &p);
    r.body = bodies[1].data;
    r.length = bodies[1].length;
    ask_real(b, &r, &p);
    buf_release(&bodies[0]);
    buf_release(&bodies[1]);
    return p;
}

static void compare(const struct both *b, const struct pair *p, bool by_id, const char *asked)
{
    json_t *model = question_essence(p->body[0], by_id), *real = question_essence(p->body[1], by_id);

    if (p->status[0] != p->status[1] || !json_equal(model, real)) {
        char *a = json_dumps(model, JSON_COMPACT | JSON_SORT_KEYS),
             *c = json_dumps(real, JSON_COMPACT | JSON_SORT_KEYS);

        fail_msg("CRIER_SEED=%" PRIu64 ": asked %s\nthe model: %ld %s\nthe real one: %ld %s", b->seed, asked,
                 p->status[0], a, p->status[1], c);
    }
    json_decref(model);
    json_decref(real);
}

/* -------------------------------------------------------------------------------------------------------- questions */

static void path_in(const struct both *b, const char *rest, char out[200])
{
    snprintf(out, 200, "/%s%s", b->index, rest);
}

static void ask_writes(struct both *b)
{
    struct buf lines = BUF_INIT;
    struct pair p;
    const json_t *item;
    size_t i;

    question_writes(b->choice, b->index, b->seq_no, &lines);
    p = ask_text(b, "POST", "/_bulk", &lines);
    compare(b, &p, false, lines.data);
    json_array_foreach(json_object_get(p.body[0], "items"), i, item)
    {
        const json_t *said = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)item));
        int64_t seq_no = json_integer_value(json_object_get(said, "_seq_no"));

        b->seq_no = seq_no > b->seq_no ? seq_no : b->seq_no;
    }
    release(&p);
    buf_release(&lines);
}

static void ask_refresh(struct both *b)
{
    struct pair p;
    char path[200];

    path_in(b, "/_refresh", path);
    p = ask_text(b, "POST", path, NULL);
    assert_int_equal(p.status[0], p.status[1]);
    release(&p);
}

/* One request with a JSON body. */
static void ask_json(struct both *b, const char *path, json_t *body, bool by_id)
{
    struct buf text = BUF_INIT;
    struct pair p;

    json_add(&text, body);
    p = ask_text(b, "POST", path, &text);
    compare(b, &p, by_id, text.data);
    release(&p);
    buf_release(&text);
}

static void ask_documents(struct both *b)
{
    json_t *body = question_documents(b->choice, b->index);

    ask_json(b, "/_mget", body, false);
    json_decref(body);
}

static void ask_search(struct both *b)
{
    json_t *body = question_search(b->choice);
    char path[200];

    path_in(b, "/_search", path);
    ask_json(b, path, body, false);
    json_decref(body);
}

static void ask_numbers(struct both *b)
{
    json_t *query = question_query(b->choice, 2);
    json_t *body = json_pack("{s:i, s:b, s:O, s:{s:{s:{s:s}}}}", "size", 0, "track_total_hits", 1, "query", query,
                             "aggs", "numbers", "sum", "field", "_seq_no");
    struct pair writes;
    char path[200];

    path_in(b, "/_search", path);
    ask_json(b, path, body, false);
    json_decref(body);
    body = json_pack("{s:o}", "query", query);
    path_in(b, "/_count", path);
    ask_json(b, path, body, false);
    json_decref(body);
    path_in(b, "/_stats/indexing?filter_path=_all.primaries.indexing", path);
    writes = ask_text(b, "GET", path, NULL);
    compare(b, &writes, false, path);
    release(&writes);
}

/* A point in time or a scroll, page by page, while others write. */
static json_t *page_of_point(const json_t *search, const char *id, const json_t *after)
{
    json_t *body = json_deep_copy(search);

    json_object_set_new(body, "size", json_integer(2));
    json_object_set_new(body, "pit", json_pack("{s:s, s:s}", "id", id, "keep_alive", "1m"));
    json_object_set(body, "search_after", (json_t *)(uintptr_t)after); /* NULL is not set */
    return body;
}

static void ask_points(struct both *b)
{
    json_t *search = question_search(b->choice), *bodies[2], *after = NULL;
    struct pair point, page;
    char path[200];
    size_t count = 1;

    path_in(b, "/_search/point_in_time?keep_alive=1m", path);
    point = ask_text(b, "POST", path, NULL);
    ask_writes(b);
    ask_refresh(b);
    while (count > 0) {
        for (int i = 0; i < 2; i++)
            bodies[i] = page_of_point(search, json_member_text(point.body[i], "pit_id", ""), after);
        page = ask_each(b, "POST", "/_search", bodies[0], bodies[1]);
        compare(b, &page, false, "a point in time");
        count = json_array_size(json_at(page.body[0], "hits.hits"));
        json_decref(after);
        after = json_deep_copy(json_object_get(json_array_get(json_at(page.body[0], "hits.hits"), count - 1), "sort"));
        release(&page);
        json_decref(bodies[0]);
        json_decref(bodies[1]);
    }
    for (int i = 0; i < 2; i++)
        bodies[i] = json_pack("{s:[s]}", "pit_id", json_member_text(point.body[i], "pit_id", ""));
    page = ask_each(b, "DELETE", "/_search/point_in_time", bodies[0], bodies[1]);
    assert_int_equal(page.status[0], page.status[1]);
    release(&page);
    release(&point);
    json_decref(bodies[0]);
    json_decref(bodies[1]);
    json_decref(after);
    json_decref(search);
}

static void ask_scroll(struct both *b)
{
    json_t *query = question_query(b->choice, 2), *bodies[2], *closing[2];
    json_t *first = json_pack("{s:b, s:b, s:[s], s:o, s:i}", "version", 1, "seq_no_primary_term", 1, "sort", "_doc",
                              "query", query, "size", 100);
    struct pair page, next;
    char path[200];

    path_in(b, "/_search?scroll=1m", path);
    page = ask_each(b, "POST", path, first, first);
    for (int i = 0; i < 2; i++) /* which place in a segment a document has is the server's secret */
        for (size_t n = 0; n < json_array_size(json_at(page.body[i], "hits.hits")); n++)
            json_object_del(json_array_get(json_at(page.body[i], "hits.hits"), n), "sort");
    compare(b, &page, true, "a scroll");
    ask_writes(b);
    ask_refresh(b);
    for (int i = 0; i < 2; i++)
        bodies[i] =
            json_pack("{s:s, s:s}", "scroll", "1m", "scroll_id", json_member_text(page.body[i], "_scroll_id", ""));
    next = ask_each(b, "POST", "/_search/scroll", bodies[0], bodies[1]);
    compare(b, &next, true, "its next page");
    release(&next);
    for (int i = 0; i < 2; i++)
        closing[i] = json_pack("{s:[O]}", "scroll_id", json_object_get(bodies[i], "scroll_id"));
    next = ask_each(b, "DELETE", "/_search/scroll", closing[0], closing[1]);
    assert_int_equal(next.status[0], next.status[1]);
    release(&next);
    next = ask_each(b, "POST", "/_search/scroll", bodies[0], bodies[1]);
    assert_int_equal(next.status[0], next.status[1]); /* gone */
    release(&next);
    json_decref(closing[0]);
    json_decref(closing[1]);
    release(&page);
    json_decref(bodies[0]);
    json_decref(bodies[1]);
    json_decref(first);
}

/* ---------------------------------------------------------------------------------------------------------- the test
 */

static int setup(void **state)
{
    struct both *b = xcalloc(1, sizeof *b);

    b->scene = scene_open(INI);
    b->client = client_new(&b->scene->settings->opensearch);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct both *b = *state;

    index_delete(b->scene->settings, "same*");
    client_free(b->client);
    scene_close(b->scene);
    free(b);
    return 0;
}

/* An index of its own, as sequence numbers are compared, too. */
static void run_sequence(struct both *b)
{
    static void (*const asks[])(struct both * b) = {ask_writes,    ask_writes, ask_writes,  ask_writes, ask_refresh,
                                                    ask_documents, ask_search, ask_numbers, ask_points, ask_scroll};
    char path[200], name[40];

    snprintf(name, sizeof name, "same%" PRIu64, b->seed);
    snprintf(b->index, sizeof b->index, "%s%s", b->scene->settings->opensearch.prefix, name);
    path_in(b, "", path);
    json_decref(index_ask(b->scene->settings, "PUT", path, questions_index));
    b->model = model_new(b->index, questions_index);
    b->choice = choice_new(b->seed);
    b->seq_no = 0;
    for (int i = 0; i < REQUESTS; i++)
        asks[choose(b->choice, ARRAY_LENGTH(asks))](b);
    choice_free(b->choice);
    model_free(b->model);
    index_delete(b->scene->settings, name);
}

static void the_model_answers_as_opensearch_does(void **state)
{
    struct both *b = *state;
    const char *seed = getenv("CRIER_SEED");
    uint64_t from = seed ? strtoull(seed, NULL, 10) : 1, count = seed ? 1 : SEQUENCES;

    for (b->seed = from; b->seed < from + count; b->seed++)
        run_sequence(b);
}

static void what_is_not_there_is_missing_in_both(void **state)
{
    struct both *b = *state;
    struct pair p;

    b->model = model_new("another", questions_index);
    p = ask_text(b, "POST", "/same-missing/_refresh", NULL);
    assert_int_equal(p.status[0], 404);
    assert_int_equal(p.status[1], 404);
    release(&p);
    model_free(b->model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_model_answers_as_opensearch_does, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_missing_in_both, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
