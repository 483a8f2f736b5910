/* Text, time and JSON: the tables that base/ is measured by. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

/* ---------------------------------------------------------------------------------------------------- time */

enum { REFUSED = -1 };

static void times_are_read_as_rfc_3339_says(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* from GNU date */
    } table[] = {
        {"1970-01-01T00:00:00Z",             0                          },
        {"2026-11-20T21:40:00Z",             INT64_C(1795210800000000)  },
        {"2026-11-20t21:40:00z",             INT64_C(1795210800000000)  },
        {"2026-11-20 21:40:00Z",             INT64_C(1795210800000000)  },
        {"2026-11-20T23:10:00+01:30",        INT64_C(1795210800000000)  },
        {"2026-11-20T13:40:00-08:00",        INT64_C(1795210800000000)  },
        {"2026-11-20T21:40:00.5Z",           INT64_C(1795210800500000)  },
        {"2026-11-20T21:40:00.123456789Z",   INT64_C(1795210800123456)  },
        {"2026-11-20T21:40:00.000001+00:00", INT64_C(1795210800000001)  },
        {"2024-02-29T23:59:59Z",             INT64_C(1709251199000000)  },
        {"2000-02-29T00:00:00Z",             INT64_C(951782400000000)   },
        {"2016-12-31T23:59:60Z",             INT64_C(1483228800000000)  },
        {"9999-12-31T23:59:59Z",             INT64_C(253402300799000000)},
        {"2023-02-29T00:00:00Z",             REFUSED                    },
        {"2100-02-29T00:00:00Z",             REFUSED                    },
        {"2026-00-20T21:40:00Z",             REFUSED                    },
        {"2026-13-20T21:40:00Z",             REFUSED                    },
        {"2026-11-31T21:40:00Z",             REFUSED                    },
        {"2026-11-20T24:00:00Z",             REFUSED                    },
        {"2026-11-20T21:60:00Z",             REFUSED                    },
        {"2026-11-20T21:40:61Z",             REFUSED                    },
        {"2026-11-20T21:40Z",                REFUSED                    },
        {"2026-11-20",                       REFUSED                    },
        {"2026-11-20T21:40:00",              REFUSED                    },
        {"2026-11-20T21:40:00.Z",            REFUSED                    },
        {"2026-11-20T21:40:00.1234567890Z",  REFUSED                    },
        {"2026-11-20T21:40:00+0130",         REFUSED                    },
        {"2026-11-20T21:40:00+24:00",        REFUSED                    },
        {"2026-11-20T21:40:00Z ",            REFUSED                    },
        {" 2026-11-20T21:40:00Z",            REFUSED                    },
        {"1969-12-31T23:59:59Z",             REFUSED                    },
        {"1970-01-01T00:00:00+00:01",        REFUSED                    },
        {"9999-12-31T23:59:60Z",             REFUSED                    },
        {"9999-12-31T23:59:59-01:00",        REFUSED                    },
        {"",                                 REFUSED                    },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        int64_t us = REFUSED;

        if (!time_parse(table[i].text, strlen(table[i].text), false, &us))
            us = REFUSED;
        if (us != table[i].us)
            fail_msg("%s: %lld", table[i].text, (long long)us);
    }
}

static void a_time_without_offset_is_utc_where_that_is_allowed(void **state)
{
    int64_t us;

    (void)state;
    assert_true(time_parse("2026-11-20T21:40:00.25", 22, true, &us));
    assert_int_equal(us, INT64_C(1795210800250000));
    assert_true(time_parse("2026-11-20T21:40:00.25xyz", 22, true, &us)); /* no more than the length is read */
}

static void a_time_is_written_as_it_is_read(void **state)
{
    char text[TIME_TEXT_BYTES];
    int64_t step = INT64_C(97) * 3600 * US_PER_SECOND + 61000001, back;

    (void)state;
    assert_string_equal(time_text(INT64_C(1795210800000000), text), "2026-11-20T21:40:00Z");
    assert_string_equal(time_text(INT64_C(1795210800000001), text), "2026-11-20T21:40:00.000001Z");
    for (int64_t us = 0; us < INT64_C(4102444800000000); us += step) {
        time_text(us, text);
        assert_true(time_parse(text, strlen(text), false, &back));
        assert_int_equal(back, us);
    }
}

