/* The audit as people look it up, on the command line and by GET /audit: what they ask for, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/json.h"
#include "notifier/door_page.h"
#include "support/audit_search_stage.h"
#include "support/found_ids.h"
#include "support/scene.h"

static void assert_search(struct scene *s, const char *option, const char *value, const char *wanted)
{
    char *out, *ids;
    struct error err;
    json_t *entries;

    assert_int_equal(audit_search_stage_verb(s, (const char *const[]){option, value, NULL}, &out), 0);
    entries = json_text_parse(out, strlen(out), 64, &err);
    if (!entries)
        fail_msg("%s: %s", err.text, out);
    ids = found_ids(entries);
    assert_string_equal(ids, wanted);
    json_decref(entries);
    free(ids);
    free(out);
}

static void assert_page(struct scene *s, const char *name, const char *value, const char *wanted)
{
    struct page_argument argument = {name, value};
    json_t *answer = audit_search_stage_page(s, &argument, name ? 1 : 0, "", 200);
    char *ids = found_ids(json_object_get(answer, "entries"));

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
    json_t *answer = audit_search_stage_page(*state, arguments, 3, "", 200);
    char *ids = found_ids(json_object_get(answer, "entries"));

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
        json_t *answer = audit_search_stage_page(*state, arguments, *after ? 2 : 1, "", 200);
        char *ids = found_ids(json_object_get(answer, "entries"));

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
        json_t *answer = audit_search_stage_page(*state, &bad[i], 1, "", 400);

        assert_true(json_is_string(json_object_get(answer, "error")));
        json_decref(answer);
    }
    for (size_t i = 0; i < 4; i++) {
        char option[20], *out;

        snprintf(option, sizeof option, "--%s", bad[i].name);
        if (strcmp(bad[i].name, "limit") == 0 && strcmp(bad[i].value, "1001") == 0)
            continue; /* not on the command line */
        assert_int_equal(audit_search_stage_verb(*state, (const char *const[]){option, bad[i].value, NULL}, &out), 2);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_filter_finds_its_entries_and_no_other, audit_search_stage_open,
                                        audit_search_stage_close),
        cmocka_unit_test_setup_teardown(the_page_has_the_same_filters, audit_search_stage_open,
                                        audit_search_stage_close),
        cmocka_unit_test_setup_teardown(filters_narrow_together, audit_search_stage_open, audit_search_stage_close),
        cmocka_unit_test_setup_teardown(pages_follow_one_another_without_gap_or_repeat, audit_search_stage_open,
                                        audit_search_stage_close),
        cmocka_unit_test_setup_teardown(a_mistake_in_a_filter_is_named_and_finds_nothing, audit_search_stage_open,
                                        audit_search_stage_close),
        cmocka_unit_test_setup_teardown(the_table_and_csv_show_nothing_that_moves_a_cursor, audit_search_stage_open,
                                        audit_search_stage_close),
        cmocka_unit_test_setup_teardown(the_platforms_form_is_searched_alike, audit_search_stage_open_platform,
                                        audit_search_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
