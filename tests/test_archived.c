#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "notifier/archived.h"

static int setup(void **state)
{
    *state = arena_new();
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static struct event sample(void)
{
    struct event e = event_none;

    e.id = span_of("e-1");
    e.source = span_of("/repository");
    e.type = span_of("record.viewed");
    e.time = span_of("2026-11-20T21:40:00.000001Z");
    e.time_us = INT64_C(1795210800000001);
    e.subject = span_of("records/42");
    e.actor = span_of("users/7");
    e.operation = span_of("op");
    e.traceparent = span_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    e.data = span_of("{\"n\":1.5,\"text\":\"\u00e9\\\"\",\"deep\":[{\"a\":null}]}");
    e.unique = span_of("2026-11-20T21:40:00-00112233445566778899");
    e.click = span_of("ffeeddcc");
    e.revision = 9;
    e.latest_wins = true;
    return e;
}

static bool read_text(struct arena *arena, const char *text, struct event *e, struct error *err)
{
    json_t *data;
    bool ok = archived_read(span_of(text), 64, arena, e, &data, err);

    if (ok)
        archived_set_data(e, data, arena);
    json_decref(data);
    return ok;
}

static void an_event_comes_back_from_its_line_byte_by_byte(void **state)
{
    struct event e = sample(), back;
    struct buf line = BUF_INIT, again = BUF_INIT;
    struct error err;

    archived_add(&e, &line);
    assert_memory_equal(line.data, ARCHIVED_START, strlen(ARCHIVED_START));
    assert_true(read_text(*state, line.data, &back, &err));
    assert_int_equal(back.data.length, e.data.length);
    assert_memory_equal(back.data.text, e.data.text, e.data.length);
    assert_true(span_is(back.unique, e.unique.text));
    assert_true(span_is(back.click, e.click.text));
    assert_int_equal(back.time_us, e.time_us);
    assert_int_equal(back.revision, 9);
    assert_true(back.latest_wins);
    archived_add(&back, &again);
    assert_string_equal(line.data, again.data);
    buf_release(&line);
    buf_release(&again);
}

static void what_an_event_does_not_have_is_not_in_its_line(void **state)
{
    struct event e = sample(), back;
    struct buf line = BUF_INIT;
    struct error err;

    e.click = e.data = e.actor = SPAN_NONE;
    e.revision = REVISION_NONE;
    e.latest_wins = false;
    archived_add(&e, &line);
    assert_null(strstr(line.data, "crierclick"));
    assert_null(strstr(line.data, "crierlatest"));
    assert_null(strstr(line.data, "revision"));
    assert_true(read_text(*state, line.data, &back, &err));
    assert_int_equal(back.data.length, 0);
    assert_int_equal(back.click.length, 0);
    assert_int_equal(back.revision, REVISION_NONE);
    assert_false(back.latest_wins);
    buf_release(&line);
}

static void an_event_of_no_archive_has_no_unique_id(void **state)
{
    struct event e;
    struct error err;

    assert_true(read_text(*state,
                          "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"user.updated\","
                          "\"time\":\"2026-11-20T21:40:00Z\"}",
                          &e, &err));
    assert_int_equal(e.unique.length, 0);
}

#define BEGIN "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"user.updated\""

static void a_line_that_crier_cannot_have_written_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *line, *reason;
    } cases[] = {
        {"",                                                                                        "line 1"     },
        {"[]",                                                                                      "JSON object"},
        {"{\"specversion\":\"1.0\",\"id\":\"to",                                                    "line 1"     },
        {BEGIN ",\"crierunique\":7}",                                                               "crierunique"},
        {BEGIN ",\"crierunique\":\"\"}",                                                            "crierunique"},
        {BEGIN ",\"crierunique\":\"a b\"}",                                                         "crierunique"},
        {BEGIN ",\"crierunique\":\"a}{b\"}",                                                        "crierunique"},
        {BEGIN ",\"crierclick\":null}",                                                             "crierclick" },
        {BEGIN ",\"data\":7}",                                                                      "data"       },
        {BEGIN ",\"revision\":-1}",                                                                 "revision"   },
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"crier.dead.dropped\"}",
         "the service's own"                                                                                     },
    };
    struct event e;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_false(read_text(*state, cases[i].line, &e, &err));
        assert_int_equal(err.kind, ERROR_INPUT);
        if (!strstr(err.text, cases[i].reason))
            fail_msg("%s: %s", cases[i].line, err.text);
    }
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(an_event_comes_back_from_its_line_byte_by_byte),
        WITH_ARENA(what_an_event_does_not_have_is_not_in_its_line),
        WITH_ARENA(an_event_of_no_archive_has_no_unique_id),
        WITH_ARENA(a_line_that_crier_cannot_have_written_is_refused_with_the_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