static void the_calendar_agrees_with_the_systems(void **state)
{
    (void)state;
    for (int64_t us = 0; us < INT64_C(4102444800000000); us += INT64_C(31) * 3600 * US_PER_SECOND + 7000000) {
        char ours[40], systems[40];
        struct calendar c;

        time_calendar(us, &c);
        snprintf(ours, sizeof ours, "%04d-%02d-%02d %02d:%02d:%02d %d", c.year, c.month, c.day, c.hour, c.minute,
                 c.second, c.weekday);
        assert_true(time_format(us, "%Y-%m-%d %H:%M:%S %w", systems, sizeof systems) > 0);
        assert_string_equal(ours, systems);
        assert_int_equal(time_from_calendar(&c), us);
    }
}

/* ---------------------------------------------------------------------------------------------------- text */

static void bytes_that_are_not_utf_8_are_found(void **state)
{
    static const struct {
        const char *bytes;
        size_t valid;
    } table[] = {
        {"",                   0},
        {"plain",              5},
        {"caf\xc3\xa9",        5},
        {"\xe2\x82\xac",       3},
        {"\xf0\x9f\x98\x80",   4},
        {"\xed\x9f\xbf",       3},
        {"\xee\x80\x80",       3},
        {"\xf4\x8f\xbf\xbf",   4},
        {"a\x80",              1}, /* a continuation without a start */
        {"a\xc3",              1}, /* cut short */
        {"a\xe2\x82",          1}, /* cut short */
        {"a\xc3(",             1}, /* no continuation */
        {"\xc0\x80",           0}, /* overlong NUL */
        {"\xc1\xbf",           0}, /* overlong */
        {"\xe0\x9f\xbf",       0}, /* overlong */
        {"\xf0\x8f\xbf\xbf",   0}, /* overlong */
        {"\xed\xa0\x80",       0}, /* a surrogate */
        {"\xed\xbf\xbf",       0}, /* a surrogate */
        {"\xf4\x90\x80\x80",   0}, /* beyond U+10FFFF */
        {"ok\xff",             2},
        {"ok\xf8\x88\x80\x80", 2}, /* five bytes, once allowed */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
        if (text_utf8_valid(table[i].bytes, strlen(table[i].bytes)) != table[i].valid)
            fail_msg("row %zu", i);
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
    static const struct {
        const char *bytes, *shown;
    } table[] = {
        {"caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac"},
        {"a\nb\tc",                  "a\\x0ab\\x09c"           },
        {"\x1b[31mred",              "\\x1b[31mred"            },
        {"\x7f",                     "\\x7f"                   },
        {"\xc2\x9b",                 "\\x9b"                   }, /* CSI as one character */
        {"\xe2\x80\xae"
         "abc",             "\\u{202e}abc"            }, /* right to left from here on */
        {"\xe2\x80\xa8",             "\\u{2028}"               },
        {"\xef\xbb\xbf",             "\\u{feff}"               },
        {"\xff\xfe",                 "\\xff\\xfe"              },
        {"\xe2\x82",                 "\\xe2\\x82"              },
    };
    struct buf out = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        buf_reset(&out);
        text_add_escaped(&out, table[i].bytes, strlen(table[i].bytes), 100);
        assert_string_equal(out.data, table[i].shown);
    }
    buf_reset(&out);
    text_add_escaped(&out, "0123456789", 10, 4);
    assert_string_equal(out.data, "0123... (6 bytes more)");
    buf_release(&out);
}

static void the_nearest_word_is_found_where_one_is_near(void **state)
{
    static const char *const words[] = {"timeout", "url", "unsafe", "password", "events"};
    static const struct {
        const char *word, *nearest;
    } table[] = {
        {"timout",    "timeout" },
        {"timeoutt",  "timeout" },
        {"urls",      "url"     },
        {"uri",       "url"     },
        {"unsave",    "unsafe"  },
        {"pasword",   "password"},
        {"event",     "events"  },
        {"retention", NULL      },
        {"x",         NULL      },
        {"",          NULL      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        const char *found = text_nearest(table[i].word, words, ARRAY_LENGTH(words));

        if (table[i].nearest)
            assert_string_equal(found, table[i].nearest);
        else
            assert_null(found);
    }
}

static void whole_numbers_are_read_to_their_limits(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t number;
    } table[] = {
        {"0",                    true,  0        },
        {"-0",                   true,  0        },
        {"007",                  true,  7        },
        {"9223372036854775807",  true,  INT64_MAX},
        {"-9223372036854775808", true,  INT64_MIN},
        {"9223372036854775808",  false, 0        },
        {"-9223372036854775809", false, 0        },
        {"99999999999999999999", false, 0        },
        {"",                     false, 0        },
        {"-",                    false, 0        },
        {"+1",                   false, 0        },
        {" 1",                   false, 0        },
        {"1x",                   false, 0        },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        int64_t number = 0;

        if (text_int(table[i].text, strlen(table[i].text), &number) != table[i].good)
            fail_msg("\"%s\"", table[i].text);
        if (table[i].good)
            assert_int_equal(number, table[i].number);
    }
}

