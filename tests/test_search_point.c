/* What a search holds open: a document written meanwhile, a point in time that expires, a server that goes away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "indexer/bulk.h"
#include "indexer/search.h"
#include "support/fault_proxy.h"
#include "support/search_stage.h"
#include "support/server.h"

/* Of that index, and no other: an index that is closed and opened has none any more. */
static void forget_points(struct search_stage *f, const char *name)
{
    static const char *const steps[] = {"_close", "_open?wait_for_active_shards=1"};
    json_t *answer;
    char path[200];
    bool missing;

    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        snprintf(path, sizeof path, "/%s%s/%s", test_prefix(), name, steps[i]);
        if (!client_json(f->client, "POST", path, NULL, &answer, &missing, &f->err))
            fail_msg("%s", f->err.text);
        json_decref(answer);
    }
}

static void few_hits_cost_three_requests(void **state)
{
    struct search_stage *f = *state;

    assert_int_equal(search_stage_read(f, "search-many", json_pack("{s:{s:i}}", "term", "n", 1), PAGE), 1);
    assert_int_equal(fault_proxy_counts(f->proxy).requests, 3); /* the point in time, the page, its end */
}

static void a_document_written_meanwhile_does_not_disturb(void **state)
{
    struct search_stage *f = *state;
    json_t *query = search_all();
    struct search *s;
    const json_t *hits;
    int count = 0;

    search_stage_fill(f, "search-moving", 0, 100, 1);
    s = search_open(f->client, "search-moving", query, 10);
    while ((hits = search_stage_next(f, s))) {
        count += search_stage_note(f, hits);
        if (count == 10 - 1)
            search_stage_fill(f, "search-moving", 0, 150, 2);
    }
    assert_int_equal(count, 100);
    search_close(s);
    json_decref(query);
}

static void an_expired_point_in_time_is_opened_anew_at_the_same_place(void **state)
{
    struct search_stage *f = *state;
    json_t *query = search_all();
    struct search *s;
    const json_t *hits;
    int count = 0, pages = 0;

    search_stage_fill(f, "search-expiring", 0, 100, 1);
    s = search_open(f->client, "search-expiring", query, 10);
    while ((hits = search_stage_next(f, s))) {
        count += search_stage_note(f, hits);
        if (++pages == 3) {
            search_stage_fill(f, "search-expiring", 0, 50, 2); /* those not read yet move behind */
            forget_points(f, "search-expiring");
        }
    }
    assert_int_equal(count, 100);
    search_close(s);
    json_decref(query);
}

static void a_search_given_up_closes_its_point_in_time(void **state)
{
    struct search_stage *f = *state;
    json_t *query = search_all();
    struct search *s;

    s = search_open(f->client, "search-many", query, 10);
    assert_non_null(search_stage_next(f, s));
    assert_int_equal(fault_proxy_counts(f->proxy).requests, 2);
    search_close(s);
    assert_int_equal(fault_proxy_counts(f->proxy).requests, 3);
    json_decref(query);
}

static void a_search_goes_on_where_the_server_was_away(void **state)
{
    struct search_stage *f = *state;
    json_t *query = search_all();
    struct search *s = search_open(f->client, "search-many", query, PAGE);
    const json_t *hits = search_stage_next(f, s);
    int count = search_stage_note(f, hits);

    fault_proxy_down(f->proxy);
    assert_false(search_next(s, &hits, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    fault_proxy_up(f->proxy);
    fault_proxy_set(f->proxy, &(struct fault){.link = FAULT_CUT_ITEM_LIST, .times = 1});
    assert_false(search_next(s, &hits, &f->err));
    while ((hits = search_stage_next(f, s)))
        count += search_stage_note(f, hits);
    assert_int_equal(count, MANY);
    search_close(s);
    json_decref(query);
}

static void a_page_that_is_too_long_comes_without_documents(void **state)
{
    enum { LONG = 66, BYTES = 1024 * 1024 };
    struct search_stage *f = *state;
    struct bulk *b = bulk_new(f->client, BULK_BYTES);
    json_t *query = json_pack("{s:{}}", "match_all");
    struct search *s = search_open(f->client, "search-long", query, PAGE);
    const json_t *hits;
    char id[20];
    size_t number;

    json_decref(search_stage_ask(f, "PUT", "search-long", "", "{\"mappings\":{\"enabled\":false}}"));
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

#define TEST(name) cmocka_unit_test_setup(name, search_stage_forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(few_hits_cost_three_requests),
        TEST(a_document_written_meanwhile_does_not_disturb),
        TEST(an_expired_point_in_time_is_opened_anew_at_the_same_place),
        TEST(a_search_given_up_closes_its_point_in_time),
        TEST(a_search_goes_on_where_the_server_was_away),
        TEST(a_page_that_is_too_long_comes_without_documents),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, search_stage_open, search_stage_close);
}
