/* Who must read what they just wrote waits for it, and a search right after sees it. */
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
#include "support/change_stage.h"
#include "support/search_index.h"
#include "support/serve_client.h"
#include "support/waiting.h"

/* ROUNDS=200 in the environment for a measurement. */
enum {
    ROUNDS = 12,
    ROUNDS_MOST = 2000,
    DEPENDENTS = 100,
    HANGS_MS = 30000
}; /* as long as a request to OpenSearch may take */

/* The handler's own time comes once, and then not before the test is long over. */
static int setup(void **state)
{
    struct change_stage *st =
        change_stage_open("[event users.updated]\nprofile = invenio-users\n[handler users-members]\n"
                          "source = payload\nschedule = every 10m\n");

    members_put(st, DEPENDENTS, 1);
    change_serve(st);
    *state = st;
    return 0;
}

/* A handler that refreshes nothing by itself. */
static int setup_trail(void **state)
{
    char ini[500];
    struct change_stage *st;

    snprintf(ini, sizeof ini,
             "[audit]\nfile = %s/wait.ndjson\n[queue changes]\nevents = user.*\n"
             "[handler trail]\ntype = audit\nqueue = changes\nindex = trail\n",
             test_folder());
    st = change_stage_open(ini);
    change_serve(st);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    change_stage_close(*state);
    return 0;
}

static json_t *post(struct change_stage *st, int revision, const char *query, long *status)
{
    return wait_tell(st, NULL, "0", revision, query, status);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void a_search_right_after_the_wait_sees_the_change_and_no_schedule_is_waited_for(void **state)
{
    static int64_t took_ms[ROUNDS_MOST];
    struct change_stage *st = *state;
    const char *wanted = getenv("ROUNDS");
    int rounds = wanted && atoi(wanted) > 0 && atoi(wanted) <= ROUNDS_MOST ? atoi(wanted) : ROUNDS;

    for (int i = 0; i < rounds; i++) {
        int64_t began_ms = clock_monotonic_ms();
        long status;
        json_t *answer = post(st, 2 + i, "wait=20s", &status);

        took_ms[i] = clock_monotonic_ms() - began_ms;
        if (status != 200)
            fail_msg("round %d: %ld after %lld ms", i, status, (long long)took_ms[i]);
        assert_string_equal(json_member_text(answer, "state", "none"), "done");
        assert_true(json_is_true(json_object_get(answer, "searchable")));
        assert_int_equal(json_array_size(json_object_get(answer, "events")), 1);
        assert_int_equal(wait_found(st, 2 + i), DEPENDENTS);
        json_decref(answer);
    }
    qsort(took_ms, (size_t)rounds, sizeof *took_ms, by_size);
    print_message("%d waits: median %lld ms, p99 %lld ms, most %lld ms\n", rounds, (long long)took_ms[rounds / 2],
                  (long long)took_ms[rounds * 99 / 100], (long long)took_ms[rounds - 1]);
}

static void a_wait_ends_in_time_where_a_handler_does_not(void **state)
{
    static const struct fault away = {.path_with = "members", .link = FAULT_HANG};
    struct change_stage *st = *state;
    int64_t began_ms = clock_monotonic_ms();
    long status;
    json_t *answer;

    fault_proxy_set(st->proxy, &away);
    answer = post(st, 2, "wait=700ms", &status);
    assert_int_equal(status, 202);
    assert_true(clock_monotonic_ms() - began_ms >= 700);
    assert_true(clock_monotonic_ms() - began_ms < HANGS_MS);
    assert_string_equal(json_member_text(answer, "state", "none"), "waiting");
    assert_true(json_is_false(json_object_get(answer, "searchable")));
    fault_proxy_set(st->proxy, NULL);
    json_decref(answer);
}

static void a_wait_ends_in_time_where_a_refresh_does_not(void **state)
{
    static const struct fault slow = {.path_with = "_refresh", .link = FAULT_HANG};
    static const char *const events[] = {
        "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"user.updated\"}",
        "{\"specversion\":\"1.0\",\"id\":\"b\",\"source\":\"/s\",\"type\":\"user.updated\"}",
        "{\"specversion\":\"1.0\",\"id\":\"c\",\"source\":\"/s\",\"type\":\"user.updated\"}",
    };
    struct change_stage *st = *state;
    long status;

    json_decref(wait_send(st, NULL, events[0], "wait=20s", &status)); /* its index is there from now on */
    assert_int_equal(status, 200);
    fault_proxy_set(st->proxy, &slow);
    for (int i = 1; i < 3; i++) { /* the second one is behind the refresh of the first */
        int64_t began_ms = clock_monotonic_ms();
        json_t *answer = wait_send(st, NULL, events[i], "wait=5s", &status);

        assert_int_equal(status, 202);
        assert_true(clock_monotonic_ms() - began_ms < HANGS_MS);
        assert_string_equal(json_member_text(answer, "state", "none"), "done");
        assert_true(json_is_false(json_object_get(answer, "searchable")));
        json_decref(answer);
    }
    fault_proxy_set(st->proxy, NULL);
}

/* What it printed goes to *out, which is yours. */
static int emit(struct change_stage *st, const char *id, const char *wait, char **out)
{
    const char *words[] = {
        "emit", "--config", st->scene->config_path, "--json", "--type", "user.updated", "--id", id, "--wait",
        wait,   NULL};

    return crier_run(out, words);
}

/* How many entries of that event a search finds in the trail now: nobody refreshes for it. */
static int64_t entries_found(struct change_stage *st, const char *id)
{
    char path[200];
    json_t *answer;
    int64_t count;

    snprintf(path, sizeof path, "/%strail/_count?q=event.id:%s", st->platform.opensearch.prefix, id);
    answer = index_ask(&st->platform, "GET", path, NULL);
    count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    return count;
}

/* From now on what is written there is only seen where somebody asks for it. */
static void refresh_by_itself_no_more(struct change_stage *st)
{
    char path[200];

    snprintf(path, sizeof path, "/%strail/_settings", st->platform.opensearch.prefix);
    json_decref(index_ask(&st->platform, "PUT", path, "{\"index\":{\"refresh_interval\":\"-1\"}}"));
}

static void a_search_right_after_emit_that_waited_sees_what_was_sent(void **state)
{
    static const char *const ids[] = {"first", "second", "third"};
    struct change_stage *st = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        char *out;

        assert_int_equal(emit(st, ids[i], "60s", &out), 0);
        assert_non_null(strstr(out, "\"state\":\"done\",\"searchable\":true"));
        free(out);
        assert_int_equal(entries_found(st, ids[i]), 1);
        refresh_by_itself_no_more(st);
    }
}

