/* What becomes of each item of a bulk, and what is sent for it: on a real OpenSearch, partly through the fault proxy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/counters.h"
#include "support/bulk_stage.h"

/* --------------------------------------------------------------------------------------- outcomes, by the table */

static void a_document_arrives_as_it_was_written(void **state)
{
    struct stage *s = *state;
    size_t number = stage_add(s, stage_write(s, "one", 42), "{\"title\":\"Größe \\\"x\\\"\",\"n\":[1,25,null]}");

    stage_send(s);
    stage_outcome_is(s, number, BULK_DONE);
    assert_int_equal(bulk_item(s->bulk, number)->status, 201);
    stage_stored_is(s, "one", 42, "{\"title\":\"Größe \\\"x\\\"\",\"n\":[1,25,null]}");
}

static int64_t counted(const char *outcome)
{
    return counter_value(counter_with(COUNTER_TOTAL, "crier_bulk_items_total", "", "outcome", outcome, NULL));
}

static void an_older_or_equal_version_is_superseded(void **state)
{
    struct stage *s = *state;
    size_t older, equal, newer;
    int64_t superseded, done;

    stage_add(s, stage_write(s, "one", 5), "{\"n\":5}");
    stage_send(s);
    superseded = counted("superseded");
    done = counted("done");
    bulk_start(s->bulk);
    older = stage_add(s, stage_write(s, "one", 4), "{\"n\":4}");
    equal = stage_add(s, stage_write(s, "one", 5), "{\"n\":50}");
    newer = stage_add(s, stage_write(s, "one", 6), "{\"n\":6}");
    stage_send(s);
    stage_outcome_is(s, older, BULK_SUPERSEDED);
    stage_outcome_is(s, equal, BULK_SUPERSEDED);
    stage_outcome_is(s, newer, BULK_DONE);
    stage_stored_is(s, "one", 6, "{\"n\":6}");
    assert_int_equal(counted("superseded") - superseded, 2);
    assert_int_equal(counted("done") - done, 1);
}

static void a_second_create_is_superseded(void **state)
{
    struct stage *s = *state;
    struct bulk_target create = stage_write(s, "one", -1);
    size_t first, second;

    create.action = BULK_CREATE;
    first = stage_add(s, create, "{\"n\":1}");
    second = stage_add(s, create, "{\"n\":2}");
    stage_send(s);
    stage_outcome_is(s, first, BULK_DONE);
    stage_outcome_is(s, second, BULK_SUPERSEDED);
    stage_stored_is(s, "one", 1, "{\"n\":1}");
}

static void a_sequence_number_that_moved_on_is_a_conflict(void **state)
{
    struct stage *s = *state;
    struct bulk_target target = stage_write(s, "one", -1);
    size_t first, second;
    json_t *doc;

    stage_add(s, target, "{\"n\":0}");
    stage_send(s);
    doc = stage_stored(s, "one");
    target.seq_no = json_integer_value(json_object_get(doc, "_seq_no"));
    target.primary_term = json_integer_value(json_object_get(doc, "_primary_term"));
    json_decref(doc);
    bulk_start(s->bulk);
    first = stage_add(s, target, "{\"n\":1}");
    second = stage_add(s, target, "{\"n\":2}");
    stage_send(s);
    stage_outcome_is(s, first, BULK_DONE);
    stage_outcome_is(s, second, BULK_CONFLICT);
    stage_stored_is(s, "one", -1, "{\"n\":1}");
}

static void a_delete_is_done_whether_or_not_the_document_was_there(void **state)
{
    struct stage *s = *state;
    struct bulk_target gone = stage_write(s, "gone", 7), one = stage_write(s, "one", 2);
    size_t number_gone, number_one, late;

    gone.action = one.action = BULK_DELETE;
    stage_add(s, stage_write(s, "one", 1), "{\"n\":1}");
    stage_send(s);
    bulk_start(s->bulk);
    number_gone = stage_add(s, gone, "");
    number_one = stage_add(s, one, "");
    late = stage_add(s, stage_write(s, "one", 1), "{\"n\":1}");
    stage_send(s);
    stage_outcome_is(s, number_gone, BULK_DONE);
    stage_outcome_is(s, number_one, BULK_DONE);
    stage_outcome_is(s, late, BULK_SUPERSEDED);
    assert_false(stage_is_stored(s, "one"));
}

