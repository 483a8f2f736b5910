/* The reader of the ini file: values, secrets, mistakes, and what is shown of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "config/print.h"
#include "config/settings.h"
#include "support/canary.h"

struct counting {
    char *index;
};

struct posting {
    char *url, *token;
    int64_t retry_ms;
};

static const struct config_key counting_keys[] = {
    {"index", CONFIG_TEXT, offsetof(struct counting, index), NULL, 0, 0, NULL, NULL, "where the counts go"},
    CONFIG_END,
};

static const struct config_key posting_keys[] = {
    {"url",   CONFIG_TEXT,   offsetof(struct posting, url),      NULL, 0,    0, NULL, NULL, "where it is posted to"},
    {"token", CONFIG_SECRET, offsetof(struct posting, token),    "",   0,    0, NULL, NULL, "sent along"           },
    {"retry", CONFIG_TIME,   offsetof(struct posting, retry_ms), "1m", 1000, 0, NULL, NULL, "between two attempts" },
    CONFIG_END,
};

static const struct config_kind kinds[] = {
    {"counting",     "counts", counting_keys, sizeof(struct counting), 0, NULL},
    {"posting", "posts", posting_keys, sizeof(struct posting), KIND_ONE_LANE, NULL},
    {"idle",             "does nothing", NULL, 0, 0, NULL},
    {0             },
};

static bool no_x(const char *value, struct error *err)
{
    return !strchr(value, 'x') || error_set(err, ERROR_CONFIG, "an x in \"%s\"", value);
}

static const struct config_rule rules[] = {
    {"queue", "events", no_x},
    {0  }
};

static const struct config_profile profiles[] = {
    {"counted",                                                                                              "counts every event",
     "[queue counts]\nevents = {type}\n[handler {type}]\ntype = counting\nqueue = counts\nindex = counts\n"},
    {0},
};
static const struct config_outside outside = {.rules = rules, .kinds = kinds, .profiles = profiles};

static struct settings *parse(const char *text, struct buf *mistakes)
{
    struct error err;

    return settings_parse("test.ini", text, strlen(text), &outside, mistakes, &err);
}

/* Fails the test with the mistakes where there are any. */
static struct settings *parse_good(const char *text)
{
    struct buf mistakes = BUF_INIT;
    struct settings *s = parse(text, &mistakes);

    if (!s)
        fail_msg("%s", mistakes.data);
    buf_release(&mistakes);
    return s;
}

static void assert_mistakes(const char *text, const char *expected)
{
    struct buf mistakes = BUF_INIT;
    struct settings *s = parse(text, &mistakes);

    assert_null(s);
    assert_string_equal(mistakes.data, expected);
    buf_release(&mistakes);
}

static bool holds(const struct buf *text, const char *part)
{
    return strstr(text->data, part) != NULL;
}

/* ------------------------------------------------------------------------------------------ what a file gives */

static void an_empty_file_gives_the_defaults(void **state)
{
    struct settings *s = parse_good("");

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
    struct settings *s = parse_good("[handler views]\ntype = counting\nqueue = all\nindex = views\nbatch = 7\n"
                                    "[handler tell]\ntype = posting\nqueue = all\nurl = http://x/\nretry = 2h\n"
                                    "[handler rest]\ntype = idle\nqueue = all\n"
                                    "[queue all]\nevents = **\nwindow = 7d\n");
    const struct handler_settings *views = settings_handler(s, "views"), *tell = settings_handler(s, "tell");

    (void)state;
    assert_int_equal(views->batch, 7);
    assert_int_equal(views->line, 1);
    assert_string_equal(views->schedule, "every 5s");
    assert_string_equal(((const struct counting *)views->own)->index, "views");
    assert_ptr_equal(tell->kind, &kinds[1]);
    assert_int_equal(((const struct posting *)tell->own)->retry_ms, 7200000);
    assert_int_equal(settings_queue(s, "all")->window_ms, INT64_C(7) * 86400000);
    assert_null(settings_queue(s, "none"));
    assert_null(settings_handler(s, "all"));
    settings_free(s);
}

static void a_type_with_one_lane_never_runs_in_parallel(void **state)
{
    struct settings *s = parse_good("[queue all]\nevents = **\n"
                                    "[handler tell]\ntype = posting\nqueue = all\nurl = u\nparallel = 8\n"
                                    "[handler views]\ntype = counting\nqueue = all\nindex = i\nparallel = 8\n");

    (void)state;
    assert_int_equal(settings_handler(s, "tell")->parallel, 1);
    assert_int_equal(settings_handler(s, "views")->parallel, 8);
    settings_free(s);
}

