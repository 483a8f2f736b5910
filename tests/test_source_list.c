/* Lists of the platform's own interface as a source: walked whole, in every form, and in trouble. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "scheduler/verbs.h"
#include "support/record_server.h"
#include "support/source_site.h"
#include "support/source_stage.h"

static int lines_in(const char *text)
{
    int lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static const char *const lists[] = {
    "/api/records?size={size}&page={page}",
    "/api/links?size={size}",
    "/api/after?size={size}&after={after}",
};

static void every_kind_of_list_is_walked_whole_also_by_other_processes(void **state)
{
    struct source_site *f = *state;

    source_site_fill(f, 0, 23);
    record_server_put(f->server, "z \n/%", 9, "{}"); /* a position is one line all the same */
    record_server_put(f->server, "gone", 9, "");
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        for (int anew = 0; anew < 2; anew++) {
            char *all;

            source_site_open_list(f, lists[i], "");
            all = source_stage_walk(f->stage, 0, 5, anew);
            assert_int_equal(lines_in(strstr(all, "r000")), 25); /* the last id has a line feed */
            assert_non_null(
                strstr(all, "r022@23 {\"id\":\"r022\",\"revision_id\":23,\"metadata\":{\"title\":\"x\"}}\n"));
            free(all);
        }
}

static void how_many_there_are_is_told(void **state)
{
    struct source_site *f = *state;
    int64_t count;

    source_site_fill(f, 0, 23);
    source_site_open_list(f, lists[0], "");
    assert_true(source_count(f->stage->source, 0, &count, &f->stage->err));
    assert_int_equal(count, 23);
    source_site_open_list(f, lists[0], "total = nowhere\n");
    assert_true(source_count(f->stage->source, 0, &count, &f->stage->err));
    assert_int_equal(count, -1);
}

static void a_list_that_is_none_says_so(void **state)
{
    static const char *const texts[][2] = {
        {"{\"hits\":{\"hits\":{}}}",                                            "no array at hits.hits"},
        {"{\"hits\":",                                                          "no JSON"              },
        {"{\"hits\":{\"hits\":[]},\"links\":{\"next\":\"/api/links?size=2\"}}", "circles"              },
        {"{\"hits\":{\"hits\":[]},\"links\":{\"next\":\"javascript:1\"}}",      "no position"          },
    };
    struct source_site *f = *state;
    struct source_document *docs;
    size_t count;

    source_site_open_list(f, lists[1], "");
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct source_walk walk = {.position = SPAN_NONE, .most = 2};

        record_server_put_text(f->server, "?records", texts[i][0]);
        assert_false(source_page(f->stage->source, &walk, f->stage->arena, &docs, &count, &f->stage->err));
        assert_int_equal(f->stage->err.kind, ERROR_INPUT);
        if (!strstr(f->stage->err.text, texts[i][1]))
            fail_msg("%s", f->stage->err.text);
    }
}

static void a_list_in_trouble_goes_on_where_it_was(void **state)
{
    struct source_site *f = *state;
    struct source_walk walk = {.position = SPAN_NONE, .most = 5};
    struct source_document *docs;
    size_t count;

    source_site_fill(f, 0, 12);
    source_site_open_list(f, lists[2], "");
    assert_true(source_page(f->stage->source, &walk, f->stage->arena, &docs, &count, &f->stage->err));
    record_server_stop(f->server);
    assert_false(source_page(f->stage->source, &walk, f->stage->arena, &docs, &count, &f->stage->err));
    assert_int_equal(f->stage->err.kind, ERROR_AGAIN);
    record_server_resume(f->server);
    assert_true(source_page(f->stage->source, &walk, f->stage->arena, &docs, &count, &f->stage->err));
    assert_int_equal(count, 5);
    assert_true(span_is(docs[0].id, "r005"));
}

static void what_changed_since_can_be_asked_where_the_platform_tells(void **state)
{
    struct source_site *f = *state;
    struct source_walk walk = {.since_us = 1, .position = SPAN_NONE, .most = 5};
    struct source_document *docs;
    struct buf more = BUF_INIT;
    size_t count;
    char *all;

    source_site_fill(f, 0, 7);
    source_site_open_list(f, lists[0], "");
    assert_false(source_page(f->stage->source, &walk, f->stage->arena, &docs, &count, &f->stage->err));
    assert_int_equal(f->stage->err.kind, ERROR_CONFIG);
    buf_printf(&more, "since_url = %s/api/after?q={since}&size={size}&after={after}\n", record_server_url(f->server));
    source_site_open_list(f, lists[0], more.data);
    all = source_stage_walk(f->stage, 1000000, 5, true);
    assert_int_equal(lines_in(all), 7);
    free(all);
    buf_release(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_of_list_is_walked_whole_also_by_other_processes, source_site_open,
                                        source_site_close),
        cmocka_unit_test_setup_teardown(how_many_there_are_is_told, source_site_open, source_site_close),
        cmocka_unit_test_setup_teardown(a_list_that_is_none_says_so, source_site_open, source_site_close),
        cmocka_unit_test_setup_teardown(a_list_in_trouble_goes_on_where_it_was, source_site_open, source_site_close),
        cmocka_unit_test_setup_teardown(what_changed_since_can_be_asked_where_the_platform_tells, source_site_open,
                                        source_site_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
