/* The reader of the ini file: values, and what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "config/settings.h"
#include "support/canary.h"
#include "support/config_sample.h"

/* ------------------------------------------------------------------------------------------ what a file gives */

static void an_empty_file_gives_the_defaults(void **state)
{
    struct settings *s = config_parse_good("");

    (void)state;
    assert_int_equal(s->service.log, LOG_LEVEL_INFO);
    assert_int_equal(s->service.drain_ms, 25000);
    assert_string_equal(s->redis.url, "redis://127.0.0.1:6379/0");
    assert_string_equal(s->redis.address.host, "127.0.0.1");
    assert_false(s->redis.unsafe);
    assert_string_equal(s->opensearch.prefix, "");
    assert_int_equal(s->opensearch.bulk_bytes, 8 << 20);
    assert_int_equal(s->http.event_bytes, 256 << 10);
    assert_int_equal(s->http.batch_events, 10000);
    assert_int_equal(s->http.depth, 64);
    assert_int_equal(s->queue_count + s->event_count + s->handler_count, 0);
    settings_free(s);
}

static void a_handler_gets_its_own_keys_and_those_of_its_type(void **state)
{
    struct settings *s = config_parse_good("[handler views]\ntype = counting\nqueue = all\nindex = views\nbatch = 7\n"
                                           "[handler tell]\ntype = posting\nqueue = all\nurl = http://x/\nretry = 2h\n"
                                           "[handler rest]\ntype = idle\nqueue = all\n"
                                           "[queue all]\nevents = **\nwindow = 7d\n");
    const struct handler_settings *views = settings_handler(s, "views"), *tell = settings_handler(s, "tell");

    (void)state;
    assert_int_equal(views->batch, 7);
    assert_int_equal(views->line, 1);
    assert_string_equal(views->schedule, "every 5s");
    assert_string_equal(((const struct counting *)views->own)->index, "views");
    assert_ptr_equal(tell->kind, &config_sample.kinds[1]);
    assert_int_equal(((const struct posting *)tell->own)->retry_ms, 7200000);
    assert_int_equal(settings_queue(s, "all")->window_ms, INT64_C(7) * 86400000);
    assert_null(settings_queue(s, "none"));
    assert_null(settings_handler(s, "all"));
    settings_free(s);
}

static void a_type_with_one_lane_never_runs_in_parallel(void **state)
{
    struct settings *s = config_parse_good("[queue all]\nevents = **\n"
                                           "[handler tell]\ntype = posting\nqueue = all\nurl = u\nparallel = 8\n"
                                           "[handler views]\ntype = counting\nqueue = all\nindex = i\nparallel = 8\n");

    (void)state;
    assert_int_equal(settings_handler(s, "tell")->parallel, 1);
    assert_int_equal(settings_handler(s, "views")->parallel, 8);
    settings_free(s);
}

static void a_value_goes_on_in_indented_lines(void **state)
{
    struct settings *s =
        config_parse_good("[queue all]\nevents = user.*\n  record.* ; both\n\n\t; a comment\n\tfile.*\n"
                          "window = 2h\n");

    (void)state;
    assert_string_equal(s->queues[0].events, "user.* record.* file.*");
    assert_int_equal(s->queues[0].window_ms, 7200000);
    settings_free(s);
}

static void comments_and_line_ends_are_no_part_of_values(void **state)
{
    struct settings *s =
        config_parse_good("\xef\xbb\xbf# first\r\n[opensearch] ; the index\r\nprefix = a;b   ; comment\r\n"
                          "user=u # no comment\r\n; last");

    (void)state;
    assert_string_equal(s->opensearch.prefix, "a;b");
    assert_string_equal(s->opensearch.user, "u # no comment");
    settings_free(s);
}

static void comments_and_section_names_may_be_as_long_as_they_need_to_be(void **state)
{
    struct settings *s =
        config_parse_good("; ------------------------------------------------------------------------------"
                          "------------------------------------------------------------------------------"
                          "------------------------------------------------------------------------------\n"
                          "[queue a123456789b123456789c123456789d123456789e123456789f123456789g123]\n"
                          "events = **                                                        ; ----------"
                          "------------------------------------------------------------------------------"
                          "------------------------------------------------------------------------------\n");

    (void)state;
    assert_int_equal(strlen(s->queues[0].name), 64);
    assert_string_equal(s->queues[0].events, "**");
    settings_free(s);
}

static void the_environment_goes_into_values(void **state)
{
    struct settings *s;

    (void)state;
    setenv("CRIER_TEST_HOST", "search.example", 1);
    setenv("CRIER_TEST_BAD", "two\nlines", 1);
    unsetenv("CRIER_TEST_NONE");
    s = config_parse_good("[opensearch]\nurl = http://${CRIER_TEST_HOST}:9200 http://b-${CRIER_TEST_HOST}\n"
                          "prefix = $${x}$y$\n");
    assert_string_equal(s->opensearch.url, "http://search.example:9200 http://b-search.example");
    assert_string_equal(s->opensearch.prefix, "${x}$y$");
    settings_free(s);
    config_mistakes_are("[opensearch]\nprefix = ${CRIER_TEST_NONE}\nuser = ${CRIER_TEST_BAD}\n",
                        "test.ini:2: prefix: the environment has no variable CRIER_TEST_NONE\n"
                        "test.ini:3: user: the value holds a control character (byte 0x0a)\n");
}