static void words_are_taken_one_by_one(void **state)
{
    const char *at = " \tuser.*\n record ", *word;
    size_t length;

    (void)state;
    assert_true(text_word(&at, &word, &length));
    assert_true(length == 6 && memcmp(word, "user.*", 6) == 0);
    assert_true(text_word(&at, &word, &length));
    assert_true(length == 6 && memcmp(word, "record", 6) == 0);
    assert_false(text_word(&at, &word, &length));
}

/* --------------------------------------------------------------------------------------------------- a buf */

static void a_buf_is_always_a_c_string_too(void **state)
{
    struct buf b = BUF_INIT;
    char *taken;

    (void)state;
    assert_string_equal(b.data, "");
    for (int i = 0; i < 1000; i++)
        buf_add_char(&b, 'x');
    assert_int_equal(strlen(b.data), 1000);
    buf_reset(&b);
    assert_string_equal(b.data, "");
    buf_add_int(&b, INT64_MIN);
    buf_printf(&b, " %s %d", "and", 7);
    buf_add(&b, "\0!", 2);
    assert_int_equal(b.length, 28);
    assert_string_equal(b.data, "-9223372036854775808 and 7");
    taken = buf_take(&b);
    assert_int_equal(b.length + b.room, 0);
    free(taken);
    taken = buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
}

static void a_json_string_is_escaped_as_rfc_8259_says(void **state)
{
    static const char text[] = "a\"b\\c/\b\t\n\f\r\x01\x1f\0\x7f\xc3\xa9";
    struct buf b = BUF_INIT;

    (void)state;
    buf_add_json(&b, text, sizeof text - 1);
    assert_string_equal(b.data, "\"a\\\"b\\\\c/\\b\\t\\n\\f\\r\\u0001\\u001f\\u0000\x7f\xc3\xa9\"");
    buf_release(&b);
}

/* ---------------------------------------------------------------------------------------------------- JSON */

static json_t *parse(const char *text, size_t length, struct error *err)
{
    return json_text_parse(text, length, 4, err);
}

static void json_that_is_none_is_refused_with_its_position(void **state)
{
    static const struct {
        const char *text;
        size_t length; /* 0: up to the NUL */
        const char *says;
    } table[] = {
        {"",                            0,  "line 1"                         },
        {"{\"a\":1",                    0,  "line 1 column 6"                },
        {"{\"a\":1,\n \"b\":x}",        0,  "line 2"                         },
        {"{\"a\":1}{",                  0,  "end of file expected"           },
        {"{\"a\":1,\"b\":2,\"a\":3}",   0,  "duplicate"                      },
        {"{\"a\":{\"b\":1,\"b\":1}}",   0,  "duplicate"                      },
        {"{\"a\":\"\xff\"}",            0,  "decode byte"                    },
        {"{\"a\":\"\xed\xa0\x80\"}",    0,  "decode byte"                    },
        {"{\"a\":\"\\ud800\"}",         0,  "line 1"                         },
        {"{\"a\":\"x\0y\"}",            11, "line 1"                         },
        {"{\"a\":\"\\u0000\"}",         0,  "line 1"                         },
        {"{\"\\u0000a\":1}",            0,  "line 1"                         },
        {"{\"a\":1}\0",                 8,  "line 1"                         },
        {"[[[[[1]]]]]",                 0,  "deeper than 4 levels at byte 5" },
        {"{\"[[[[[\":[[[[",             0,  "deeper than 4 levels at byte 13"},
        {"{\"a\":9223372036854775808}", 0,  "line 1"                         },
        {"{\"a\":1e999}",               0,  "line 1"                         },
        {"{\"a\":01}",                  0,  "line 1"                         },
        {"{\"a\":NaN}",                 0,  "line 1"                         },
        {"{'a':1}",                     0,  "line 1"                         },
        {"{\"a\":1,}",                  0,  "line 1"                         },
        {"\"a\nb\"",                    0,  "line 1"                         },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        size_t length = table[i].length ? table[i].length : strlen(table[i].text);
        struct error err = ERROR_INIT;
        json_t *value = parse(table[i].text, length, &err);

        if (value || err.kind != ERROR_INPUT || !strstr(err.text, table[i].says))
            fail_msg("%s: %s", table[i].text, err.text);
    }
}

