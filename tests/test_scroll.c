/* Documents read page by page as text, and what is known of all of them in numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"
#include "indexer/bulk.h"
#include "indexer/scroll.h"
#include "indexer/search.h"
#include "support/fault_proxy.h"
#include "support/server.h"

enum { MANY = 3000, PAGE = 400, BULK_BYTES = 8 * 1024 * 1024 };

/* Made once: MANY documents {"n": i} with version 7 in "scroll-many", over three shards. */
struct fixture {
    struct fault_proxy *proxy;
    struct client *client;
    struct arena *arena;
    struct error err;
    json_t *all;
    int seen[MANY];
};

static void write_range(struct fixture *f, int from, int to, int64_t version)
{
    struct bulk *b = bulk_new(f->client, BULK_BYTES);
    char id[20];
    size_t number;

    for (int i = from; i < to; i++) {
        struct bulk_target target = {BULK_INDEX, .index = "scroll-many", .id = id, .version = version, .seq_no = -1};

        snprintf(id, sizeof id, "%d", i);
        buf_printf(bulk_add(b, &target, &number), "{ \"n\":%d}", i);
    }
    if (!bulk_send(b, &f->err) || !search_refresh(f->client, "scroll-many", &f->err))
        fail_msg("%s", f->err.text);
    bulk_free(b);
}

static void ask(struct fixture *f, const char *method, const char *body)
{
    json_t *answer, *request = body ? json_loads(body, 0, NULL) : NULL;
    char path[200];
    bool missing;

    snprintf(path, sizeof path, "/%sscroll-many", test_prefix());
    if (!client_json(f->client, method, path, request, &answer, &missing, &f->err))
        fail_msg("%s", f->err.text);
    json_decref(request);
    json_decref(answer);
}

static int setup_all(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    char url[100], prefix[60];
    struct opensearch_settings o = {.url = url, .prefix = prefix, .connect_ms = 2000, .timeout_ms = 20000};

    f->proxy = fault_proxy_start(server_port(opensearch_server_start()));
    f->arena = arena_new();
    f->all = json_pack("{s:{}}", "match_all");
    snprintf(url, sizeof url, "%s", fault_proxy_url(f->proxy));
    snprintf(prefix, sizeof prefix, "%s", test_prefix());
    f->client = client_new(&o);
    ask(f, "PUT", "{\"settings\":{\"number_of_shards\":3,\"number_of_replicas\":0,\"refresh_interval\":\"-1\"}}");
    write_range(f, 0, MANY, 7);
    *state = f;
    return 0;
}

static int teardown_all(void **state)
{
    struct fixture *f = *state;

    ask(f, "DELETE", NULL);
    json_decref(f->all);
    arena_free(f->arena);
    client_free(f->client);
    fault_proxy_free(f->proxy);
    free(f);
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = *state;

    fault_proxy_set(f->proxy, NULL);
    memset(f->seen, 0, sizeof f->seen);
    return 0;
}

static void see(struct fixture *f, const struct hit *hit)
{
    char source[40];
    int64_t n;

    assert_true(text_int(hit->id.text, hit->id.length, &n) && n >= 0 && n < MANY);
    snprintf(source, sizeof source, "{ \"n\":%lld}", (long long)n);
    if (hit->source.length)
        assert_true(span_is(hit->source, source));
    assert_true(text_starts(hit->index, test_prefix()));
    assert_true(hit->seq_no >= 0 && hit->primary_term > 0 && hit->version >= 7);
    f->seen[n]++;
}

static int read_all(struct fixture *f, struct scroll *s)
{
    struct hits page;
    int count = 0;

    do {
        arena_reset(f->arena);
        if (!scroll_next(s, f->arena, &page, &f->err))
            fail_msg("%s", f->err.text);
        for (size_t i = 0; i < page.count; i++)
            see(f, &page.items[i]);
        count += (int)page.count;
    } while (page.count > 0);
    scroll_close(s);
    return count;
}

static void assert_each_once(struct fixture *f)
{
    for (int i = 0; i < MANY; i++)
        assert_int_equal(f->seen[i], 1);
}

static void every_document_comes_once_as_it_was_written(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_all(f, scroll_open(f->client, "scroll-many", f->all, PAGE)), MANY);
    assert_each_once(f);
}

static void the_parts_of_a_query_make_the_whole(void **state)
{
    struct fixture *f = *state;

    for (int part = 0; part < 2; part++) {
        struct scroll *s = scroll_open(f->client, "scroll-many", f->all, PAGE);
        int count;

        scroll_part(s, part, 2);
        count = read_all(f, s);
        assert_in_range(count, MANY / 4, 3 * MANY / 4);
    }
    assert_each_once(f);
}