static void a_missing_index_is_dead_with_the_servers_words(void **state)
{
    struct stage *s = *state;
    struct bulk_target target = {BULK_DELETE, .index = "never-made", .id = "1", .version = -1, .seq_no = -1};
    size_t number = stage_add(s, target, "");

    stage_send(s);
    stage_outcome_is(s, number, BULK_DEAD);
    assert_non_null(strstr(bulk_item(s->bulk, number)->reason, "index_not_found_exception"));
}

static void one_mapping_error_leaves_999_neighbours_unharmed(void **state)
{
    struct stage *s = *state;
    size_t bad;

    stage_add_numbered(s, 1, 0);
    stage_send(s);
    bulk_start(s->bulk);
    fault_proxy_forget(s->proxy);
    stage_add_many(s, 2, MANY - 1);
    bad = stage_add(s, stage_write(s, "bad", 1), "{\"n\":\"not a number\"}");
    stage_send(s);
    assert_int_equal(stage_count(s, BULK_DONE), MANY - 1);
    stage_outcome_is(s, bad, BULK_DEAD);
    assert_int_equal(bulk_item(s->bulk, bad)->status, 400);
    assert_non_null(strstr(bulk_item(s->bulk, bad)->reason, "mapper_parsing_exception"));
    assert_non_null(strstr(bulk_item(s->bulk, bad)->reason, "For input string"));
    assert_int_equal(stage_requests(s), 1);
    assert_false(stage_is_stored(s, "bad"));
}

static void a_broken_document_is_dead_alone(void **state)
{
    struct stage *s = *state;
    size_t before = stage_add_numbered(s, 1, 0), broken = stage_add(s, stage_write(s, "broken", 1), "{\"n\":1,"),
           empty = stage_add(s, stage_write(s, "empty", 1), ""), after = stage_add_numbered(s, 1, 1);

    stage_send(s);
    stage_outcome_is(s, before, BULK_DONE);
    stage_outcome_is(s, broken, BULK_DEAD);
    stage_outcome_is(s, empty, BULK_DEAD);
    stage_outcome_is(s, after, BULK_DONE);
    stage_all_are_stored(s, 2);
}

static void rejected_items_alone_are_sent_again(struct stage *s, int status)
{
    fault_proxy_set(s->proxy, &(struct fault){.item_status = status, .item_every = 10});
    stage_add_many(s, 1, 100);
    stage_send(s);
    assert_int_equal(stage_count(s, BULK_BUSY), 10);
    assert_int_equal(stage_count(s, BULK_DONE), 90);
    fault_proxy_set(s->proxy, NULL);
    bulk_again(s->bulk);
    assert_int_equal(stage_count(s, BULK_UNSENT), 10);
    stage_send(s);
    stage_all_are(s, BULK_DONE);
    assert_int_equal(fault_proxy_counts(s->proxy).items_forwarded, 100);
    stage_all_are_stored(s, 100);
}

static void of_items_answered_429_no_success_is_sent_again(void **state)
{
    rejected_items_alone_are_sent_again(*state, 429);
}

static void of_items_answered_503_no_success_is_sent_again(void **state)
{
    rejected_items_alone_are_sent_again(*state, 503);
}

/* ------------------------------------------------------------------------------------------------- what is sent */

static void a_bad_id_or_version_is_dead_without_a_request(void **state)
{
    struct stage *s = *state;
    struct bulk_target create = stage_write(s, "one", 1);
    char longest[513], too_long[514];

    memset(longest, 'x', 512);
    memset(too_long, 'x', 513);
    longest[512] = too_long[513] = '\0';
    create.action = BULK_CREATE;
    stage_add(s, stage_write(s, "", 1), "{}");
    stage_add(s, stage_write(s, too_long, 1), "{}");
    stage_add(s, stage_write(s, "one", -7), "{}");
    stage_add(s, create, "{}");
    stage_send(s);
    stage_all_are(s, BULK_DEAD);
    assert_int_equal(stage_requests(s), 0);
    assert_non_null(strstr(bulk_item(s->bulk, 1)->reason, "512"));
    stage_outcome_is(s, stage_add(s, stage_write(s, longest, 0), "{}"), BULK_UNSENT);
    stage_send(s);
    stage_outcome_is(s, 4, BULK_DONE);
}

