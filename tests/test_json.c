/* JSON: read within its limits, written so that equal values are equal bytes, and looked into. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_found_at_the_top_level_without_parsing),
        cmocka_unit_test(json_that_is_none_is_refused_with_its_position),
        cmocka_unit_test(json_within_the_limits_is_written_as_it_was_read),
        cmocka_unit_test(numbers_are_written_in_their_shortest_form_that_reads_back_the_same),
        cmocka_unit_test(equal_values_give_equal_bytes_when_sorted),
        cmocka_unit_test(a_path_finds_members_also_below_keys_with_dots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