static void the_password_of_its_own_key_wins_over_that_of_the_url(void **state)
{
    struct settings *s =
        config_parse_good("[redis]\nurl = redis://me:" CANARY "-first@h:7000/2\npassword = " CANARY "-second\n");

    (void)state;
    assert_string_equal(s->redis.address.user, "me");
    assert_string_equal(s->redis.address.password, CANARY "-second");
    assert_string_equal(s->redis.address.host, "h");
    assert_int_equal(s->redis.address.port, 7000);
    assert_int_equal(s->redis.address.database, 2);
    settings_free(s);
}

/* -------------------------------------------------------------------------------------------- what is refused */

static void another_layers_rule_gets_the_final_value(void **state)
{
    (void)state;
    setenv("CRIER_TEST_HOST", "ax", 1);
    config_mistakes_are("[queue a]\nevents = b\n ${CRIER_TEST_HOST}\n[queue b]\nevents = x.*\n",
                        "test.ini:2: events: an x in \"b ax\"\ntest.ini:5: events: an x in \"x.*\"\n");
}

static void keys_of_a_refused_section_are_checked_all_the_same(void **state)
{
    (void)state;
    config_mistakes_are("[redis]\ntimeout = 5s\n[redis]\ntimeout = 5\nunsave = no\n[queue A]\nevents = b\nretain = x\n",
                        "test.ini:3: [redis] is given twice; the first is in line 1\n"
                        "test.ini:4: timeout: must be a time from 1s to 1m (ms, s, m, h or d), not \"5\"\n"
                        "test.ini:5: unknown key \"unsave\" in [redis]; did you mean \"unsafe\"?\n"
                        "test.ini:6: \"A\" is no name: 1 to 64 of a-z, 0-9, \"_\" and \"-\", starting with a letter or "
                        "digit\n"
                        "test.ini:8: retain: must be a time from 0s to 366d (ms, s, m, h or d), not \"x\"\n");
}

static void a_key_of_an_unknown_type_is_not_called_unknown(void **state)
{
    (void)state;
    config_mistakes_are("[queue a]\nevents = b\n[handler h]\ntype = countin\nqueue = a\nindex = i\nretri = 1s\n",
                        "test.ini:4: type: there is no type \"countin\"; did you mean \"counting\"?\n"
                        "test.ini:7: unknown key \"retri\" in [handler h]; did you mean \"retry\"?\n");
}

static void a_file_that_cannot_be_read_is_named_with_the_systems_word(void **state)
{
    struct buf mistakes = BUF_INIT;
    struct error err = ERROR_INIT;

    (void)state;
    assert_null(settings_load("/nowhere/crier.ini", &config_sample, &mistakes, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_string_equal(err.text, "/nowhere/crier.ini: No such file or directory");
    assert_null(settings_load("/tmp", &config_sample, &mistakes, &err));
    assert_string_equal(err.text, "/tmp: Is a directory");
    assert_int_equal(mistakes.length, 0);
    buf_release(&mistakes);
}

/* Sections, keys and noise put together at random: what is under test is that nothing breaks, whatever stands there. */
static void no_text_breaks_the_reader(void **state)
{
    static const char *const parts[] = {
        "[redis]\n",
        "[queue a]\n",
        "[handler h]\n",
        "[",
        "]",
        "type = posting\n",
        "queue = a\n",
        "events",
        " = ",
        "=",
        "\n",
        "\n  ",
        "${HOME}",
        "${",
        "\xff",
        "\xef\xbb\xbf",
        "; ",
        "token",
        "_file = /\n",
        "password = " CANARY "\n",
        "url = redis://h\n",
        "[event a]\nprofile = counted\n",
    };
    uint32_t random = 20261120;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct buf text = BUF_INIT, mistakes = BUF_INIT;
        struct error err;

        for (int i = 0; i < 40; i++) {
            random = random * 1664525 + 1013904223;
            if (random >> 28 == 0)
                buf_add_char(&text, (char)(random >> 16));
            else
                buf_add_text(&text, parts[(random >> 16) % ARRAY_LENGTH(parts)]);
        }
        settings_free(settings_parse("r", text.data, text.length, &config_sample, &mistakes, &err));
        buf_release(&text);
        buf_release(&mistakes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(a_handler_gets_its_own_keys_and_those_of_its_type),
        cmocka_unit_test(a_type_with_one_lane_never_runs_in_parallel),
        cmocka_unit_test(a_value_goes_on_in_indented_lines),
        cmocka_unit_test(comments_and_line_ends_are_no_part_of_values),
        cmocka_unit_test(comments_and_section_names_may_be_as_long_as_they_need_to_be),
        cmocka_unit_test(the_environment_goes_into_values),
        cmocka_unit_test(the_password_of_its_own_key_wins_over_that_of_the_url),
        cmocka_unit_test(another_layers_rule_gets_the_final_value),
        cmocka_unit_test(keys_of_a_refused_section_are_checked_all_the_same),
        cmocka_unit_test(a_key_of_an_unknown_type_is_not_called_unknown),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named_with_the_systems_word),
        cmocka_unit_test(no_text_breaks_the_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
