/* What is shown of a configuration: all that was said, and no secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "config/print.h"
#include "config/settings.h"
#include "support/canary.h"
#include "support/config_sample.h"

static bool holds(const struct buf *text, const char *part)
{
    return strstr(text->data, part) != NULL;
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
    s = config_parse_good(text);
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
    config_mistakes_are(text, expected);
    unlink(open);
    unlink(empty);
    free(open);
    free(empty);
}

static void no_secret_is_ever_shown(void **state)
{
    struct settings *s = config_parse_good("[redis]\nurl = redis://me:" CANARY "@h:7000/2\npassword = " CANARY "\n"
                                           "[opensearch]\nuser = u\npassword = " CANARY "\n[queue all]\nevents = **\n"
                                           "[handler tell]\ntype = posting\nqueue = all\ntoken = " CANARY "\n"
                                           "url = http://a:" CANARY "@h/x https://b:" CANARY "@i/y\n");
    struct buf text = BUF_INIT, json = BUF_INIT;

    (void)state;
    settings_add_shown(s, &config_sample, &text);
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
    assert_null(config_parse("[redis]\nurl = redis://me:" CANARY "@h:99999/2\npassword = ${CRIER_TEST_BAD}\n"
                             "[opensearch]\nurl = http://me:" CANARY "@h:9200\npassword = " CANARY "\n",
                             &mistakes));
    assert_false(holds(&mistakes, CANARY));
    buf_release(&mistakes);
}

/* -------------------------------------------------------------------------------------------- what is printed */

static void what_is_shown_loads_again_to_the_same_values(void **state)
{
    struct settings *s = config_parse_good(
                        "[redis]\ntimeout = 1500ms\n[http]\nevent = 1500\nbatch = 2048KiB\n[queue all]\n"
                        "events = **\nwindow = 36h\n[event a.b]\nunique = data.$${x}\n"
                        "[handler tell]\ntype = posting\nqueue = all\nurl = u\ncatch-up = one\n"),
                    *again;
    struct buf first = BUF_INIT, second = BUF_INIT;

    (void)state;
    settings_add_shown(s, &config_sample, &first);
    assert_true(holds(&first, "timeout = 1500ms\n"));
    assert_true(holds(&first, "event = 1500\nbatch = 2MiB\n"));
    assert_true(holds(&first, "unique = data.$${x}\n"));
    again = config_parse_good(first.data);
    settings_add_shown(again, &config_sample, &second);
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
    settings_add_reference(&config_sample, &text);
    settings_add_reference_json(&config_sample, &json);
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
        cmocka_unit_test(a_secret_is_taken_from_its_file),
        cmocka_unit_test(a_secret_that_others_may_read_is_refused),
        cmocka_unit_test(no_secret_is_ever_shown),
        cmocka_unit_test(no_mistake_repeats_a_secret),
        cmocka_unit_test(what_is_shown_loads_again_to_the_same_values),
        cmocka_unit_test(the_reference_names_every_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
