/* The platform's own interface as a source: documents by id, and what a platform in trouble answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "scheduler/verbs.h"
#include "support/canary.h"
#include "support/record_server.h"
#include "support/source_site.h"
#include "support/source_stage.h"

static void assert_body(const struct source_document *d, const char *body)
{
    assert_int_equal(d->body.length, strlen(body));
    assert_memory_equal(d->body.text, body, d->body.length);
}

/* ------------------------------------------------------------------------------------------------------- by id */

static void documents_come_in_the_order_they_are_asked_for_and_byte_for_byte(void **state)
{
    struct source_site *f = *state;
    struct span ids[] = {span_of("b/1"), span_of("none"), span_of("a"), span_of("gone")};
    struct source_document out[4];

    record_server_put(f->server, "a", 3, "{\"n\": 1e400, \"big\": 18446744073709551616, \"t\": \"\\u00e9 \\n\"}");
    record_server_put(f->server, "b/1", 4, "{}");
    record_server_put(f->server, "gone", 5, "");
    assert_true(source_get(f->stage->source, ids, 4, f->stage->arena, out, &f->stage->err));
    assert_true(out[0].found && out[2].found);
    assert_false(out[1].found || out[3].found);
    assert_int_equal(out[2].version, 3);
    assert_body(&out[0], "{\"id\":\"b/1\",\"revision_id\":4,\"metadata\":{}}");
    assert_body(&out[2], "{\"id\":\"a\",\"revision_id\":3,\"metadata\":{\"n\":1e400,\"big\":18446744073709551616,"
                         "\"t\":\"\\u00e9 \\n\"}}");
}

static void what_did_not_change_is_not_sent_again(void **state)
{
    struct source_site *f = *state;
    struct source_document d;

    record_server_put(f->server, "a", 3, "{\"n\":1}");
    d = source_stage_get(f->stage, "a");
    d = source_stage_get(f->stage, "a");
    assert_int_equal(record_server_unmodified(f->server), 1);
    assert_body(&d, "{\"id\":\"a\",\"revision_id\":3,\"metadata\":{\"n\":1}}");
    assert_int_equal(d.version, 3);
    record_server_put(f->server, "a", 4, "{\"n\":2}");
    d = source_stage_get(f->stage, "a");
    assert_int_equal(d.version, 4);
    assert_body(&d, "{\"id\":\"a\",\"revision_id\":4,\"metadata\":{\"n\":2}}");
    record_server_put(f->server, "a", 5, "");
    d = source_stage_get(f->stage, "a");
    assert_false(d.found);
}

static void what_is_kept_stays_within_its_bound(void **state)
{
    struct source_site *f = *state;
    struct source_document d;
    char id[20];

    source_site_open_stage(f, "cache = 2000\n");
    source_site_fill(f, 0, 50);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 50; i++) {
            snprintf(id, sizeof id, "r%03d", i);
            d = source_stage_get(f->stage, id);
            assert_int_equal(d.version, i + 1);
        }
    assert_true(record_server_unmodified(f->server) < 20);
}

static void only_so_many_requests_are_under_way_at_a_time(void **state)
{
    struct source_site *f = *state;
    struct source_document out[12];
    char names[12][20];
    struct span ids[12];
    int64_t start_ms;

    source_site_open_stage(f, "parallel = 3\n");
    source_site_fill(f, 0, 12);
    for (int i = 0; i < 12; i++) {
        snprintf(names[i], sizeof names[i], "r%03d", i);
        ids[i] = span_of(names[i]);
    }
    record_server_delay(f->server, 500); /* so that three are there at once, however slow one is to begin */
    start_ms = clock_monotonic_ms();
    assert_true(source_get(f->stage->source, ids, 12, f->stage->arena, out, &f->stage->err));
    print_message("12 documents, 500 ms each, 3 at a time: %lld ms\n", (long long)(clock_monotonic_ms() - start_ms));
    assert_int_equal(record_server_most(f->server), 3);
    for (int i = 0; i < 12; i++)
        assert_int_equal(out[i].version, i + 1);
}

static void what_is_wrong_with_one_document_is_said_of_it_alone(void **state)
{
    static const char *const texts[][2] = {
        {"broken", "{\"id\": \"broken\", " },
        {"list",   "[1]"                   },
        {"odd",    "{\"revision_id\": 1.5}"},
    };
    struct source_site *f = *state;
    struct span ids[] = {span_of("broken"), span_of("fine"), span_of("list"), span_of("odd")};
    struct source_document out[4];

    record_server_put(f->server, "fine", 1, "{}");
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        record_server_put_text(f->server, texts[i][0], texts[i][1]);
    assert_true(source_get(f->stage->source, ids, 4, f->stage->arena, out, &f->stage->err));
    assert_non_null(strstr(out[0].wrong, "no JSON"));
    assert_null(out[1].wrong);
    assert_non_null(strstr(out[2].wrong, "no JSON object"));
    assert_non_null(strstr(out[3].wrong, "revision_id"));
}

static void parts_are_found_by_their_paths(void **state)
{
    struct source_site *f = *state;
    struct source_document d;

    source_site_open_stage(f, "version = meta.v\ndocument = data.record\nrouting = meta.site\n");
    record_server_put_text(f->server, "a",
                           "{\"meta\":{\"v\":\"12\",\"site\":\"here\"},\"data\":{\"record\":{\"n\":1}}}");
    d = source_stage_get(f->stage, "a");
    assert_null(d.wrong);
    assert_int_equal(d.version, 12);
    assert_true(span_is(d.routing, "here"));
    assert_body(&d, "{\"n\":1}");
}

/* ---------------------------------------------------------------------------------------------------- in trouble */

