/* Every hit of a query, whatever their number and the shards; and documents by their ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "indexer/search.h"
#include "support/fault_proxy.h"
#include "support/search_stage.h"
#include "support/server.h"

/* ---------------------------------------------------------------------------------------------------- pages */

static void every_document_is_found_once_beyond_10000(void **state)
{
    assert_int_equal(search_stage_read(*state, "search-many", search_all(), PAGE), MANY);
}

static void the_query_chooses(void **state)
{
    struct search_stage *f = *state;

    assert_int_equal(search_stage_read(f, "search-many", json_pack("{s:{s:i}}", "term", "third", 1), PAGE), MANY / 3);
    assert_false(f->seen[0]);
    assert_true(f->seen[1]);
    assert_int_equal(search_stage_read(f, "search-many", json_pack("{s:{s:i}}", "term", "third", 5), PAGE), 0);
}

static void pages_smaller_than_the_shards_are_many_lose_nothing(void **state)
{
    static const size_t pages[] = {1, 2, 3, 5, 7};
    struct search_stage *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        search_stage_forget(state);
        assert_int_equal(
            search_stage_read(f, "search-many", json_loads("{\"range\":{\"n\":{\"lt\":200}}}", 0, NULL), pages[i]),
            200);
    }
}

static void a_page_that_fits_exactly_is_followed_by_the_end(void **state)
{
    struct search_stage *f = *state;

    assert_int_equal(search_stage_read(f, "search-many", json_loads("{\"range\":{\"n\":{\"lt\":100}}}", 0, NULL), 100),
                     100);
}

static void several_indices_are_read_as_one(void **state)
{
    struct search_stage *f = *state;

    search_stage_fill(f, "search-part-1", 0, 50, 1);
    search_stage_fill(f, "search-part-2", 50, 120, 1);
    assert_int_equal(search_stage_read(f, "search-part-*", search_all(), 10), 120);
}

static void a_hit_tells_all_that_a_conditional_write_needs(void **state)
{
    struct search_stage *f = *state;
    json_t *query = json_pack("{s:{s:i}}", "term", "n", 42);
    struct search *s = search_open(f->client, "search-many", query, PAGE);
    const json_t *hits = search_stage_next(f, s), *hit = json_array_get(hits, 0);
    char index[100];

    snprintf(index, sizeof index, "%ssearch-many", test_prefix());
    assert_int_equal(json_array_size(hits), 1);
    assert_string_equal(json_member_text(hit, "_index", ""), index);
    assert_string_equal(json_member_text(hit, "_id", ""), "42");
    assert_int_equal(json_integer_value(json_object_get(hit, "_version")), 7);
    assert_true(json_is_integer(json_object_get(hit, "_seq_no")));
    assert_true(json_is_integer(json_object_get(hit, "_primary_term")));
    assert_int_equal(json_integer_value(json_at(hit, "_source.third")), 0);
    assert_null(search_stage_next(f, s));
    search_close(s);
    json_decref(query);
}

static void a_missing_index_has_no_hits(void **state)
{
    assert_int_equal(search_stage_read(*state, "search-missing", search_all(), PAGE), 0);
    assert_int_equal(search_stage_read(*state, "search-missing-*", search_all(), PAGE), 0);
}

/* ------------------------------------------------------------------------------------------- the point in time */

static void a_wrong_query_is_told_in_the_servers_words(void **state)
{
    struct search_stage *f = *state;
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

static json_t *get(struct search_stage *f, const char *index, const char *const ids[3])
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
    struct search_stage *f = *state;
    json_t *docs = get(f, "search-missing", ids);

    assert_int_equal(json_array_size(docs), 3);
    assert_true(json_is_false(json_object_get(json_array_get(docs, 0), "found")));
    assert_true(search_refresh(f->client, "search-missing", &f->err));
    json_decref(docs);
}

#define TEST(name) cmocka_unit_test_setup(name, search_stage_forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_document_is_found_once_beyond_10000),
        TEST(the_query_chooses),
        TEST(pages_smaller_than_the_shards_are_many_lose_nothing),
        TEST(a_page_that_fits_exactly_is_followed_by_the_end),
        TEST(several_indices_are_read_as_one),
        TEST(a_hit_tells_all_that_a_conditional_write_needs),
        TEST(a_missing_index_has_no_hits),
        TEST(a_wrong_query_is_told_in_the_servers_words),
        TEST(documents_are_fetched_by_id_without_waiting_for_a_refresh),
        TEST(of_a_missing_index_no_document_is_found),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, search_stage_open, search_stage_close);
}
