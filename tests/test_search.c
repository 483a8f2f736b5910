/* Every hit of a query, whatever their number, the shards, and what becomes of the point in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "indexer/bulk.h"
#include "indexer/search.h"
#include "support/fault_proxy.h"
#include "support/server.h"

enum { MANY = 12000, PAGE = 1000, BULK_BYTES = 8 * 1024 * 1024 };

/* Made once: MANY documents {"n": i, "third": i % 3} in "search-many", over five shards; none is changed. */
struct fixture {
    struct fault_proxy *proxy;
    struct client *client;
    struct error err;
    bool *seen;
};

static json_t *ask(struct fixture *f, const char *method, const char *index, const char *after, const char *body)
{
    char path[200];
    json_t *answer, *request = body ? json_loads(body, 0, NULL) : NULL;
    bool missing;

    snprintf(path, sizeof path, "/%s%s%s", test_prefix(), index, after);
    if (!client_json(f->client, method, path, request, &answer, &missing, &f->err))
        fail_msg("%s", f->err.text);
    json_decref(request);
    return answer;
}

static void fill(struct fixture *f, const char *index, int from, int to, int64_t version)
{
    struct bulk *b = bulk_new(f->client, BULK_BYTES);
    char id[20];
    size_t number;

    for (int i = from; i < to; i++) {
        struct bulk_target target = {BULK_INDEX, .index = index, .id = id, .version = version, .seq_no = -1};

        snprintf(id, sizeof id, "%d", i);
        buf_printf(bulk_add(b, &target, &number), "{\"n\":%d,\"third\":%d}", i, i % 3);
    }
    if (!bulk_send(b, &f->err) || !search_refresh(f->client, index, &f->err))
        fail_msg("%s", f->err.text);
    for (size_t i = 0; i < bulk_count(b); i++)
        if (bulk_item(b, i)->outcome != BULK_DONE)
            fail_msg("%s", bulk_item(b, i)->reason);
    bulk_free(b);
}

static int setup_all(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    char url[100], prefix[60];
    struct opensearch_settings o = {.url = url, .prefix = prefix, .connect_ms = 2000, .timeout_ms = 20000};

    f->proxy = fault_proxy_start(server_port(opensearch_server_start()));
    f->seen = xcalloc(MANY, sizeof *f->seen);
    snprintf(url, sizeof url, "%s", fault_proxy_url(f->proxy));
    snprintf(prefix, sizeof prefix, "%s", test_prefix());
    f->client = client_new(&o);
    json_decref(ask(f, "PUT", "search-many", "", "{\"settings\":{\"number_of_shards\":5,\"number_of_replicas\":0}}"));
    fill(f, "search-many", 0, MANY, 7);
    *state = f;
    return 0;
}

static int teardown_all(void **state)
{
    struct fixture *f = *state;

    json_decref(ask(f, "DELETE", "search-*", "", NULL));
    client_free(f->client);
    fault_proxy_free(f->proxy);
    free(f->seen);
    free(f);
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = *state;

    memset(f->seen, 0, MANY * sizeof *f->seen);
    fault_proxy_set(f->proxy, NULL);
    fault_proxy_forget(f->proxy);
    return 0;
}

/* ------------------------------------------------------------------------------------------------- in short */

static json_t *match_all(void)
{
    return json_pack("{s:{}}", "match_all");
}

static const json_t *next(struct fixture *f, struct search *s)
{
    const json_t *hits;

    if (!search_next(s, &hits, &f->err))
        fail_msg("%s", f->err.text);
    assert_true(!hits || json_array_size(hits) > 0);
    return hits;
}

/* Notes the hits; returns how many were there for the first time. */
static int note(struct fixture *f, const json_t *hits)
{
    int fresh = 0;

    for (size_t i = 0; i < json_array_size(hits); i++) {
        json_int_t n = json_integer_value(json_at(json_array_get(hits, i), "_source.n"));

        assert_in_range(n, 0, MANY - 1);
        fresh += !f->seen[n];
        f->seen[n] = true;
    }
    return fresh;
}

/* Reads all pages and returns how many hits there were, each of them once. */
static int read_all(struct fixture *f, const char *index, json_t *query, size_t page)
{
    struct search *s = search_open(f->client, index, query, page);
    const json_t *hits;
    int count = 0;

    json_decref(query);
    while ((hits = next(f, s))) {
        int fresh = note(f, hits);

        assert_int_equal(fresh, json_array_size(hits));
        count += fresh;
    }
    assert_null(next(f, s)); /* and nothing after the end */
    search_close(s);
    return count;
}

/* ---------------------------------------------------------------------------------------------------- pages */

static void every_document_is_found_once_beyond_10000(void **state)
{
    assert_int_equal(read_all(*state, "search-many", match_all(), PAGE), MANY);
}

static void the_query_chooses(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_all(f, "search-many", json_pack("{s:{s:i}}", "term", "third", 1), PAGE), MANY / 3);
    assert_false(f->seen[0]);
    assert_true(f->seen[1]);
    assert_int_equal(read_all(f, "search-many", json_pack("{s:{s:i}}", "term", "third", 5), PAGE), 0);
}