static void assert_away(struct source_site *f, const char *why)
{
    struct span id = span_of("a");
    struct source_document d;

    assert_false(source_get(f->stage->source, &id, 1, f->stage->arena, &d, &f->stage->err));
    assert_int_equal(f->stage->err.kind, ERROR_AGAIN);
    if (!strstr(f->stage->err.text, why))
        fail_msg("%s", f->stage->err.text);
}

static void a_platform_in_trouble_is_asked_again_later(void **state)
{
    static const int statuses[] = {500, 502, 503, 504, 408, 302};
    struct source_site *f = *state;
    char number[10];

    record_server_put(f->server, "a", 3, "{}");
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        record_server_refuse(f->server, 1, statuses[i], 0);
        snprintf(number, sizeof number, "%d", statuses[i]);
        assert_away(f, number);
    }
    record_server_put_text(f->server, "a", "<html>we are busy</html>");
    assert_away(f, "no JSON");
    record_server_put(f->server, "a", 3, "{}");
    record_server_stop(f->server);
    assert_away(f, "127.0.0.1");
    record_server_resume(f->server);
    assert_true(source_stage_get(f->stage, "a").found);
}

/* The word of a gateway that has no platform behind it. */
static void a_404_that_is_no_json_does_not_say_that_a_document_is_gone(void **state)
{
    struct source_site *f = *state;
    struct span ids[] = {span_of("a"), span_of("b")};
    struct source_document out[2];

    record_server_put(f->server, "b", 3, "{}");
    record_server_put_text(f->server, "?404", "404 page not found\n");
    assert_true(source_get(f->stage->source, ids, 2, f->stage->arena, out, &f->stage->err));
    assert_non_null(strstr(out[0].wrong, "404"));
    assert_true(out[0].may_pass);
    assert_true(out[1].found && !out[1].wrong);
    record_server_put_text(f->server, "?404", "");
    assert_null(source_stage_get(f->stage, "a").wrong);
}

static void a_platform_that_never_answers_is_given_up(void **state)
{
    struct source_site *f = *state;
    int64_t start_ms = clock_monotonic_ms();

    source_site_open_stage(f, "timeout = 1s\n");
    record_server_delay(f->server, 6000);
    assert_away(f, "timed out");
    assert_true(clock_monotonic_ms() - start_ms < 5500);
}

static void a_platform_that_asks_to_be_left_alone_is(void **state)
{
    struct source_site *f = *state;
    int requests;

    record_server_put(f->server, "a", 3, "{}");
    record_server_refuse(f->server, 1, 429, 5);
    assert_away(f, "429");
    requests = record_server_requests(f->server);
    assert_away(f, "left alone");
    assert_int_equal(record_server_requests(f->server), requests);
    for (int64_t until_ms = clock_monotonic_ms() + 60000; clock_monotonic_ms() < until_ms;) {
        struct span id = span_of("a");
        struct source_document d;

        if (source_get(f->stage->source, &id, 1, f->stage->arena, &d, &f->stage->err))
            return;
    }
    fail_msg("it is never asked again");
}

static void a_wrong_token_is_the_operators_and_is_not_shown(void **state)
{
    struct source_site *f = *state;

    source_site_open_stage(f, "token = " CANARY "-barley\n");
    record_server_put(f->server, "a", 3, "{}");
    assert_away(f, "token_file");
    assert_null(strstr(f->stage->err.text, CANARY));
    source_site_open_stage(f, "token = " CANARY "-and-lily\n");
    assert_true(source_stage_get(f->stage, "a").found);
}

static void a_reply_without_end_is_not_taken_in(void **state)
{
    struct source_site *f = *state;
    struct source_document d;
    struct buf long_text = BUF_INIT;

    source_site_open_stage(f, "reply = 64KiB\n");
    buf_add_text(&long_text, "{\"t\":\"");
    for (int i = 0; i < 100000; i++)
        buf_add_char(&long_text, 'x');
    buf_add_text(&long_text, "\"}");
    record_server_put(f->server, "a", 3, long_text.data);
    d = source_stage_get(f->stage, "a");
    assert_non_null(strstr(d.wrong, "longer than 64 KiB"));
    buf_release(&long_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(documents_come_in_the_order_they_are_asked_for_and_byte_for_byte,
                                        source_site_open, source_site_close),
        cmocka_unit_test_setup_teardown(what_did_not_change_is_not_sent_again, source_site_open, source_site_close),
        cmocka_unit_test_setup_teardown(what_is_kept_stays_within_its_bound, source_site_open, source_site_close),
        cmocka_unit_test_setup_teardown(only_so_many_requests_are_under_way_at_a_time, source_site_open,
                                        source_site_close),
        cmocka_unit_test_setup_teardown(what_is_wrong_with_one_document_is_said_of_it_alone, source_site_open,
                                        source_site_close),
        cmocka_unit_test_setup_teardown(parts_are_found_by_their_paths, source_site_open, source_site_close),
        cmocka_unit_test_setup_teardown(a_platform_in_trouble_is_asked_again_later, source_site_open,
                                        source_site_close),
        cmocka_unit_test_setup_teardown(a_404_that_is_no_json_does_not_say_that_a_document_is_gone, source_site_open,
                                        source_site_close),
        cmocka_unit_test_setup_teardown(a_platform_that_never_answers_is_given_up, source_site_open, source_site_close),
        cmocka_unit_test_setup_teardown(a_platform_that_asks_to_be_left_alone_is, source_site_open, source_site_close),
        cmocka_unit_test_setup_teardown(a_wrong_token_is_the_operators_and_is_not_shown, source_site_open_token,
                                        source_site_close),
        cmocka_unit_test_setup_teardown(a_reply_without_end_is_not_taken_in, source_site_open, source_site_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