static void emit_says_in_time_where_a_search_may_not_see_it(void **state)
{
    static const struct fault slow = {.path_with = "_refresh", .link = FAULT_HANG};
    struct change_stage *st = *state;
    int64_t began_ms = clock_monotonic_ms();
    char *out;

    fault_proxy_set(st->proxy, &slow);
    assert_int_equal(emit(st, "a", "5s", &out), 1);
    assert_true(clock_monotonic_ms() - began_ms < HANGS_MS);
    assert_non_null(strstr(out, "\"state\":\"done\",\"searchable\":false"));
    assert_non_null(strstr(out, "a search may not see it yet"));
    fault_proxy_set(st->proxy, NULL);
    free(out);
}

/* By the time it is known to the service. */
static char *token_to_send(struct change_stage *st)
{
    return serve_token_known(st->serve, st->scene->config_path, "emit", NULL);
}

static void who_may_only_send_hears_how_far_it_is_and_no_more(void **state)
{
    struct change_stage *st = *state;
    char *token = token_to_send(st);
    long status;
    json_t *answer = post(st, 2, "wait=20s&operation=op-1", &status);

    assert_int_equal(status, 200);
    assert_int_equal(json_array_size(json_object_get(answer, "handlers")), 1);
    json_decref(answer);
    answer = wait_tell(st, token, "0", 3, "wait=20s&operation=op-1", &status);
    assert_int_equal(status, 200);
    assert_string_equal(json_member_text(answer, "state", "none"), "done");
    assert_true(json_is_true(json_object_get(answer, "searchable")));
    assert_int_equal(json_array_size(json_object_get(answer, "events")), 1);
    assert_null(json_object_get(answer, "handlers"));
    json_decref(answer);
    free(token);
}

static void an_event_seen_before_or_a_wait_too_long_is_not_waited_for(void **state)
{
    struct change_stage *st = *state;
    long status;

    json_decref(post(st, 2, "wait=20s", &status));
    assert_int_equal(status, 200);
    json_decref(post(st, 2, "wait=20s", &status)); /* under another operation nobody knows what became of it */
    assert_int_equal(status, 202);
    json_decref(post(st, 2, "wait=2h", &status));
    assert_int_equal(status, 400);
    json_decref(post(st, 3, "wait=20s&operation=op-1", &status));
    assert_int_equal(status, 200);
    json_decref(post(st, 3, "wait=20s&operation=op-1", &status)); /* the same once more tells the same */
    assert_int_equal(status, 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_search_right_after_the_wait_sees_the_change_and_no_schedule_is_waited_for),
        TEST(a_wait_ends_in_time_where_a_handler_does_not),
        cmocka_unit_test_setup_teardown(a_wait_ends_in_time_where_a_refresh_does_not, setup_trail, teardown),
        cmocka_unit_test_setup_teardown(a_search_right_after_emit_that_waited_sees_what_was_sent, setup_trail,
                                        teardown),
        cmocka_unit_test_setup_teardown(emit_says_in_time_where_a_search_may_not_see_it, setup_trail, teardown),
        TEST(who_may_only_send_hears_how_far_it_is_and_no_more),
        TEST(an_event_seen_before_or_a_wait_too_long_is_not_waited_for),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