static void a_value_goes_on_in_indented_lines(void **state)
{
    struct settings *s = parse_good("[queue all]\nevents = user.*\n  record.* ; both\n\n\t; a comment\n\tfile.*\n"
                                    "window = 2h\n");

    (void)state;
    assert_string_equal(s->queues[0].events, "user.* record.* file.*");
    assert_int_equal(s->queues[0].window_ms, 7200000);
    settings_free(s);
}

static void comments_and_line_ends_are_no_part_of_values(void **state)
{
    struct settings *s = parse_good("\xef\xbb\xbf# first\r\n[opensearch] ; the index\r\nprefix = a;b   ; comment\r\n"
                                    "user=u # no comment\r\n; last");

    (void)state;
    assert_string_equal(s->opensearch.prefix, "a;b");
    assert_string_equal(s->opensearch.user, "u # no comment");
    settings_free(s);
}

static void comments_and_section_names_may_be_as_long_as_they_need_to_be(void **state)
{
    struct settings *s = parse_good("; ------------------------------------------------------------------------------"
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
    s = parse_good("[opensearch]\nurl = http://${CRIER_TEST_HOST}:9200 http://b-${CRIER_TEST_HOST}\n"
                   "prefix = $${x}$y$\n");
    assert_string_equal(s->opensearch.url, "http://search.example:9200 http://b-search.example");
    assert_string_equal(s->opensearch.prefix, "${x}$y$");
    settings_free(s);
    assert_mistakes("[opensearch]\nprefix = ${CRIER_TEST_NONE}\nuser = ${CRIER_TEST_BAD}\n",
                    "test.ini:2: prefix: the environment has no variable CRIER_TEST_NONE\n"
                    "test.ini:3: user: the value holds a control character (byte 0x0a)\n");
}

static void the_password_of_its_own_key_wins_over_that_of_the_url(void **state)
{
    struct settings *s =
        parse_good("[redis]\nurl = redis://me:" CANARY "-first@h:7000/2\npassword = " CANARY "-second\n");

    (void)state;
    assert_string_equal(s->redis.address.user, "me");
    assert_string_equal(s->redis.address.password, CANARY "-second");
    assert_string_equal(s->redis.address.host, "h");
    assert_int_equal(s->redis.address.port, 7000);
    assert_int_equal(s->redis.address.database, 2);
    settings_free(s);
}

/* --------------------------------------------------------------------------------------------------- secrets */

static char *file_with(const char *text, mode_t mode)
{
    char *path = xstrdup("/tmp/crier-test-XXXXXX");
    int fd = mkstemp(path);
    struct error err;

    assert_true(fd >= 0 && file_write_all(fd, text, strlen(text), &err));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static void a_secret_is_taken_from_its_file(void **state)
{
    char *path = file_with(" " CANARY "\n", 0640), text[128];
    struct settings *s;

    (void)state;
    snprintf(text, sizeof text, "[redis]\npassword_file = %s\n", path);
    s = parse_good(text);
    assert_string_equal(s->redis.password, CANARY);
    settings_free(s);
    unlink(path);
    free(path);
}

static void a_secret_that_others_may_read_is_refused(void **state)
{
    char *open = file_with(CANARY "\n", 0644), *empty = file_with(" \n", 0600), text[200], expected[400];

    (void)state;
    snprintf(text, sizeof text, "[redis]\npassword_file = %s\n[opensearch]\nuser = u\npassword_file = %s\n", open,
             empty);
    snprintf(expected, sizeof expected,
             "test.ini:2: password_file: %s is open to every user of this machine: chmod 600 it\n"
             "test.ini:5: password_file: %s is empty\n",
             open, empty);
    assert_mistakes(text, expected);
    unlink(open);
    unlink(empty);
    free(open);
    free(empty);
}

static void no_secret_is_ever_shown(void **state)
{
    struct settings *s = parse_good("[redis]\nurl = redis://me:" CANARY "@h:7000/2\npassword = " CANARY "\n"
                                    "[opensearch]\nuser = u\npassword = " CANARY "\n[queue all]\nevents = **\n"
                                    "[handler tell]\ntype = posting\nqueue = all\ntoken = " CANARY "\n"
                                    "url = http://a:" CANARY "@h/x https://b:" CANARY "@i/y\n");
    struct buf text = BUF_INIT, json = BUF_INIT;

    (void)state;
    settings_add_shown(s, &outside, &text);
    settings_add_shown_json(s, &json);
    assert_false(holds(&text, CANARY) || holds(&json, CANARY));
    assert_true(holds(&text, "url = redis://me:(hidden)@h:7000/2\npassword = (hidden)\n"));
    assert_true(holds(&text, "url = http://a:(hidden)@h/x https://b:(hidden)@i/y\ntoken = (hidden)\n"));
    settings_free(s);
    buf_release(&text);
    buf_release(&json);
}

static void no_mistake_repeats_a_secret(void **state)
{
    struct buf mistakes = BUF_INIT;

    (void)state;
    setenv("CRIER_TEST_BAD", CANARY "\n" CANARY, 1);
    assert_null(parse("[redis]\nurl = redis://me:" CANARY "@h:99999/2\npassword = ${CRIER_TEST_BAD}\n"
                      "[opensearch]\nurl = http://me:" CANARY "@h:9200\npassword = " CANARY "\n",
                      &mistakes));
    assert_false(holds(&mistakes, CANARY));
    buf_release(&mistakes);
}

/* -------------------------------------------------------------------------------------------- what is refused */

static void another_layers_rule_gets_the_final_value(void **state)
{
    (void)state;
    setenv("CRIER_TEST_HOST", "ax", 1);
    assert_mistakes("[queue a]\nevents = b\n ${CRIER_TEST_HOST}\n[queue b]\nevents = x.*\n",
                    "test.ini:2: events: an x in \"b ax\"\ntest.ini:5: events: an x in \"x.*\"\n");
}

static void keys_of_a_refused_section_are_checked_all_the_same(void **state)
{
    (void)state;
    assert_mistakes("[redis]\ntimeout = 5s\n[redis]\ntimeout = 5\nunsave = no\n[queue A]\nevents = b\nretain = x\n",
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
    assert_mistakes("[queue a]\nevents = b\n[handler h]\ntype = countin\nqueue = a\nindex = i\nretri = 1s\n",
                    "test.ini:4: type: there is no type \"countin\"; did you mean \"counting\"?\n"
                    "test.ini:7: unknown key \"retri\" in [handler h]; did you mean \"retry\"?\n");
}

static void a_file_that_cannot_be_read_is_named_with_the_systems_word(void **state)
{
    struct buf mistakes = BUF_INIT;
    struct error err = ERROR_INIT;

    (void)state;
    assert_null(settings_load("/nowhere/crier.ini", &outside, &mistakes, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_string_equal(err.text, "/nowhere/crier.ini: No such file or directory");
    assert_null(settings_load("/tmp", &outside, &mistakes, &err));
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
        settings_free(settings_parse("r", text.data, text.length, &outside, &mistakes, &err));
        buf_release(&text);
        buf_release(&mistakes);
    }
}

/* -------------------------------------------------------------------------------------------- what is printed */

static void what_is_shown_loads_again_to_the_same_values(void **state)
{
    struct settings *s = parse_good("[redis]\ntimeout = 1500ms\n[http]\nevent = 1500\nbatch = 2048KiB\n[queue all]\n"
                                    "events = **\nwindow = 36h\n[event a.b]\nunique = data.$${x}\n"
                                    "[handler tell]\ntype = posting\nqueue = all\nurl = u\ncatch-up = one\n"),
                    *again;
    struct buf first = BUF_INIT, second = BUF_INIT;

    (void)state;
    settings_add_shown(s, &outside, &first);
    assert_true(holds(&first, "timeout = 1500ms\n"));
    assert_true(holds(&first, "event = 1500\nbatch = 2MiB\n"));
    assert_true(holds(&first, "unique = data.$${x}\n"));
    again = parse_good(first.data);
    settings_add_shown(again, &outside, &second);
    assert_string_equal(first.data, second.data);
    settings_free(s);
    settings_free(again);
    buf_release(&first);
    buf_release(&second);
}

static void the_reference_names_every_key(void **state)
{
    struct buf text = BUF_INIT, json = BUF_INIT;
    struct error err;
    json_t *all;

    (void)state;
    settings_add_reference(&outside, &text);
    settings_add_reference_json(&outside, &json);
    all = json_text_parse(json.data, json.length, JSON_DEPTH_DEFAULT, &err);
    assert_non_null(all);
    assert_true(json_array_size(all) > 40);
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *row = json_array_get(all, i);
        char line[64];

        snprintf(line, sizeof line, "\n  %s", json_member_text(row, "key", "?"));
        assert_true(holds(&text, line));
        assert_true(holds(&text, json_member_text(row, "help", "?")));
    }
    assert_true(holds(&text, "[handler NAME] type = posting\n"));
    json_decref(all);
    buf_release(&text);
    buf_release(&json);
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
        cmocka_unit_test(a_secret_is_taken_from_its_file),
        cmocka_unit_test(a_secret_that_others_may_read_is_refused),
        cmocka_unit_test(no_secret_is_ever_shown),
        cmocka_unit_test(no_mistake_repeats_a_secret),
        cmocka_unit_test(another_layers_rule_gets_the_final_value),
        cmocka_unit_test(keys_of_a_refused_section_are_checked_all_the_same),
        cmocka_unit_test(a_key_of_an_unknown_type_is_not_called_unknown),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named_with_the_systems_word),
        cmocka_unit_test(no_text_breaks_the_reader),
        cmocka_unit_test(what_is_shown_loads_again_to_the_same_values),
        cmocka_unit_test(the_reference_names_every_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
