/* Events are kept in an index, and found again by what was asked for and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "handlers/history/history_page.h"
#include "handlers/history/history_search.h"
#include "notifier/door_page.h"
#include "notifier/pattern.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/serve_client.h"
#include "support/work.h"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\naccess = tokens\n"
                          "[queue q]\nevents = **\n"
                          "[handler past]\ntype = history\nqueue = q\ndata = 1MiB\n";

/* The day is the number in the id; e1 is of October. */
static const struct {
    const char *id, *type, *subject, *actor, *operation, *time, *data;
} deeds[] = {
    {"e1", "user.created",      "users/1",     "users/1",     "op-1", "2026-10-01T10:00:00Z",        "{}"                           },
    {"e2", "user.updated",      "users/1",     "users/2",     "op-2", "2026-11-02T10:00:00Z",        "{\"a\":{\"b\":[1,{\"c\":2}]}}"},
    {"e3", "record.published",  "records/1",   "users/2",     "op-2", "2026-11-03T10:00:00.123456Z",
     "{\"a\":\"text where it was an object\"}"                                                                                      },
    {"e4", "record.deleted",    "records/1",   "operators/2", "op-3", "2026-11-04T10:00:00Z",        ""                             },
    {"e5", "record.file.added", "records/2.a", "users/3",     "",     "2026-11-05T10:00:00Z",        "{\"x\":\"\\u202e\\u001b\"}"   },
};

static struct event event_of(struct scene *s, size_t i)
{
    struct event e = scene_event(s, deeds[i].type, deeds[i].id, deeds[i].subject, (int64_t)i, deeds[i].data);

    e.actor = span_of(deeds[i].actor);
    e.operation = span_of(deeds[i].operation);
    e.time = span_of(deeds[i].time);
    e.unique = span_of(arena_printf(s->arena, "u%s", deeds[i].id));
    assert_true(time_parse(deeds[i].time, strlen(deeds[i].time), false, &e.time_us));
    return e;
}

static int setup(void **state)
{
    struct scene *s = *state = scene_open(ini);

    for (size_t i = 0; i < ARRAY_LENGTH(deeds); i++) {
        struct event e = event_of(s, i);

        scene_append(s, &e, 1);
    }
    work_off(s, "past");
    assert_int_equal(index_count(s->settings, "history-*"), ARRAY_LENGTH(deeds));
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "history-*");
    scene_close(s);
    return 0;
}

/* The ids of events, "e5 e4 ", as JSON has them. Yours to free. */
static char *ids_of(const json_t *events)
{
    struct buf ids = BUF_INIT;

    buf_add_text(&ids, "");
    for (size_t i = 0; i < json_array_size(events); i++)
        buf_printf(&ids, "%s ", json_member_text(json_array_get(events, i), "id", "?"));
    return buf_take(&ids);
}

/* `crier history` with up to three more words; its exit code. */
static int history(struct scene *s, char **out, const char *one, const char *two, const char *three)
{
    return crier_run(out, (const char *const[]){"history", "--config", s->config_path, one, two, three, NULL});
}

static void assert_found(struct scene *s, const char *option, const char *value, const char *wanted)
{
    char *out, *ids;
    struct error err;
    json_t *events;

    if (history(s, &out, "--json", option, value) != 0)
        fail_msg("%s %s: %s", option, value, out);
    events = json_text_parse(out, strlen(out), 64, &err);
    if (!events)
        fail_msg("%s: %s", err.text, out);
    ids = ids_of(events);
    if (strcmp(ids, wanted) != 0)
        fail_msg("%s %s finds %s instead of %s", option, value, ids, wanted);
    json_decref(events);
    free(ids);
    free(out);
}

/* The answer of the page to somebody who may see events of these types; yours. */
static json_t *ask(struct scene *s, const struct page_argument *arguments, size_t count, const char *events,
                   unsigned wanted)
{
    struct history_pages *pages = history_pages_new(s->settings);
    struct caller caller = {.scopes = SCOPE_EVENTS_READ};
    struct page_request request = {
        .method = "GET", .rest = "", .arguments = arguments, .argument_count = count, .bytes = "", .caller = &caller};
    struct buf body = BUF_INIT;
    struct error err;
    json_t *answer;

    assert_non_null(pages);
    snprintf(caller.events, sizeof caller.events, "%s", events);
    assert_int_equal(history_pages_answer(pages, &request, &body), wanted);
    answer = json_text_parse(body.data, body.length, 64, &err);
    assert_non_null(answer);
    buf_release(&body);
    history_pages_free(pages);
    return answer;
}

