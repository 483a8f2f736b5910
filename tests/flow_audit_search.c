/* The audit as people look it up: on the command line and by GET /audit. */
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
#include "handlers/audit/audit_page.h"
#include "notifier/door_page.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/serve_client.h"
#include "support/work.h"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[queue q]\nevents = user.* record.*\n"
                          "[handler trail]\ntype = audit\nqueue = q\nFORM\n";

/* The day of November 2026 is the number in the id. */
static const struct {
    const char *id, *type, *subject, *actor, *data;
    int day;
} deeds[] = {
    {"e1", "user.created",     "users/1",   "users/1",     "{}",                         1},
    {"e2", "user.updated",     "users/1",   "users/2",     "{\"outcome\":\"failure\"}",  2},
    {"e3", "record.published", "records/1", "users/2",     "{}",                         3},
    {"e4", "record.deleted",   "records/1", "operators/2", "{}",                         4},
    {"e5", "record.published", "records/2", "users/3",     "{\"x\":\"\\u202e\\u001b\"}", 5},
};

static int open_with(void **state, const char *form, const char *mapping)
{
    char *text = scene_replaced(ini, "FORM", form), path[100];
    struct scene *s = *state = scene_open(text);

    free(text);
    snprintf(path, sizeof path, "/%sauditlog", s->settings->opensearch.prefix);
    if (mapping)
        json_decref(index_ask(s->settings, "PUT", path, mapping));
    for (size_t i = 0; i < ARRAY_LENGTH(deeds); i++) {
        struct event e = scene_event(s, deeds[i].type, deeds[i].id, deeds[i].subject, (int64_t)i, deeds[i].data);
        char *time = arena_printf(s->arena, "2026-11-%02dT10:00:00Z", deeds[i].day);

        e.actor = span_of(deeds[i].actor);
        e.time = span_of(time);
        assert_true(time_parse(time, strlen(time), false, &e.time_us));
        scene_append(s, &e, 1);
    }
    work_off(s, "trail");
    assert_int_equal(index_count(s->settings, "audit*"), ARRAY_LENGTH(deeds));
    return 0;
}

static int setup(void **state)
{
    return open_with(state, "", NULL);
}

static int setup_platform(void **state)
{
    return open_with(
        state, "form = invenio\nindex = auditlog",
        "{\"mappings\":{\"dynamic_templates\":[{\"s\":{\"match_mapping_type\":\"string\",\"mapping\":{\"type\":"
        "\"keyword\"}}}],\"properties\":{\"@timestamp\":{\"type\":\"date\"},\"metadata\":{\"type\":"
        "\"flat_object\"}}}}");
}

static int teardown(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "audit*");
    scene_close(s);
    return 0;
}

/* The ids of entries, "e5 e4 ", as JSON has them. Yours to free. */
static char *ids_of(const json_t *entries)
{
    struct buf ids = BUF_INIT;

    for (size_t i = 0; i < json_array_size(entries); i++)
        buf_printf(&ids, "%s ", json_member_text(json_array_get(entries, i), "id", "?"));
    return buf_take(&ids);
}

static int search(struct scene *s, const char *const more[3], char **out)
{
    const char *arguments[] = {"audit", "search", "--config", s->config_path, "--json", more[0],
                               more[1], more[2],  NULL};

    return crier_run(out, arguments);
}

static void assert_search(struct scene *s, const char *option, const char *value, const char *wanted)
{
    char *out, *ids;
    struct error err;
    json_t *entries;

    assert_int_equal(search(s, (const char *const[]){option, value, NULL}, &out), 0);
    entries = json_text_parse(out, strlen(out), 64, &err);
    if (!entries)
        fail_msg("%s: %s", err.text, out);
    ids = ids_of(entries);
    assert_string_equal(ids, wanted);
    json_decref(entries);
    free(ids);
    free(out);
}

/* The answer of the page; yours. */
static json_t *ask(struct scene *s, const struct page_argument *arguments, size_t count, const char *events,
                   unsigned wanted)
{
    struct audit_page *page = audit_page_new(s->settings);
    struct caller caller = {.scopes = SCOPE_AUDIT_READ};
    struct page_request request = {
        .method = "GET", .rest = "", .arguments = arguments, .argument_count = count, .bytes = "", .caller = &caller};
    struct buf body = BUF_INIT;
    struct error err;
    json_t *answer;

    assert_non_null(page);
    snprintf(caller.events, sizeof caller.events, "%s", events);
    assert_int_equal(audit_page_answer(page, &request, &body), wanted);
    answer = json_text_parse(body.data, body.length, 64, &err);
    assert_non_null(answer);
    buf_release(&body);
    audit_page_free(page);
    return answer;
}

static void assert_page(struct scene *s, const char *name, const char *value, const char *wanted)
{
    struct page_argument argument = {name, value};
    json_t *answer = ask(s, &argument, name ? 1 : 0, "", 200);
    char *ids = ids_of(json_object_get(answer, "entries"));

    assert_string_equal(ids, wanted);
    assert_true(json_is_null(json_object_get(answer, "next")));
    json_decref(answer);
    free(ids);
}