static void json_within_the_limits_is_written_as_it_was_read(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "\"\"",
        "null",
        "[1,-1,0,9223372036854775807,-9223372036854775808]",
        "[true,false,null,\"caf\xc3\xa9\",\"\\\"\\\\\\n\\u0001\"]",
        "{\"b\":1,\"a\":{\"d\":[],\"c\":{}}}",
        "[[[[1]]]]",
        "\"[[[[[[[[\"",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct buf out = BUF_INIT;
        struct error err = ERROR_INIT;
        json_t *value = parse(texts[i], strlen(texts[i]), &err);

        if (!value)
            fail_msg("%s: %s", texts[i], err.text);
        json_add(&out, value);
        assert_string_equal(out.data, texts[i]);
        json_decref(value);
        buf_release(&out);
    }
}

static void numbers_are_written_in_their_shortest_form_that_reads_back_the_same(void **state)
{
    static const struct {
        double number;
        const char *text;
    } table[] = {
        {0.1,        "0.1"                  },
        {0.1 + 0.2,  "0.30000000000000004"  },
        {1.0,        "1.0"                  },
        {-0.0,       "-0.0"                 },
        {1e300,      "1e+300"               },
        {5e-324,     "4.94065645841247e-324"},
        {1.0 / 3,    "0.3333333333333333"   },
        {1e15,       "1e+15"                },
        {123456.789, "123456.789"           },
    };
    uint64_t random = 20261120;

    (void)state;
    for (size_t i = 0; i < 20000 + ARRAY_LENGTH(table); i++) {
        struct buf out = BUF_INIT;
        struct error err = ERROR_INIT;
        json_t *value, *again;
        double number;

        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if (i < ARRAY_LENGTH(table))
            number = table[i].number;
        else
            memcpy(&number, &random, sizeof number);
        if (!isfinite(number))
            continue;
        value = json_real(number);
        json_add(&out, value);
        if (i < ARRAY_LENGTH(table))
            assert_string_equal(out.data, table[i].text);
        again = json_text_parse(out.data, out.length, 4, &err);
        assert_true(again && json_is_real(again));
        number = json_real_value(again);
        assert_memory_equal(&number, &(double){json_real_value(value)}, sizeof number);
        json_decref(value);
        json_decref(again);
        buf_release(&out);
    }
}

static void equal_values_give_equal_bytes_when_sorted(void **state)
{
    struct error err;
    json_t *a = json_text_parse("{\"b\":[{\"y\":1,\"x\":2}],\"a\":null}", 30, 8, &err);
    json_t *b = json_text_parse("{\"a\":null,\"b\":[{\"x\":2,\"y\":1}]}", 30, 8, &err);
    struct buf first = BUF_INIT, second = BUF_INIT;

    (void)state;
    assert_true(a && b);
    json_add_sorted(&first, a);
    json_add_sorted(&second, b);
    assert_string_equal(first.data, "{\"a\":null,\"b\":[{\"x\":2,\"y\":1}]}");
    assert_string_equal(first.data, second.data);
    json_decref(a);
    json_decref(b);
    buf_release(&first);
    buf_release(&second);
}

static void a_path_finds_members_also_below_keys_with_dots(void **state)
{
    static const char text[] = "{\"user\":{\"id\":7,\"a.b\":{\"c\":\"deep\"}},\"x.y\":true,\"user.id\":8}";
    struct error err;
    json_t *object = json_text_parse(text, sizeof text - 1, 8, &err);
    struct buf scratch = BUF_INIT;

    (void)state;
    assert_non_null(object);
    assert_string_equal(json_scalar_text(json_at(object, "user.id"), &scratch), "7");
    assert_string_equal(json_scalar_text(json_at(object, "user.a.b.c"), &scratch), "deep");
    assert_string_equal(json_scalar_text(json_at(object, "x.y"), &scratch), "true");
    assert_null(json_at(object, "user.name"));
    assert_null(json_at(object, "user.id.more"));
    assert_null(json_at(object, ""));
    assert_null(json_scalar_text(json_at(object, "user"), &scratch));
    assert_string_equal(json_member_text(object, "x.y", "fallback"), "fallback");
    json_decref(object);
    buf_release(&scratch);
}