static void assert_page(struct scene *s, const char *name, const char *value, const char *events, const char *wanted)
{
    struct page_argument argument = {name, value};
    json_t *answer = ask(s, &argument, name ? 1 : 0, events, 200);
    char *ids = ids_of(json_object_get(answer, "events"));

    if (strcmp(ids, wanted) != 0)
        fail_msg("%s = %s finds %s instead of %s", name, value, ids, wanted);
    assert_true(json_is_null(json_object_get(answer, "next")));
    json_decref(answer);
    free(ids);
}

/* Without the filter each of these would be all five. */
static const struct {
    const char *name, *value, *wanted;
} filters[] = {
    {"id",        "e3",                       "e3 "         },
    {"id",        "ue3",                      "e3 "         },
    {"id",        "e",                        ""            },
    {"subject",   "users/1",                  "e2 e1 "      },
    {"subject",   "records/*",                "e5 e4 e3 "   },
    {"subject",   "records/",                 "e5 e4 e3 "   },
    {"subject",   "records/2",                ""            },
    {"type",      "record.published",         "e3 "         },
    {"type",      "record.*",                 "e4 e3 "      },
    {"type",      "record.**",                "e5 e4 e3 "   },
    {"type",      "*.updated record.*.added", "e5 e2 "      },
    {"type",      "**.added",                 "e5 "         },
    {"actor",     "users/2",                  "e3 e2 "      },
    {"actor",     "users/*",                  "e5 e3 e2 e1 "},
    {"operation", "op-2",                     "e3 e2 "      },
    {"from",      "2026-11-04",               "e5 e4 "      },
    {"to",        "2026-10",                  "e1 "         },
    {"to",        "2026-11-02T09",            "e1 "         },
};

static void each_filter_finds_its_events_and_no_other(void **state)
{
    assert_found(*state, NULL, NULL, "e5 e4 e3 e2 e1 ");
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++) {
        char option[20];

        snprintf(option, sizeof option, "--%s", filters[i].name);
        assert_found(*state, option, filters[i].value, filters[i].wanted);
    }
}

static void the_page_has_the_same_filters(void **state)
{
    assert_page(*state, NULL, NULL, "", "e5 e4 e3 e2 e1 ");
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++)
        assert_page(*state, filters[i].name, filters[i].value, "", filters[i].wanted);
}

/* What the index finds by a pattern is what the pattern matches everywhere else. */
static void patterns_find_what_they_match(void **state)
{
    static const char *const patterns[] = {"**",
                                           "**.**",
                                           "*",
                                           "*.*",
                                           "*.*.*",
                                           "user.**",
                                           "**.user",
                                           "**.file.**",
                                           "record.**.added",
                                           "**.*",
                                           "record.file.added.**",
                                           "**.record.**.added.**",
                                           "*.**.*",
                                           "user-x.y_z"};

    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++) {
        struct buf wanted = BUF_INIT;

        buf_add_text(&wanted, "");
        for (size_t d = ARRAY_LENGTH(deeds); d-- > 0;)
            if (patterns_match(patterns[i], span_of(deeds[d].type)))
                buf_printf(&wanted, "%s ", deeds[d].id);
        assert_page(*state, "type", patterns[i], "", wanted.data);
        buf_release(&wanted);
    }
}

static void filters_narrow_together(void **state)
{
    struct page_argument arguments[] = {
        {"actor",     "users/2"   },
        {"operation", "op-2"      },
        {"from",      "2026-11-03"}
    };
    json_t *answer = ask(*state, arguments, 3, "", 200);
    char *ids = ids_of(json_object_get(answer, "events"));

    assert_string_equal(ids, "e3 ");
    json_decref(answer);
    free(ids);
}