/* Without the filter each of these would be all five. */
static const struct {
    const char *name, *value, *wanted;
} filters[] = {
    {"actor",    "users/2",           "e3 e2 "      },
    {"actor",    "users/*",           "e5 e3 e2 e1 "},
    {"actor",    "2",                 "e4 e3 e2 "   },
    {"action",   "record.published",  "e5 e3 "      },
    {"action",   "user.*",            "e2 e1 "      },
    {"action",   "record.?ublished*", ""            },
    {"resource", "records/1",         "e4 e3 "      },
    {"resource", "records/*",         "e5 e4 e3 "   },
    {"resource", "1",                 "e4 e3 e2 e1 "},
    {"outcome",  "failure",           "e2 "         },
    {"outcome",  "success",           "e5 e4 e3 e1 "},
    {"from",     "2026-11-04",        "e5 e4 "      },
    {"to",       "2026-11-02",        "e2 e1 "      },
    {"to",       "2026-11-02T09",     "e1 "         },
};

static void each_filter_finds_its_entries_and_no_other(void **state)
{
    assert_search(*state, NULL, NULL, "e5 e4 e3 e2 e1 ");
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++) {
        char option[20];

        snprintf(option, sizeof option, "--%s", filters[i].name);
        assert_search(*state, option, filters[i].value, filters[i].wanted);
    }
}

static void the_page_has_the_same_filters(void **state)
{
    assert_page(*state, NULL, NULL, "e5 e4 e3 e2 e1 ");
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++)
        assert_page(*state, filters[i].name, filters[i].value, filters[i].wanted);
}

static void filters_narrow_together(void **state)
{
    struct page_argument arguments[] = {
        {"actor",    "users/2"   },
        {"resource", "records/1" },
        {"from",     "2026-11-03"}
    };
    json_t *answer = ask(*state, arguments, 3, "", 200);
    char *ids = ids_of(json_object_get(answer, "entries"));

    assert_string_equal(ids, "e3 ");
    json_decref(answer);
    free(ids);
}

static void pages_follow_one_another_without_gap_or_repeat(void **state)
{
    struct page_argument arguments[] = {
        {"limit", "2"},
        {"after", "" }
    };
    struct buf all = BUF_INIT;
    char after[100] = "";
    int pages = 0;

    do {
        json_t *answer = ask(*state, arguments, *after ? 2 : 1, "", 200);
        char *ids = ids_of(json_object_get(answer, "entries"));

        buf_add_text(&all, ids);
        snprintf(after, sizeof after, "%s", json_member_text(answer, "next", ""));
        arguments[1].value = after;
        json_decref(answer);
        free(ids);
        pages++;
    } while (*after && pages < 10);
    assert_string_equal(all.data, "e5 e4 e3 e2 e1 ");
    assert_int_equal(pages, 3);
    buf_release(&all);
}

static void what_a_token_may_not_see_is_left_out(void **state)
{
    json_t *answer = ask(*state, NULL, 0, "user.*", 200);
    char *ids = ids_of(json_object_get(answer, "entries"));

    assert_string_equal(ids, "e2 e1 ");
    json_decref(answer);
    free(ids);
}

static void a_mistake_in_a_filter_is_named_and_finds_nothing(void **state)
{
    static const struct page_argument bad[] = {
        {"actr",   "users/1"  },
        {"limit",  "0"        },
        {"limit",  "1001"     },
        {"from",   "yesterday"},
        {"after",  "x"        },
        {"actor",  ""         },
        {"action", "\xff"     },
    };

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        json_t *answer = ask(*state, &bad[i], 1, "", 400);

        assert_true(json_is_string(json_object_get(answer, "error")));
        json_decref(answer);
    }
    for (size_t i = 0; i < 4; i++) {
        char option[20], *out;

        snprintf(option, sizeof option, "--%s", bad[i].name);
        if (strcmp(bad[i].name, "limit") == 0 && strcmp(bad[i].value, "1001") == 0)
            continue; /* not on the command line */
        assert_int_equal(search(*state, (const char *const[]){option, bad[i].value, NULL}, &out), 2);
        free(out);
    }
}

static void the_table_and_csv_show_nothing_that_moves_a_cursor(void **state)
{
    struct scene *s = *state;
    const char *const forms[] = {"--csv", "--limit=5", "--json"};

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        const char *arguments[] = {"audit", "search", "--config", s->config_path, forms[i], NULL};
        char *out;

        assert_int_equal(crier_run(&out, arguments), 0);
        assert_non_null(strstr(out, "record.deleted"));
        for (const char *c = out; *c; c++)
            assert_true(*c == '\n' || *c == '\r' || (*c >= 0x20 && *c < 0x7f));
        free(out);
    }
}

/* Of an actor its form keeps the id alone. */
static void the_platforms_form_is_searched_alike(void **state)
{
    assert_search(*state, NULL, NULL, "e5 e4 e3 e2 e1 ");
    assert_search(*state, "--actor", "users/2", "e4 e3 e2 ");
    assert_search(*state, "--action", "record.*", "e5 e4 e3 ");
    assert_search(*state, "--resource", "records/1", "e4 e3 ");
    assert_search(*state, "--outcome", "failure", "e2 ");
    assert_search(*state, "--from", "2026-11-05", "e5 ");
}

