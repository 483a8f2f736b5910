/* JSON text packed in one pass, and found one's way in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_compact.h"

static void packed_text_keeps_all_but_the_white_space(void **state)
{
    static const char *const texts[][2] = {
        {" { \"a b\" : [ 1 , 2.50 , -0 , 1E400 ] ,\r\n\t\"c\":{ } , \"d\" : [ ] } \n",
         "{\"a b\":[1,2.50,-0,1E400],\"c\":{},\"d\":[]}"                                                                        },
        {"\"\\u0000 \\ud83d\\ude00 \\/ \xC3\xA9\"",                                    "\"\\u0000 \\ud83d\\ude00 \\/ \xC3\xA9\""},
        {"18446744073709551616",                                                       "18446744073709551616"                   },
        {" true ",                                                                     "true"                                   },
        {"[null,false,\"\"]",                                                          "[null,false,\"\"]"                      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct buf out = BUF_INIT;
        struct error err;

        buf_add_text(&out, "before");
        if (!json_compact(texts[i][0], strlen(texts[i][0]), 64, &out, &err))
            fail_msg("%s: %s", texts[i][0], err.text);
        assert_memory_equal(out.data, "before", 6);
        assert_string_equal(out.data + 6, texts[i][1]);
        buf_release(&out);
    }
}

static void what_is_no_json_is_refused_with_the_byte(void **state)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"",                   "a value is wanted at byte 1"              },
        {"{\"a\" 1}",          "\":\" is wanted at byte 6"                },
        {"{\"a\":1,}",         "a name is wanted at byte 8"               },
        {"[1,]",               "a value is wanted at byte 4"              },
        {"[1 2]",              "is wanted at byte 4"                      },
        {"[1}",                "is wanted at byte 3"                      },
        {"01",                 "a number that is none at byte 1"          },
        {"-",                  "a number that is none"                    },
        {"1.",                 "a number that is none"                    },
        {"1e+",                "a number that is none"                    },
        {"nul",                "a value is wanted"                        },
        {"\"a",                "a string without end"                     },
        {"\"\\x\"",            "no such escape at byte 2"                 },
        {"\"\\u12g4\"",        "no such escape"                           },
        {"\"\\ud800\"",        "no such escape"                           },
        {"\"\\udc00\"",        "no such escape"                           },
        {"\"\\ud800\\u0041\"", "no such escape"                           },
        {"\"a\nb\"",           "a control character in a string at byte 3"},
        {"\"\xC3(\"",          "not UTF-8"                                },
        {"{} {}",              "more follows the value at byte 4"         },
        {"[[[[1]]]]",          "nested too deeply at byte 4"              },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct buf out = BUF_INIT;
        struct error err;

        assert_false(json_compact(wrong[i].text, strlen(wrong[i].text), 3, &out, &err));
        assert_int_equal(err.kind, ERROR_INPUT);
        assert_int_equal(out.length, 0);
        if (!strstr(err.text, wrong[i].why))
            fail_msg("%s: %s", wrong[i].text, err.text);
        buf_release(&out);
    }
}

#define TEXT "{\"a\":{\"b\":[1,\"x,]}\",{\"c\":2}],\"b.d\":\"\\\"}\"},\"a.b.e\":true,\"n\":-12,\"s\":\"7\",\"a\":0}"

static void values_are_found_by_their_paths(void **state)
{
    static const char *const paths[][2] = {
        {"a.b",   "[1,\"x,]}\",{\"c\":2}]"},
        {"a.b.d", "\"\\\"}\""             },
        {"a.b.e", "true"                  },
        {"n",     "-12"                   },
        {"",      TEXT                    },
        {"a.x",   NULL                    },
        {"aa",    NULL                    },
        {"n.a",   NULL                    },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct span found;
        bool is = json_compact_at(span_of(TEXT), paths[i][0], &found);

        assert_int_equal(is, paths[i][1] != NULL);
        if (is && !span_is(found, paths[i][1]))
            fail_msg("%s: %.*s", paths[i][0], (int)found.length, found.text);
    }
}

static void the_elements_of_an_array_come_in_turn(void **state)
{
    static const char *const elements[] = {"1", "\"x,]}\"", "{\"c\":2}"};
    struct span array, element;
    size_t at = 0, count = 0;

    (void)state;
    assert_true(json_compact_at(span_of(TEXT), "a.b", &array));
    while (json_compact_next(array, &at, &element))
        assert_true(span_is(element, elements[count++]));
    assert_int_equal(count, 3);
    at = 0;
    assert_false(json_compact_next(span_of("[]"), &at, &element));
    assert_false(json_compact_next(span_of("{}"), &at, &element));
}

static void texts_and_numbers_are_read(void **state)
{
    struct arena *arena = arena_new();
    struct span text;
    int64_t number;

    (void)state;
    assert_true(json_compact_text(span_of("\"a\\u00e9\\n\""), arena, &text));
    assert_true(span_is(text, "a\xC3\xA9\n"));
    assert_true(json_compact_text(span_of("12.50"), arena, &text));
    assert_true(span_is(text, "12.50"));
    assert_false(json_compact_text(span_of("null"), arena, &text));
    assert_false(json_compact_text(span_of("[]"), arena, &text));
    assert_true(json_compact_integer(span_of("\"9223372036854775807\""), &number));
    assert_int_equal(number, INT64_MAX);
    assert_false(json_compact_integer(span_of("9223372036854775808"), &number));
    assert_false(json_compact_integer(span_of("1.0"), &number));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_text_keeps_all_but_the_white_space),
        cmocka_unit_test(what_is_no_json_is_refused_with_the_byte),
        cmocka_unit_test(values_are_found_by_their_paths),
        cmocka_unit_test(the_elements_of_an_array_come_in_turn),
        cmocka_unit_test(texts_and_numbers_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
