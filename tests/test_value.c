/* One value of the ini file: read, refused with what is allowed, written; and the options of a verb. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"
#include "config/check.h"
#include "config/key.h"
#include "config/value.h"
#include "config/verb.h"
#include "support/canary.h"

struct values {
    char *text, *secret;
    bool flag;
    int64_t number;
    int choice;
};

static bool short_only(const char *value, struct error *err)
{
    return strlen(value) < 4 || error_set(err, ERROR_CONFIG, "longer than 3");
}

#define AT(field) offsetof(struct values, field)
static const struct config_key text_key = {"text", CONFIG_TEXT, AT(text), "", 0, 0, NULL, short_only, ""};
static const struct config_key needed_key = {"text", CONFIG_TEXT, AT(text), NULL, 0, 0, NULL, NULL, ""};
static const struct config_key secret_key = {"secret", CONFIG_SECRET, AT(secret), "", 0, 0, NULL, NULL, ""};
static const struct config_key flag_key = {"flag", CONFIG_FLAG, AT(flag), "no", 0, 0, NULL, NULL, ""};
static const struct config_key count_key = {"count", CONFIG_COUNT, AT(number), "7", 1, 1000, NULL, NULL, ""};
static const struct config_key any_count_key = {"count", CONFIG_COUNT, AT(number), "7", 0, 0, NULL, NULL, ""};
static const struct config_key size_key = {"size", CONFIG_SIZE, AT(number), "1KiB", 0, 0, NULL, NULL, ""};
static const struct config_key time_key = {"time", CONFIG_TIME, AT(number), "5s", 0, 0, NULL, NULL, ""};
static const struct config_key late_key = {"time", CONFIG_TIME, AT(number), "5s", 1000, 0, NULL, NULL, ""};
static const struct config_key choice_key = {"c", CONFIG_CHOICE, AT(choice), "red", 0, 0, "red green blue", NULL, ""};

/* What is read is written as `written`; NULL: it is refused. */
static const struct {
    const struct config_key *key;
    const char *text, *written;
} table[] = {
    {&text_key,      "abc",                                "abc"                           },
    {&text_key,      "",                                   ""                              },
    {&text_key,      "abcd",                               NULL                            },
    {&text_key,      "${",                                 "$${"                           },
    {&needed_key,    "",                                   NULL                            },
    {&needed_key,    "://a:" CANARY "@c",                  "://a:(hidden)@c"               },
    {&needed_key,    "x://a:" CANARY "@c@d:e/f y://g@h z", "x://a:(hidden)@d:e/f y://g@h z"},
    {&secret_key,    CANARY,                               "(hidden)"                      },
    {&secret_key,    "",                                   ""                              },
    {&flag_key,      "yes",                                "yes"                           },
    {&flag_key,      "no",                                 "no"                            },
    {&flag_key,      "on",                                 NULL                            },
    {&flag_key,      "Yes",                                NULL                            },
    {&flag_key,      "",                                   NULL                            },
    {&count_key,     "1",                                  "1"                             },
    {&count_key,     "1000",                               "1000"                          },
    {&count_key,     "0",                                  NULL                            },
    {&count_key,     "1001",                               NULL                            },
    {&count_key,     "+1",                                 NULL                            },
    {&count_key,     " 1",                                 NULL                            },
    {&count_key,     "1 ",                                 NULL                            },
    {&count_key,     "",                                   NULL                            },
    {&any_count_key, "0",                                  "0"                             },
    {&any_count_key, "9223372036854775807",                "9223372036854775807"           },
    {&any_count_key, "9223372036854775808",                NULL                            },
    {&any_count_key, "-1",                                 NULL                            },
    {&size_key,      "0",                                  "0"                             },
    {&size_key,      "1023",                               "1023"                          },
    {&size_key,      "1024",                               "1KiB"                          },
    {&size_key,      "256KiB",                             "256KiB"                        },
    {&size_key,      "1536KiB",                            "1536KiB"                       },
    {&size_key,      "2048KiB",                            "2MiB"                          },
    {&size_key,      "3GiB",                               "3GiB"                          },
    {&size_key,      "8589934591GiB",                      "8589934591GiB"                 },
    {&size_key,      "8589934592GiB",                      NULL                            },
    {&size_key,      "1kb",                                NULL                            },
    {&size_key,      "1.5MiB",                             NULL                            },
    {&size_key,      "MiB",                                NULL                            },
    {&time_key,      "0s",                                 "0s"                            },
    {&time_key,      "500ms",                              "500ms"                         },
    {&time_key,      "1000ms",                             "1s"                            },
    {&time_key,      "90s",                                "90s"                           },
    {&time_key,      "10m",                                "10m"                           },
    {&time_key,      "25h",                                "25h"                           },
    {&time_key,      "48h",                                "2d"                            },
    {&time_key,      "5",                                  NULL                            },
    {&time_key,      "5 s",                                NULL                            },
    {&time_key,      "5sec",                               NULL                            },
    {&time_key,      "-5s",                                NULL                            },
    {&time_key,      "106751991168d",                      NULL                            },
    {&late_key,      "999ms",                              NULL                            },
    {&late_key,      "1s",                                 "1s"                            },
    {&choice_key,    "green",                              "green"                         },
    {&choice_key,    "gree",                               NULL                            },
    {&choice_key,    "red green",                          NULL                            },
    {&choice_key,    "",                                   NULL                            },
};

