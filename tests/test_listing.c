/* What a verb shows, what the service counts, and small files. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/counters.h"
#include "base/file.h"
#include "base/json.h"
#include "base/listing.h"

/* ------------------------------------------------------------------------------------------------- listings */

static struct listing *filled(void)
{
    struct listing *l = listing_new("name waits_for oldest outcome");

    listing_text(l, "caf\xc3\xa9\x1b[2J");
    listing_int(l, 7);
    listing_text(l, NULL);
    listing_json(l, "{\"done\":1}");
    listing_text(l, "b");
    listing_int(l, 12345678901);
    listing_text(l, "2026-11-20T21:40:00Z");
    listing_json(l, "{}");
    return l;
}

static char *written(const struct listing *l, bool json)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    assert_non_null(out);
    listing_write(l, out, json);
    fclose(out);
    return text;
}

static void columns_line_up_and_numbers_stand_to_the_right(void **state)
{
    struct listing *l = filled();
    char *text = written(l, false);

    (void)state;
    assert_string_equal(text, "name           waits for  oldest                outcome\n"
                              "caf\xc3\xa9\\x1b[2J            7  -                     {\"done\":1}\n"
                              "b            12345678901  2026-11-20T21:40:00Z  {}\n");
    free(text);
    listing_free(l);
}

static void the_same_rows_are_objects_in_json(void **state)
{
    struct listing *l = filled(), *empty = listing_new("a b");
    char *text = written(l, true), *none = written(empty, true);
    struct error err;
    json_t *rows = json_text_parse(text, strlen(text), 8, &err);

    (void)state;
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(json_member_text(json_array_get(rows, 0), "name", ""), "caf\xc3\xa9\x1b[2J");
    assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "oldest")));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 1), "waits_for")), 12345678901);
    assert_int_equal(json_integer_value(json_at(json_array_get(rows, 0), "outcome.done")), 1);
    assert_string_equal(none, "[]\n");
    json_decref(rows);
    free(text);
    free(none);
    listing_free(l);
    listing_free(empty);
}

/* ------------------------------------------------------------------------------------------------- counters */

static void *count_a_while(void *context)
{
    (void)context;
    for (int i = 0; i < 10000; i++)
        counter_add(counter_get(COUNTER_TOTAL, "test_together_total", "by all", NULL), 1);
    return NULL;
}

static void threads_that_name_a_counter_share_it(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_a_while, NULL), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter_value(counter_get(COUNTER_TOTAL, "test_together_total", "by all", NULL)), 40000);
}

static void counters_are_written_as_prometheus_reads_them(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    counter_add(counter_with(COUNTER_TOTAL, "test_events_total", "Events\nso far", "handler", "views", "part", NULL,
                             "reason", "a \"b\"\\\nc", NULL),
                3);
    counter_set(counter_get(COUNTER_GAUGE, "test_waiting", "Waiting", NULL), -2);
    counter_add(counter_get(COUNTER_TOTAL, "test_events_total", "Events\nso far", NULL), 1);
    counters_add_text(&out);
    assert_non_null(strstr(out.data, "# HELP test_events_total Events\\nso far\n# TYPE test_events_total counter\n"
                                     "test_events_total{handler=\"views\",reason=\"a \\\"b\\\"\\\\\\nc\"} 3\n"
                                     "test_events_total 1\n"));
    assert_non_null(strstr(out.data, "# HELP test_waiting Waiting\n# TYPE test_waiting gauge\ntest_waiting -2\n"));
    buf_release(&out);
}

/* ---------------------------------------------------------------------------------------------------- files */

static void a_file_is_read_whole_or_refused(void **state)
{
    char path[] = "/tmp/crier-test-XXXXXX";
    int fd = mkstemp(path);
    struct buf large = BUF_INIT, out = BUF_INIT;
    struct error err;

    (void)state;
    memset(buf_grow(&large, 200000), 'x', 200000);
    buf_grown(&large, 200000);
    assert_true(file_write_all(fd, large.data, large.length, &err));
    buf_add_text(&out, "before ");
    assert_true(file_read(path, 200000, &out, &err));
    assert_int_equal(out.length, 200007);
    assert_string_equal(out.data + 7, large.data);
    assert_false(file_read(path, 199999, &out, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "longer than 199999 bytes"));
    close(fd);
    unlink(path);
    assert_false(file_read(path, 1, &out, &err));
    assert_non_null(strstr(err.text, "No such file"));
    assert_false(file_write_all(fd, "x", 1, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    buf_release(&large);
    buf_release(&out);
}

static void a_shipped_file_is_found_where_the_environment_says(void **state)
{
    char path[200], small[10];

    (void)state;
    setenv("CRIER_DATA", SOURCE_DIR "/deploy", 1);
    assert_true(file_shipped("crier.ini", path, sizeof path));
    assert_string_equal(path, SOURCE_DIR "/deploy/crier.ini");
    assert_false(file_shipped("no-such-file", path, sizeof path));
    assert_false(file_shipped("crier.ini", small, sizeof small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_line_up_and_numbers_stand_to_the_right),
        cmocka_unit_test(the_same_rows_are_objects_in_json),
        cmocka_unit_test(threads_that_name_a_counter_share_it),
        cmocka_unit_test(counters_are_written_as_prometheus_reads_them),
        cmocka_unit_test(a_file_is_read_whole_or_refused),
        cmocka_unit_test(a_shipped_file_is_found_where_the_environment_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