/* All events, read in pages of so many; count: how many pages it took. */
static char *read_pages(struct scene *s, const char *limit, const char *events, int *pages)
{
    struct page_argument arguments[] = {
        {"limit", limit},
        {"after", ""   }
    };
    struct buf all = BUF_INIT;
    char after[100] = "";

    *pages = 0;
    do {
        json_t *answer = ask(s, arguments, *after ? 2 : 1, events, 200);
        char *ids = ids_of(json_object_get(answer, "events"));

        buf_add_text(&all, ids);
        snprintf(after, sizeof after, "%s", json_member_text(answer, "next", ""));
        arguments[1].value = after;
        json_decref(answer);
        free(ids);
        ++*pages;
    } while (*after && *pages < 1000);
    return buf_take(&all);
}

static void pages_follow_one_another_without_gap_or_repeat(void **state)
{
    int pages;
    char *all = read_pages(*state, "2", "", &pages);

    assert_string_equal(all, "e5 e4 e3 e2 e1 ");
    assert_int_equal(pages, 3);
    free(all);
}

/* Its pages are as full as anybody's: what it may not see is not even counted. */
static void a_token_narrowed_to_types_finds_only_these(void **state)
{
    int pages;
    char *all = read_pages(*state, "2", "user.*", &pages);

    assert_string_equal(all, "e2 e1 ");
    assert_int_equal(pages, 1);
    free(all);
    assert_page(*state, "type", "record.** user.updated", "user.*", "e2 ");
    assert_page(*state, "id", "e4", "user.*", "");
}

static void a_mistake_in_a_filter_is_named_and_finds_nothing(void **state)
{
    static const struct page_argument bad[] = {
        {"actr",    "users/1"  },
        {"type",    "a..b"     },
        {"type",    "user.up*" },
        {"type",    " "        },
        {"from",    "yesterday"},
        {"id",      ""         },
        {"limit",   "0"        },
        {"limit",   "1001"     },
        {"after",   "x"        },
        {"subject", "\xff"     },
    };

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        json_t *answer = ask(*state, &bad[i], 1, "", 400);
        char option[20], *out;

        assert_true(json_is_string(json_object_get(answer, "error")));
        json_decref(answer);
        if (i > 6)
            continue; /* not on the command line, or by other bounds */
        snprintf(option, sizeof option, "--%s", bad[i].name);
        assert_int_equal(history(*state, &out, option, bad[i].value, NULL), 2);
        free(out);
    }
}

static void an_event_is_shown_as_it_came(void **state)
{
    char *out;
    struct error err;
    json_t *event;

    assert_int_equal(history(*state, &out, "show", "e2", NULL), 0);
    event = json_text_parse(out, strlen(out), 64, &err);
    if (!event)
        fail_msg("%s: %s", err.text, out);
    assert_string_equal(json_member_text(event, "type", ""), "user.updated");
    assert_int_equal(json_integer_value(json_object_get(event, "revision")), 1);
    assert_int_equal(json_array_size(json_at(event, "data.a.b")), 2);
    json_decref(event);
    free(out);
    assert_int_equal(history(*state, &out, "show", "e9", NULL), 1);
    free(out);
    assert_int_equal(history(*state, &out, "show", NULL, NULL), 2);
    free(out);
}

static void no_form_shows_what_moves_a_cursor(void **state)
{
    static const char *const forms[][2] = {
        {"--csv",     NULL},
        {"--limit=5", NULL},
        {"--json",    NULL},
        {"show",      "e5"}
    };

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        char *out;

        assert_int_equal(history(*state, &out, forms[i][0], forms[i][1], NULL), 0);
        assert_non_null(strstr(out, "record.file.added"));
        for (const char *c = out; *c; c++)
            assert_true(*c == '\n' || *c == '\r' || (*c >= 0x20 && *c < 0x7f));
        free(out);
    }
}

static void data_is_kept_and_not_indexed(void **state)
{
    struct scene *s = *state;
    char path[200];
    json_t *mapping, *one;

    snprintf(path, sizeof path, "/%shistory-2026-11/_mapping", s->settings->opensearch.prefix);
    mapping = index_ask(s->settings, "GET", path, NULL);
    one = json_object_iter_value(json_object_iter(mapping));
    assert_true(json_is_false(json_at(one, "mappings.properties.data.enabled")));
    assert_null(json_at(one, "mappings.properties.data.properties"));
    assert_null(json_at(one, "mappings.properties.crierclick"));
    json_decref(mapping);
}