static void a_value_is_read_as_its_row_says_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        const struct config_key keys[] = {*table[i].key, CONFIG_END};
        struct values v = {0};
        struct buf out = BUF_INIT;
        struct error err;

        config_defaults(keys, &v);
        if (config_value_set(keys, table[i].text, &v, &err) != (table[i].written != NULL))
            fail_msg("%s = \"%s\"", keys[0].name, table[i].text);
        if (table[i].written) {
            config_value_add(keys, &v, &out);
            assert_string_equal(out.data, table[i].written);
        }
        config_release(keys, &v);
        buf_release(&out);
    }
}

static void a_refusal_says_what_is_allowed(void **state)
{
    static const struct {
        const struct config_key *key;
        const char *text, *says;
    } said[] = {
        {&flag_key,      "1",    "must be yes or no, not \"1\""                                 },
        {&count_key,     "x",    "must be a whole number from 1 to 1000, not \"x\""             },
        {&any_count_key, "x",    "must be a whole number, not \"x\""                            },
        {&size_key,      "x",    "must be a size (bytes, KiB, MiB or GiB), not \"x\""           },
        {&late_key,      "1ms",  "must be a time of at least 1s (ms, s, m, h or d), not \"1ms\""},
        {&choice_key,    "x",    "must be red, green or blue, not \"x\""                        },
        {&needed_key,    "",     "must not be empty"                                            },
        {&text_key,      "long", "longer than 3"                                                },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(said); i++) {
        struct values v = {0};
        struct error err;

        assert_false(config_value_set(said[i].key, said[i].text, &v, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_string_equal(err.text, said[i].says);
        free(v.text);
    }
}

static void a_refused_value_leaves_the_one_before(void **state)
{
    const struct config_key keys[] = {count_key, CONFIG_END};
    struct values v = {0};
    struct error err;

    (void)state;
    config_defaults(keys, &v);
    assert_false(config_value_set(keys, "5000", &v, &err));
    assert_int_equal(v.number, 7);
}

/* --------------------------------------------------------------------------------------------------- checks */

static void addresses_and_names_are_checked(void **state)
{
    static const struct {
        bool (*check)(const char *value, struct error *err);
        const char *value;
        bool good;
    } checks[] = {
        {check_listen,     "127.0.0.1:8960",                               true },
        {check_listen,     "0.0.0.0:0",                                    true },
        {check_listen,     "[::1]:80",                                     true },
        {check_listen,     "::1:80",                                       false},
        {check_listen,     "[127.0.0.1]:80",                               false},
        {check_listen,     "127.0.0.1",                                    false},
        {check_listen,     "127.0.0.1:",                                   false},
        {check_listen,     "127.0.0.1:65536",                              false},
        {check_listen,     "127.0.0.1:-1",                                 false},
        {check_listen,     ":8960",                                        false},
        {check_listen,     "1.2.3.4.5:80",                                 false},
        {check_http_urls,  "http://h",                                     true },
        {check_http_urls,  "https://h.example:443/path http://[::1]:9200", true },
        {check_http_urls,  "http://",                                      false},
        {check_http_urls,  "http:///",                                     false},
        {check_http_urls,  "http://:9200",                                 false},
        {check_http_urls,  "http://h:",                                    false},
        {check_http_urls,  "http://h:0",                                   false},
        {check_http_urls,  "http://h?x",                                   false},
        {check_http_urls,  "http://u:" CANARY "@h",                        false},
        {check_http_urls,  "http://h,http://i",                            false},
        {check_http_urls,  "ftp://h",                                      false},
        {check_name,       "a",                                            true },
        {check_name,       "9-_a",                                         true },
        {check_name,       "-a",                                           false},
        {check_name,       "a b",                                          false},
        {check_name,       "A",                                            false},
        {check_name,       "ä",                                           false},
        {check_event_type, "record-view",                                  true },
        {check_event_type, "org.Example.user_updated",                     true },
        {check_event_type, "a.b.c.d.e.f.g.h",                              true },
        {check_event_type, "a.b.c.d.e.f.g.h.i",                            false},
        {check_event_type, ".a",                                           false},
        {check_event_type, "a.",                                           false},
        {check_event_type, "a..b",                                         false},
        {check_event_type, "a b",                                          false},
        {check_event_type, "user.*",                                       false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(checks); i++) {
        struct error err = ERROR_INIT;

        if (checks[i].check(checks[i].value, &err) != checks[i].good)
            fail_msg("%s: %s", checks[i].value, err.text);
        assert_int_equal(err.kind, checks[i].good ? ERROR_NONE : ERROR_CONFIG);
    }
}

/* -------------------------------------------------------------------------------------------------- options */

static void options_are_taken_out_wherever_they_stand(void **state)
{
    char *argv[] = {"a", "--queue", "q", "--json", "b", "--handler=h=1", "--last", NULL};
    struct verb_call call = {.argc = 7, .argv = argv};
    const char *value = "before";

    (void)state;
    assert_false(verb_option(&call, "queu", &value));
    assert_string_equal(value, "before");
    assert_true(verb_option(&call, "queue", &value));
    assert_string_equal(value, "q");
    assert_true(verb_option(&call, "json", NULL));
    assert_false(verb_option(&call, "json", NULL));
    assert_true(verb_option(&call, "handler", &value));
    assert_string_equal(value, "h=1");
    assert_true(verb_option(&call, "last", &value));
    assert_null(value);
    assert_int_equal(call.argc, 2);
    assert_string_equal(call.argv[0], "a");
    assert_string_equal(call.argv[1], "b");
}

static void behind_two_dashes_nothing_is_an_option(void **state)
{
    char *argv[] = {"--", "--json", NULL};
    struct verb_call call = {.argc = 2, .argv = argv};

    (void)state;
    assert_false(verb_option(&call, "json", NULL));
    assert_int_equal(call.argc, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_read_as_its_row_says_or_refused),
        cmocka_unit_test(a_refusal_says_what_is_allowed),
        cmocka_unit_test(a_refused_value_leaves_the_one_before),
        cmocka_unit_test(addresses_and_names_are_checked),
        cmocka_unit_test(options_are_taken_out_wherever_they_stand),
        cmocka_unit_test(behind_two_dashes_nothing_is_an_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