static void no_id_breaks_out_of_its_line(void **state)
{
    static const char *const ids[] = {
        "\"}}\n{\"delete\":{\"_index\":\"x\"", "../_all", "a/b?c=d#e", "tab\tand\x01", "ü😀", "\\", "'; --"};
    struct stage *s = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++)
        stage_add(s, stage_write(s, ids[i], 1), "{\"n\":1}");
    stage_send(s);
    stage_all_are(s, BULK_DONE);
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++)
        stage_stored_is(s, ids[i], 1, "{\"n\":1}");
}

static void a_line_feed_does_not_end_a_document(void **state)
{
    struct stage *s = *state;
    size_t first = stage_add(s, stage_write(s, "one", 1), "{\n  \"n\":\r\n 1\n}\n"),
           second = stage_add_numbered(s, 1, 0);

    stage_send(s);
    stage_outcome_is(s, first, BULK_DONE);
    stage_outcome_is(s, second, BULK_DONE);
    stage_stored_is(s, "one", 1, "{\"n\":1}");
}

static void a_request_is_no_longer_than_allowed(void **state)
{
    struct stage *s = *state;

    bulk_free(s->bulk);
    s->bulk = bulk_new(s->client, 10000);
    fault_proxy_set(s->proxy, &(struct fault){.status = 413, .longer_than = 10000});
    stage_add_many(s, 1, MANY);
    stage_send(s);
    stage_all_are(s, BULK_DONE);
    assert_int_equal(stage_requests(s), fault_proxy_counts(s->proxy).requests_forwarded);
}

static void an_empty_bulk_sends_nothing(void **state)
{
    struct stage *s = *state;

    stage_send(s);
    assert_int_equal(bulk_count(s->bulk), 0);
    assert_int_equal(stage_requests(s), 0);
}

static void each_write_says_its_sequence_number_where_that_is_asked_for(void **state)
{
    struct stage *s = *state;
    size_t first, second, refused;

    stage_ask(s, "PUT", s->index, "", "{}"); /* there, with its shard, before the first write */
    first = stage_add_numbered(s, 1, 1);
    second = stage_add_numbered(s, 1, 2);
    stage_send(s);
    stage_outcome_is(s, first, BULK_DONE);
    stage_outcome_is(s, second, BULK_DONE);
    assert_int_equal(bulk_item(s->bulk, first)->seq_no, -1);
    bulk_tell_seq_no(s->bulk);
    bulk_start(s->bulk);
    first = stage_add_numbered(s, 2, 1);
    refused = stage_add_numbered(s, 1, 2);
    second = stage_add_numbered(s, 2, 3);
    stage_send(s);
    assert_int_equal(bulk_item(s->bulk, first)->seq_no, 2);
    assert_int_equal(bulk_item(s->bulk, refused)->seq_no, -1);
    assert_int_equal(bulk_item(s->bulk, second)->seq_no, 3);
    assert_int_equal(bulk_item(s->bulk, first)->status, 200);
}

static void packed_bodies_are_understood(void **state)
{
    struct stage *s = *state;

    client_free(s->client);
    bulk_free(s->bulk);
    s->client = stage_client(fault_proxy_url(s->proxy), TIMEOUT_MS, true);
    s->bulk = bulk_new(s->client, BULK_BYTES);
    stage_add_many(s, 1, 300);
    stage_send(s);
    stage_all_are(s, BULK_DONE);
    stage_all_are_stored(s, 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_arrives_as_it_was_written),
        TEST(an_older_or_equal_version_is_superseded),
        TEST(a_second_create_is_superseded),
        TEST(a_sequence_number_that_moved_on_is_a_conflict),
        TEST(a_delete_is_done_whether_or_not_the_document_was_there),
        TEST(a_missing_index_is_dead_with_the_servers_words),
        TEST(one_mapping_error_leaves_999_neighbours_unharmed),
        TEST(a_broken_document_is_dead_alone),
        TEST(of_items_answered_429_no_success_is_sent_again),
        TEST(of_items_answered_503_no_success_is_sent_again),
        TEST(a_bad_id_or_version_is_dead_without_a_request),
        TEST(no_id_breaks_out_of_its_line),
        TEST(a_line_feed_does_not_end_a_document),
        TEST(a_request_is_no_longer_than_allowed),
        TEST(an_empty_bulk_sends_nothing),
        TEST(each_write_says_its_sequence_number_where_that_is_asked_for),
        TEST(packed_bodies_are_understood),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