/* A month is an index of its own; the same events again change no document. */
static void an_event_that_comes_again_changes_nothing(void **state)
{
    struct scene *s = *state;
    char *before = index_dump(s->settings, "history-*"), *after;
    int64_t writes = index_writes(s->settings, "history-2026-11");

    assert_int_equal(index_count(s->settings, "history-2026-10"), 1);
    for (size_t i = 0; i < ARRAY_LENGTH(deeds); i++) {
        struct event e = event_of(s, i);

        scene_redis(s, "DEL crier:{q}:seen:u%s", deeds[i].id); /* as when its time is over */
        scene_append(s, &e, 1);
    }
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:stream")->integer, 2 * ARRAY_LENGTH(deeds));
    work_off(s, "past");
    after = index_dump(s->settings, "history-*");
    assert_string_equal(after, before);
    assert_int_equal(index_writes(s->settings, "history-2026-11"), writes);
    free(before);
    free(after);
}

/* Of events that share an id computed from fields, as clicks do, the latest is the state. */
static void the_latest_of_several_with_one_id_stays(void **state)
{
    static const char *const times[] = {"2026-11-20T10:00:01Z", "2026-11-20T10:00:03Z", "2026-11-20T10:00:02Z"};
    struct scene *s = *state;
    char *out;

    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        struct event e = scene_event(s, "record.viewed", arena_printf(s->arena, "v%zu", i), "records/1", 0, "{}");

        e.time = span_of(times[i]);
        e.unique = span_of("same");
        e.latest_wins = true;
        assert_true(time_parse(times[i], strlen(times[i]), false, &e.time_us));
        scene_append(s, &e, 1);
    }
    work_off(s, "past");
    index_count(s->settings, "history-*");
    assert_int_equal(history(s, &out, "--id", "same", "--csv"), 0);
    assert_string_equal(
        out, "time,type,subject,actor,operation,id\r\n2026-11-20T10:00:03Z,record.viewed,records/1,,,v1\r\n");
    free(out);
}

/* Text of so many bytes as an object. */
static char *long_data(struct scene *s, size_t length)
{
    char *filling = arena_zero(s->arena, length + 1);

    memset(filling, 'x', length);
    return arena_printf(s->arena, "{\"long\":\"%s\"}", filling);
}

static void data_that_is_too_long_is_left_out_and_said(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "big.one", "b1", "bigs/1", 3, long_data(s, 1024 * 1024));
    char *out;

    e.time = span_of("2026-11-21T10:00:00Z");
    scene_append(s, &e, 1);
    work_off(s, "past");
    index_count(s->settings, "history-*");
    assert_int_equal(history(s, &out, "show", "b1", NULL), 0);
    assert_null(strstr(out, "xxx"));
    assert_non_null(strstr(out, "\"crierleftout\": 1048587"));
    free(out);
}

/* e2 comes again meanwhile, with a time that is behind the pages: in a state that is held it is still where it was. */
static void assert_second_page(struct scene *s, bool held, const char *wanted)
{
    struct client *c = client_new(&s->settings->opensearch);
    struct event again = event_of(s, 1);
    struct buf after = BUF_INIT;
    struct history_place place;
    struct error err;
    char *point = NULL, *ids;
    json_t *events;

    assert_true(history_find(s->settings, NULL, &place, &err));
    assert_true(!held || timeline_hold(c, place.pattern.data, &point, &err));
    place.point = point;
    buf_add_text(&after, "");
    assert_true(history_page(c, &place, &(struct history_filter){.range = time_range_all}, 3, &after, &events, &err));
    json_decref(events);
    again.time = span_of("2026-11-06T10:00:00Z");
    assert_true(time_parse(again.time.text, again.time.length, false, &again.time_us));
    again.latest_wins = true;
    again.only = span_of("past");
    scene_append(s, &again, 1);
    work_off(s, "past");
    index_count(s->settings, "history-*"); /* refreshes */
    assert_true(history_page(c, &place, &(struct history_filter){.range = time_range_all}, 3, &after, &events, &err));
    ids = ids_of(events);
    assert_string_equal(ids, wanted);
    free(ids);
    json_decref(events);
    buf_release(&after);
    timeline_let_go(c, point);
    history_place_release(&place);
    client_free(c);
}