static int setup_tokens(void **state)
{
    return open_with(state, "[http]\nlisten = 127.0.0.1:0\naccess = tokens", NULL);
}

static void the_door_gives_the_page_to_whoever_may_read_the_audit(void **state)
{
    struct scene *s = *state;
    char *reader = serve_token(s->config_path, "audit:read", NULL),
         *other = serve_token(s->config_path, "stats:read emit events:read metrics:read", NULL);
    struct server *serve = crier_serve_start(s->config_path);
    struct buf body = BUF_INIT;

    serve_await_token(serve, reader);
    assert_int_equal(serve_get(serve, "/audit", NULL, &body), 401);
    assert_null(strstr(body.data, "e4"));
    assert_int_equal(serve_get(serve, "/audit", other, &body), 403);
    assert_null(strstr(body.data, "e4"));
    assert_int_equal(serve_get(serve, "/audit?action=record.*&resource=records%2F1", reader, &body), 200);
    assert_non_null(strstr(body.data, "\"id\":\"e4\""));
    assert_null(strstr(body.data, "\"id\":\"e5\""));
    assert_int_equal(serve_get(serve, "/audit?actr=users/1", reader, &body), 400);
    buf_release(&body);
    server_free(serve);
    free(reader);
    free(other);
}

/* The newest entry of a reading, as JSON; yours. A service that begins says other things meanwhile. */
static json_t *newest_reading(struct scene *s)
{
    struct page_argument arguments[] = {
        {"limit",  "1"                   },
        {"action", "crier.audit.searched"}
    };
    json_t *answer, *entry;

    work_off(s, "trail");
    index_count(s->settings, "audit*"); /* refreshes */
    answer = ask(s, arguments, ARRAY_LENGTH(arguments), "", 200);
    entry = json_incref(json_array_get(json_object_get(answer, "entries"), 0));
    json_decref(answer);
    return entry;
}

static void assert_text_at(const json_t *entry, const char *path, const char *wanted)
{
    const json_t *value = json_at(entry, path);

    if (!json_is_string(value))
        fail_msg("no text at %s", path);
    assert_string_equal(json_string_value(value), wanted);
}

static void whoever_reads_the_audit_is_an_entry_of_it(void **state)
{
    struct scene *s = *state;
    char *reader = serve_token(s->config_path, "audit:read", NULL), *out;
    struct server *serve;
    struct buf body = BUF_INIT;
    json_t *entry;

    assert_int_equal(search(s, (const char *const[]){"--outcome", "failure", NULL}, &out), 0);
    free(out);
    entry = newest_reading(s);
    assert_text_at(entry, "action", "crier.audit.searched");
    assert_text_at(entry, "outcome", "success");
    assert_text_at(entry, "actor.kind", "operators");
    assert_text_at(entry, "resource.id", "trail");
    assert_text_at(entry, "data.filters.outcome", "failure");
    assert_null(json_at(entry, "data.filters.from"));
    assert_true(text_starts(json_string_value(json_at(entry, "event.source")), "crier:"));
    json_decref(entry);
    serve = crier_serve_start(s->config_path);
    serve_await_token(serve, reader);
    assert_int_equal(serve_get(serve, "/audit?action=record.*&from=2026-11-03", reader, &body), 200);
    server_stop(serve);
    entry = newest_reading(s);
    server_free(serve);
    assert_text_at(entry, "action", "crier.audit.searched");
    assert_text_at(entry, "actor.kind", "tokens");
    assert_text_at(entry, "data.filters.action", "record.*");
    assert_text_at(entry, "data.filters.from", "2026-11-03T00:00:00Z");
    json_decref(entry);
    buf_release(&body);
    free(reader);
}

static void a_reading_that_cannot_be_recorded_shows_nothing(void **state)
{
    struct scene *s = *state;
    char *out;

    server_stop(s->redis_server);
    assert_int_equal(search(s, (const char *const[3]){NULL}, &out), 69);
    assert_null(strstr(out, "record.published"));
    assert_non_null(strstr(out, "could not be recorded for the audit"));
    free(out);
    json_decref(ask(s, NULL, 0, "", 503));
    server_restart(s->redis_server);
    redis_drop(s->redis);
    json_decref(ask(s, NULL, 0, "", 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_filter_finds_its_entries_and_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_has_the_same_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(filters_narrow_together, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_follow_one_another_without_gap_or_repeat, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_token_may_not_see_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mistake_in_a_filter_is_named_and_finds_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_table_and_csv_show_nothing_that_moves_a_cursor, setup, teardown),
        cmocka_unit_test_setup_teardown(the_platforms_form_is_searched_alike, setup_platform, teardown),
        cmocka_unit_test_setup_teardown(whoever_reads_the_audit_is_an_entry_of_it, setup_tokens, teardown),
        cmocka_unit_test_setup_teardown(a_reading_that_cannot_be_recorded_shows_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_door_gives_the_page_to_whoever_may_read_the_audit, setup_tokens, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