static void pages_smaller_than_the_shards_are_many_lose_nothing(void **state)
{
    static const size_t pages[] = {1, 2, 3, 5, 7};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        setup(state);
        assert_int_equal(read_all(f, "search-many", json_loads("{\"range\":{\"n\":{\"lt\":200}}}", 0, NULL), pages[i]),
                         200);
    }
}

static void a_page_that_fits_exactly_is_followed_by_the_end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_all(f, "search-many", json_loads("{\"range\":{\"n\":{\"lt\":100}}}", 0, NULL), 100), 100);
}

static void several_indices_are_read_as_one(void **state)
{
    struct fixture *f = *state;

    fill(f, "search-part-1", 0, 50, 1);
    fill(f, "search-part-2", 50, 120, 1);
    assert_int_equal(read_all(f, "search-part-*", match_all(), 10), 120);
}

static void a_hit_tells_all_that_a_conditional_write_needs(void **state)
{
    struct fixture *f = *state;
    json_t *query = json_pack("{s:{s:i}}", "term", "n", 42);
    struct search *s = search_open(f->client, "search-many", query, PAGE);
    const json_t *hits = next(f, s), *hit = json_array_get(hits, 0);
    char index[100];

    snprintf(index, sizeof index, "%ssearch-many", test_prefix());
    assert_int_equal(json_array_size(hits), 1);
    assert_string_equal(json_member_text(hit, "_index", ""), index);
    assert_string_equal(json_member_text(hit, "_id", ""), "42");
    assert_int_equal(json_integer_value(json_object_get(hit, "_version")), 7);
    assert_true(json_is_integer(json_object_get(hit, "_seq_no")));
    assert_true(json_is_integer(json_object_get(hit, "_primary_term")));
    assert_int_equal(json_integer_value(json_at(hit, "_source.third")), 0);
    assert_null(next(f, s));
    search_close(s);
    json_decref(query);
}

static void few_hits_cost_three_requests(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_all(f, "search-many", json_pack("{s:{s:i}}", "term", "n", 1), PAGE), 1);
    assert_int_equal(fault_proxy_counts(f->proxy).requests, 3); /* the point in time, the page, its end */
}

static void a_missing_index_has_no_hits(void **state)
{
    assert_int_equal(read_all(*state, "search-missing", match_all(), PAGE), 0);
    assert_int_equal(read_all(*state, "search-missing-*", match_all(), PAGE), 0);
}

/* ------------------------------------------------------------------------------------------- the point in time */

static void forget_all_points(struct fixture *f)
{
    json_t *answer;
    bool missing;

    if (!client_json(f->client, "DELETE", "/_search/point_in_time/_all", NULL, &answer, &missing, &f->err))
        fail_msg("%s", f->err.text);
    json_decref(answer);
}

static void a_document_written_meanwhile_does_not_disturb(void **state)
{
    struct fixture *f = *state;
    json_t *query = match_all();
    struct search *s;
    const json_t *hits;
    int count = 0;

    fill(f, "search-moving", 0, 100, 1);
    s = search_open(f->client, "search-moving", query, 10);
    while ((hits = next(f, s))) {
        count += note(f, hits);
        if (count == 10 - 1)
            fill(f, "search-moving", 0, 150, 2);
    }
    assert_int_equal(count, 100);
    search_close(s);
    json_decref(query);
}

static void an_expired_point_in_time_is_opened_anew_at_the_same_place(void **state)
{
    struct fixture *f = *state;
    json_t *query = match_all();
    struct search *s;
    const json_t *hits;
    int count = 0, pages = 0;

    fill(f, "search-expiring", 0, 100, 1);
    s = search_open(f->client, "search-expiring", query, 10);
    while ((hits = next(f, s))) {
        count += note(f, hits);
        if (++pages == 3) {
            fill(f, "search-expiring", 0, 50, 2); /* those not read yet move behind */
            forget_all_points(f);
        }
    }
    assert_int_equal(count, 100);
    search_close(s);
    json_decref(query);
}

static void a_search_given_up_closes_its_point_in_time(void **state)
{
    struct fixture *f = *state;
    json_t *query = match_all();
    struct search *s;

    s = search_open(f->client, "search-many", query, 10);
    assert_non_null(next(f, s));
    assert_int_equal(fault_proxy_counts(f->proxy).requests, 2);
    search_close(s);
    assert_int_equal(fault_proxy_counts(f->proxy).requests, 3);
    json_decref(query);
}

