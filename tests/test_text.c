/* Words, numbers, nearness, what a terminal is shown, and buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_not_utf_8_are_found),
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(the_nearest_word_is_found_where_one_is_near),
        cmocka_unit_test(whole_numbers_are_read_to_their_limits),
        cmocka_unit_test(words_are_taken_one_by_one),
        cmocka_unit_test(a_buf_is_always_a_c_string_too),
        cmocka_unit_test(a_json_string_is_escaped_as_rfc_8259_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