static void the_first_page_alone_is_one_request(void **state)
{
    struct fixture *f = *state;
    struct scroll *s = scroll_open(f->client, "scroll-many", f->all, PAGE);

    scroll_first_page_only(s);
    fault_proxy_forget(f->proxy);
    assert_int_equal(read_all(f, s), PAGE);
    assert_int_equal(fault_proxy_counts(f->proxy).requests, 1);
}

static void a_missing_index_has_no_hits(void **state)
{
    struct fixture *f = *state;
    struct hits_sum sum;
    int64_t count;

    assert_int_equal(read_all(f, scroll_open(f->client, "scroll-missing", f->all, PAGE)), 0);
    assert_true(hits_count(f->client, "scroll-missing", f->all, 10, &count, &f->err));
    assert_int_equal(count, 0);
    assert_true(hits_sum(f->client, "scroll-missing", f->all, &sum, &f->err));
    assert_int_equal(sum.count, 0);
}

static void a_query_that_is_refused_is_an_input_error_and_a_forgotten_scroll_passes(void **state)
{
    struct fixture *f = *state;
    json_t *bad = json_pack("{s:{}}", "no_such_query");
    struct scroll *s = scroll_open(f->client, "scroll-many", bad, PAGE);
    struct hits page;
    json_t *answer;

    assert_false(scroll_next(s, f->arena, &page, &f->err));
    assert_int_equal(f->err.kind, ERROR_INPUT);
    scroll_close(s);
    json_decref(bad);
    s = scroll_open(f->client, "scroll-many", f->all, PAGE);
    assert_true(scroll_next(s, f->arena, &page, &f->err));
    bad = json_pack("{s:[s]}", "scroll_id", arena_copy(f->arena, page.scroll_id.text, page.scroll_id.length));
    assert_true(client_json(f->client, "DELETE", "/_search/scroll", bad, &answer, NULL, &f->err));
    assert_false(scroll_next(s, f->arena, &page, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    scroll_close(s);
    json_decref(answer);
    json_decref(bad);
}

static void a_reply_that_is_cut_is_an_error_and_no_end(void **state)
{
    struct fixture *f = *state;
    struct scroll *s = scroll_open(f->client, "scroll-many", f->all, PAGE);
    struct hits page;

    fault_proxy_set(f->proxy, &(struct fault){.path_with = "_search", .link = FAULT_CUT_ITEM_LIST, .times = 1});
    assert_false(scroll_next(s, f->arena, &page, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    scroll_close(s);
}

static void documents_are_read_by_their_ids(void **state)
{
    struct fixture *f = *state;
    struct scroll *s = scroll_open(f->client, "scroll-many", f->all, 5);
    const struct hit *which[5];
    struct hits page, now;

    assert_true(scroll_next(s, f->arena, &page, &f->err));
    for (size_t i = 0; i < 5; i++)
        which[i] = &page.items[i];
    page.items[1].id = span_of("none");
    page.items[2].index = "there-is-no-such-index";
    assert_true(hits_get(f->client, which, 5, f->arena, &now, &f->err));
    assert_true(now.items[0].found && span_is(now.items[0].id, page.items[0].id.text));
    assert_int_equal(now.items[0].seq_no, page.items[0].seq_no);
    assert_false(now.items[1].found);
    assert_false(now.items[2].found);
    see(f, &now.items[4]);
    scroll_close(s);
}

static void a_write_to_any_of_the_documents_shows_in_their_sum(void **state)
{
    struct fixture *f = *state;
    struct hits_sum before, same, after;
    int64_t count, writes, more;

    assert_true(hits_count(f->client, "scroll-many", f->all, 100, &count, &f->err));
    assert_int_equal(count, 100);
    assert_true(hits_sum(f->client, "scroll-many", f->all, &before, &f->err));
    assert_true(hits_sum(f->client, "scroll-many", f->all, &same, &f->err));
    assert_int_equal(before.count, MANY);
    assert_true(hits_sum_same(&before, &same));
    assert_true(hits_writes(f->client, "scroll-many", &writes, &f->err));
    write_range(f, 5, 6, 8);
    assert_true(hits_writes(f->client, "scroll-many", &more, &f->err));
    assert_int_equal(more - writes, 1);
    assert_true(hits_writes(f->client, "scroll-missing", &writes, &f->err));
    assert_true(hits_sum(f->client, "scroll-many", f->all, &after, &f->err));
    assert_int_equal(after.count, MANY);
    assert_false(hits_sum_same(&before, &after));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_document_comes_once_as_it_was_written),
        TEST(the_parts_of_a_query_make_the_whole),
        TEST(the_first_page_alone_is_one_request),
        TEST(a_missing_index_has_no_hits),
        TEST(a_query_that_is_refused_is_an_input_error_and_a_forgotten_scroll_passes),
        TEST(a_reply_that_is_cut_is_an_error_and_no_end),
        TEST(documents_are_read_by_their_ids),
        TEST(a_write_to_any_of_the_documents_shows_in_their_sum),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