static void a_search_goes_on_where_the_server_was_away(void **state)
{
    struct fixture *f = *state;
    json_t *query = match_all();
    struct search *s = search_open(f->client, "search-many", query, PAGE);
    const json_t *hits = next(f, s);
    int count = note(f, hits);

    fault_proxy_down(f->proxy);
    assert_false(search_next(s, &hits, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    fault_proxy_up(f->proxy);
    fault_proxy_set(f->proxy, &(struct fault){.link = FAULT_CUT_ITEM_LIST, .times = 1});
    assert_false(search_next(s, &hits, &f->err));
    while ((hits = next(f, s)))
        count += note(f, hits);
    assert_int_equal(count, MANY);
    search_close(s);
    json_decref(query);
}

static void a_page_that_is_too_long_comes_without_documents(void **state)
{
    enum { LONG = 66, BYTES = 1024 * 1024 };
    struct fixture *f = *state;
    struct bulk *b = bulk_new(f->client, BULK_BYTES);
    json_t *query = json_pack("{s:{}}", "match_all");
    struct search *s = search_open(f->client, "search-long", query, PAGE);
    const json_t *hits;
    char id[20];
    size_t number;

    json_decref(ask(f, "PUT", "search-long", "", "{\"mappings\":{\"enabled\":false}}"));
    for (int i = 0; i < LONG; i++) {
        struct bulk_target target = {BULK_INDEX, .index = "search-long", .id = id, .version = 1, .seq_no = -1};
        struct buf *document;

        snprintf(id, sizeof id, "%d", i);
        document = bulk_add(b, &target, &number);
        buf_add_text(document, "{\"long\":\"");
        memset(buf_grow(document, BYTES), 'x', BYTES);
        buf_grown(document, BYTES);
        buf_add_text(document, "\"}");
    }
    if (!bulk_send(b, &f->err) || !search_refresh(f->client, "search-long", &f->err) || !search_next(s, &hits, &f->err))
        fail_msg("%s", f->err.text);
    assert_int_equal(json_array_size(hits), LONG);
    assert_null(json_object_get(json_array_get(hits, 0), "_source"));
    search_close(s);
    bulk_free(b);
    json_decref(query);
}

static void a_wrong_query_is_told_in_the_servers_words(void **state)
{
    struct fixture *f = *state;
    json_t *query = json_pack("{s:{}}", "no_such_query");
    struct search *s = search_open(f->client, "search-many", query, PAGE);
    const json_t *hits;

    assert_false(search_next(s, &hits, &f->err));
    assert_int_equal(f->err.kind, ERROR_INPUT);
    assert_non_null(strstr(f->err.text, "no_such_query"));
    assert_null(hits);
    search_close(s);
    json_decref(query);
}

/* --------------------------------------------------------------------------------------------- single requests */

static json_t *get(struct fixture *f, const char *index, const char *const ids[3])
{
    const json_t *hits[3];
    json_t *docs;

    for (int i = 0; i < 3; i++)
        hits[i] = json_pack("{s:s+, s:s}", "_index", test_prefix(), index, "_id", ids[i]);
    if (!search_get(f->client, hits, 3, &docs, &f->err))
        fail_msg("%s", f->err.text);
    for (int i = 0; i < 3; i++)
        json_decref((json_t *)(uintptr_t)hits[i]);
    return docs;
}

static void documents_are_fetched_by_id_without_waiting_for_a_refresh(void **state)
{
    static const char *const ids[] = {"5", "no such", "11999"};
    json_t *docs = get(*state, "search-many", ids);

    assert_int_equal(json_array_size(docs), 3);
    assert_true(json_is_true(json_object_get(json_array_get(docs, 0), "found")));
    assert_false(json_is_true(json_object_get(json_array_get(docs, 1), "found")));
    assert_int_equal(json_integer_value(json_at(json_array_get(docs, 2), "_source.n")), 11999);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(docs, 2), "_version")), 7);
    assert_true(json_is_integer(json_object_get(json_array_get(docs, 2), "_seq_no")));
    json_decref(docs);
}

static void of_a_missing_index_no_document_is_found(void **state)
{
    static const char *const ids[] = {"1", "2", "3"};
    struct fixture *f = *state;
    json_t *docs = get(f, "search-missing", ids);

    assert_int_equal(json_array_size(docs), 3);
    assert_true(json_is_false(json_object_get(json_array_get(docs, 0), "found")));
    assert_true(search_refresh(f->client, "search-missing", &f->err));
    json_decref(docs);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_document_is_found_once_beyond_10000),
        TEST(the_query_chooses),
        TEST(pages_smaller_than_the_shards_are_many_lose_nothing),
        TEST(a_page_that_fits_exactly_is_followed_by_the_end),
        TEST(several_indices_are_read_as_one),
        TEST(a_hit_tells_all_that_a_conditional_write_needs),
        TEST(few_hits_cost_three_requests),
        TEST(a_missing_index_has_no_hits),
        TEST(a_document_written_meanwhile_does_not_disturb),
        TEST(an_expired_point_in_time_is_opened_anew_at_the_same_place),
        TEST(a_search_given_up_closes_its_point_in_time),
        TEST(a_search_goes_on_where_the_server_was_away),
        TEST(a_page_that_is_too_long_comes_without_documents),
        TEST(a_wrong_query_is_told_in_the_servers_words),
        TEST(documents_are_fetched_by_id_without_waiting_for_a_refresh),
        TEST(of_a_missing_index_no_document_is_found),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