static void an_event_that_moves_meanwhile_is_on_no_page(void **state)
{
    assert_second_page(*state, false, "e1 ");
}

static void pages_that_are_held_show_what_there_was_at_first(void **state)
{
    assert_second_page(*state, true, "e2 e1 ");
}

static void assert_page_bytes(struct scene *s)
{
    struct page_argument arguments[] = {
        {"limit", "100"  },
        {"type",  "big.*"}
    };
    json_t *answer = ask(s, arguments, 2, "", 200);
    char *text = json_dumps(answer, 0);

    assert_true(strlen(text) <= TIMELINE_PAGE_BYTES);
    free(text);
    json_decref(answer);
}

/* Twelve events of a mebibyte are more than a page of the door has, for which OpenSearch's reply is cut. */
static void a_page_that_is_too_long_ends_earlier(void **state)
{
    enum { BIG = 12 };
    struct scene *s = *state;
    char *data = long_data(s, 1024 * 1024 - 100), *all;
    int pages, found = 0;

    for (int i = 0; i < BIG; i++) {
        struct event e = scene_event(s, "big.one", arena_printf(s->arena, "b%d", i), "bigs/1", 3, data);

        e.time = span_of("2026-11-21T10:00:00Z");
        scene_append(s, &e, 1);
    }
    work_off(s, "past");
    index_count(s->settings, "history-*");
    assert_page_bytes(s);
    all = read_pages(s, "100", "big.*", &pages);
    for (const char *at = all; (at = strchr(at, ' ')); at++)
        found++;
    assert_int_equal(found, BIG);
    assert_true(pages > 1);
    free(all);
}

static void the_door_gives_the_page_to_whoever_may_read_events(void **state)
{
    struct scene *s = *state;
    char *reader = serve_token(s->config_path, "events:read", "record.*"),
         *other = serve_token(s->config_path, "stats:read emit audit:read", "**");
    struct server *serve = crier_serve_start(s->config_path);
    struct buf body = BUF_INIT;

    serve_await_token(serve, reader);
    assert_int_equal(serve_get(serve, "/history", NULL, &body), 401);
    assert_null(strstr(body.data, "e4"));
    assert_int_equal(serve_get(serve, "/history", other, &body), 403);
    assert_null(strstr(body.data, "e4"));
    assert_int_equal(serve_get(serve, "/history?subject=records%2F1", reader, &body), 200);
    assert_non_null(strstr(body.data, "\"id\":\"e4\""));
    assert_int_equal(serve_get(serve, "/history", reader, &body), 200);
    assert_null(strstr(body.data, "user."));
    assert_int_equal(serve_get(serve, "/history?actr=users/1", reader, &body), 400);
    buf_release(&body);
    server_free(serve);
    free(reader);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_filter_finds_its_events_and_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_has_the_same_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(patterns_find_what_they_match, setup, teardown),
        cmocka_unit_test_setup_teardown(filters_narrow_together, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_follow_one_another_without_gap_or_repeat, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_narrowed_to_types_finds_only_these, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mistake_in_a_filter_is_named_and_finds_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_event_is_shown_as_it_came, setup, teardown),
        cmocka_unit_test_setup_teardown(no_form_shows_what_moves_a_cursor, setup, teardown),
        cmocka_unit_test_setup_teardown(data_is_kept_and_not_indexed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_event_that_comes_again_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_latest_of_several_with_one_id_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(data_that_is_too_long_is_left_out_and_said, setup, teardown),
        cmocka_unit_test_setup_teardown(an_event_that_moves_meanwhile_is_on_no_page, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_that_are_held_show_what_there_was_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_that_is_too_long_ends_earlier, setup, teardown),
        cmocka_unit_test_setup_teardown(the_door_gives_the_page_to_whoever_may_read_events, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
