/* Events of a history are found again by what was asked for and nothing else, page by page, by whoever may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "handlers/history/history_search.h"
#include "notifier/door_page.h"
#include "notifier/pattern.h"
#include "support/found_ids.h"
#include "support/history_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/serve_client.h"
#include "support/work.h"

static void assert_found(struct scene *s, const char *option, const char *value, const char *wanted)
{
    char *out, *ids;
    struct error err;
    json_t *events;

    if (history_verb(s, &out, "--json", option, value) != 0)
        fail_msg("%s %s: %s", option, value, out);
    events = json_text_parse(out, strlen(out), 64, &err);
    if (!events)
        fail_msg("%s: %s", err.text, out);
    ids = found_ids(events);
    if (strcmp(ids, wanted) != 0)
        fail_msg("%s %s finds %s instead of %s", option, value, ids, wanted);
    json_decref(events);
    free(ids);
    free(out);
}

static void assert_page(struct scene *s, const char *name, const char *value, const char *events, const char *wanted)
{
    struct page_argument argument = {name, value};
    json_t *answer = history_ask(s, &argument, name ? 1 : 0, events, 200);
    char *ids = found_ids(json_object_get(answer, "events"));

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
        for (size_t d = ARRAY_LENGTH(history_deeds); d-- > 0;)
            if (patterns_match(patterns[i], span_of(history_deeds[d].type)))
                buf_printf(&wanted, "%s ", history_deeds[d].id);
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
    json_t *answer = history_ask(*state, arguments, 3, "", 200);
    char *ids = found_ids(json_object_get(answer, "events"));

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
        json_t *answer = history_ask(s, arguments, *after ? 2 : 1, events, 200);
        char *ids = found_ids(json_object_get(answer, "events"));

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
        json_t *answer = history_ask(*state, &bad[i], 1, "", 400);
        char option[20], *out;

        assert_true(json_is_string(json_object_get(answer, "error")));
        json_decref(answer);
        if (i > 6)
            continue; /* not on the command line, or by other bounds */
        snprintf(option, sizeof option, "--%s", bad[i].name);
        assert_int_equal(history_verb(*state, &out, option, bad[i].value, NULL), 2);
        free(out);
    }
}

/* Text of so many bytes as an object. */
static char *long_data(struct scene *s, size_t length)
{
    char *filling = arena_zero(s->arena, length + 1);

    memset(filling, 'x', length);
    return arena_printf(s->arena, "{\"long\":\"%s\"}", filling);
}

/* e2 comes again meanwhile, with a time that is behind the pages: in a state that is held it is still where it was. */
static void assert_second_page(struct scene *s, bool held, const char *wanted)
{
    struct client *c = client_new(&s->settings->opensearch);
    struct event again = history_event(s, 1);
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
    ids = found_ids(events);
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
    json_t *answer = history_ask(s, arguments, 2, "", 200);
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
        cmocka_unit_test_setup_teardown(each_filter_finds_its_events_and_no_other, history_stage_open,
                                        history_stage_close),
        cmocka_unit_test_setup_teardown(the_page_has_the_same_filters, history_stage_open, history_stage_close),
        cmocka_unit_test_setup_teardown(patterns_find_what_they_match, history_stage_open, history_stage_close),
        cmocka_unit_test_setup_teardown(filters_narrow_together, history_stage_open, history_stage_close),
        cmocka_unit_test_setup_teardown(pages_follow_one_another_without_gap_or_repeat, history_stage_open,
                                        history_stage_close),
        cmocka_unit_test_setup_teardown(a_token_narrowed_to_types_finds_only_these, history_stage_open,
                                        history_stage_close),
        cmocka_unit_test_setup_teardown(a_mistake_in_a_filter_is_named_and_finds_nothing, history_stage_open,
                                        history_stage_close),
        cmocka_unit_test_setup_teardown(an_event_that_moves_meanwhile_is_on_no_page, history_stage_open,
                                        history_stage_close),
        cmocka_unit_test_setup_teardown(pages_that_are_held_show_what_there_was_at_first, history_stage_open,
                                        history_stage_close),
        cmocka_unit_test_setup_teardown(a_page_that_is_too_long_ends_earlier, history_stage_open, history_stage_close),
        cmocka_unit_test_setup_teardown(the_door_gives_the_page_to_whoever_may_read_events, history_stage_open,
                                        history_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