static void a_member_is_found_at_the_top_level_without_parsing(void **state)
{
    static const struct {
        const char *object, *value; /* of "a"; NULL: none */
    } table[] = {
        {"",                                                  NULL                   },
        {"{}",                                                NULL                   },
        {"{\"a\":1}",                                         "1"                    },
        {"{\"a\":\"x\"}",                                     "\"x\""                },
        {"{\"b\":2,\"a\":-1.5e3,\"c\":3}",                    "-1.5e3"               },
        {"{\"a\":\"},\\\"]\",\"b\":1}",                       "\"},\\\"]\""          },
        {"{\"a\":\"\\\\\",\"b\":1}",                          "\"\\\\\""             },
        {"{\"a\":{\"b\":[1,{\"}\":2}]},\"c\":3}",             "{\"b\":[1,{\"}\":2}]}"},
        {"{\"a\":[],\"b\":1}",                                "[]"                   },
        {"{\"a\":null}",                                      "null"                 },
        {"{\"b\":{\"a\":1}}",                                 NULL                   },
        {"{\"b\":[{\"a\":1}]}",                               NULL                   },
        {"{\"b\":\"\\\"a\\\":1\"}",                           NULL                   },
        {"{\"b\":{\"a\":1},\"a\":2}",                         "2"                    },
        {"{\"xa\":1,\"ab\":2}",                               NULL                   },
        {"{\"x\\\"a\":1}",                                    NULL                   },
        {"{\"x,\\\"a\":1,\"a\":3}",                           "3"                    },
        {"{\"b\":\"{\",\"a\":1}",                             "1"                    },
        {"{\"b\":\"\\\\\",\"a\":\"\\\\\\\"\"}",               "\"\\\\\\\"\""         },
        {"{\"b\":{\"c\":0,\"a\":1},\"d\":[\"a\",{\"a\":2}]}", NULL                   },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t length = strlen(table[i].object);
        struct span value = SPAN_NONE;

        assert_int_equal(json_text_has_member(table[i].object, length, "\"a\":"), table[i].value != NULL);
        assert_int_equal(json_text_member(table[i].object, length, "\"a\":", &value), table[i].value != NULL);
        if (table[i].value && !span_is(value, table[i].value))
            fail_msg("%s: %.*s", table[i].object, (int)value.length, value.text);
    }
}

static void a_long_time_always_has_microseconds_and_offset(void **state)
{
    char text[TIME_TEXT_BYTES];

    (void)state;
    assert_string_equal(time_text_long(INT64_C(1795210800123456), text), "2026-11-20T21:40:00.123456+00:00");
    assert_string_equal(time_text_long(INT64_C(1795210800000000), text), "2026-11-20T21:40:00.000000+00:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_as_rfc_3339_says),
        cmocka_unit_test(a_time_without_offset_is_utc_where_that_is_allowed),
        cmocka_unit_test(a_time_is_written_as_it_is_read),
        cmocka_unit_test(the_calendar_agrees_with_the_systems),
        cmocka_unit_test(bytes_that_are_not_utf_8_are_found),
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(the_nearest_word_is_found_where_one_is_near),
        cmocka_unit_test(whole_numbers_are_read_to_their_limits),
        cmocka_unit_test(words_are_taken_one_by_one),
        cmocka_unit_test(a_buf_is_always_a_c_string_too),
        cmocka_unit_test(a_json_string_is_escaped_as_rfc_8259_says),
        cmocka_unit_test(a_member_is_found_at_the_top_level_without_parsing),
        cmocka_unit_test(a_long_time_always_has_microseconds_and_offset),
        cmocka_unit_test(json_that_is_none_is_refused_with_its_position),
        cmocka_unit_test(json_within_the_limits_is_written_as_it_was_read),
        cmocka_unit_test(numbers_are_written_in_their_shortest_form_that_reads_back_the_same),
        cmocka_unit_test(equal_values_give_equal_bytes_when_sorted),
        cmocka_unit_test(a_path_finds_members_also_below_keys_with_dots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
