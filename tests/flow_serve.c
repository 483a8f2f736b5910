/* The service as an operator meets it: its start, its pages, its end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/serve_client.h"
#include "support/work.h"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\n"
                          "[queue q]\nevents = user.*\n"
                          "[handler copies]\ntype = statistics\nqueue = q\nschedule = every 100ms\nindex = copies\n"
                          "[handler trail]\ntype = audit\nqueue = q\nschedule = every 100ms\n";

static int setup(void **state)
{
    *state = scene_open(ini);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "copies");
    index_delete(s->settings, "audit-*");
    scene_close(s);
    return 0;
}

/* Until the page has the status, or the test fails. Its body in text where that is not NULL. */
static void wait_for_page(struct server *serve, const char *path, long wanted, struct buf *text)
{
    struct buf body = BUF_INIT;
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (serve_get(serve, path, NULL, text ? text : &body) != wanted) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s is not %ld: %s", path, wanted, text ? text->data : body.data);
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    buf_release(&body);
}

static void wait_for_count(struct scene *s, const char *index, int64_t wanted)
{
    int64_t until_ms = clock_monotonic_ms() + 60000, count = 0;

    while ((count = index_count(s->settings, index)) != wanted) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld documents instead of %lld", (long long)count, (long long)wanted);
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
}

static void an_idle_service_ends_within_a_second(void **state)
{
    struct scene *s = *state;
    struct server *serve = crier_serve_start(s->config_path);
    int64_t start_ms;

    wait_for_page(serve, "/health/ready", 200, NULL);
    start_ms = clock_monotonic_ms();
    server_stop(serve);
    print_message("ended after %lld ms\n", (long long)(clock_monotonic_ms() - start_ms));
    assert_in_range(clock_monotonic_ms() - start_ms, 0, 20000); /* a second, and what sanitizers and neighbours take */
    server_free(serve);
}

static void readiness_names_the_peer_that_is_away_and_heals_by_itself(void **state)
{
    struct scene *s = *state;
    struct server *serve = crier_serve_start(s->config_path);
    struct event e = scene_event(s, "user.updated", "a", "users/1", 1, "{}");
    struct buf text = BUF_INIT;

    wait_for_page(serve, "/health/ready", 200, &text);
    assert_non_null(strstr(text.data, "\"ready\""));
    server_kill(s->redis_server);
    wait_for_page(serve, "/health/ready", 503, &text);
    assert_non_null(strstr(text.data, "\"peer\":\"redis\""));
    assert_int_equal(serve_get(serve, "/health/live", NULL, &text), 200);
    server_restart(s->redis_server);
    wait_for_page(serve, "/health/ready", 200, &text);
    scene_append(s, &e, 1);
    wait_for_count(s, "copies", 1);
    server_stop(serve);
    server_free(serve);
    buf_release(&text);
}

static void the_numbers_tell_what_was_done(void **state)
{
    struct scene *s = *state;
    struct server *serve = crier_serve_start(s->config_path);
    struct event events[] = {
        scene_event(s, "user.updated", "a", "users/1", 1, "{}"),
        scene_event(s, "user.updated", "b", "users/1", 2, "{}"),
    };
    struct buf text = BUF_INIT;

    scene_append(s, events, 2);
    wait_for_count(s, "copies", 2);
    wait_for_page(serve, "/metrics", 200, &text);
    for (int64_t until_ms = clock_monotonic_ms() + 60000;
         !strstr(text.data, "crier_handler_events_total{handler=\"copies\",outcome=\"done\"} 2\n");) {
        assert_true(clock_monotonic_ms() < until_ms);
        serve_get(serve, "/metrics", NULL, &text);
    }
    assert_non_null(strstr(text.data, "# TYPE crier_handler_events_total counter\n"));
    server_stop(serve);
    server_free(serve);
    buf_release(&text);
}

static int run_serve(const struct scene *s, char **out)
{
    return crier_run(out, (const char *const[]){"serve", "--config", s->config_path, NULL});
}

static void a_redis_that_may_forget_is_refused_with_what_to_change(void **state)
{
    struct scene *s = *state;
    char *out;

    scene_redis(s, "CONFIG SET appendonly no");
    assert_int_equal(run_serve(s, &out), 78);
    assert_non_null(strstr(out, "appendonly yes"));
    free(out);
    scene_redis(s, "CONFIG SET appendonly yes");
    scene_redis(s, "CONFIG SET maxmemory-policy allkeys-lru");
    assert_int_equal(run_serve(s, &out), 78);
    assert_non_null(strstr(out, "noeviction"));
    free(out);
}

static void unsafe_takes_a_forgetful_redis_and_readiness_says_degraded(void **state)
{
    struct scene *s = *state;
    struct server *serve;
    struct buf command = BUF_INIT;
    struct buf text = BUF_INIT;

    scene_redis(s, "CONFIG SET appendonly no");
    buf_printf(&command, "sed -i 's/^\\[redis\\]$/[redis]\\nunsafe = yes/' %s", s->config_path);
    assert_int_equal(system(command.data), 0);
    buf_release(&command);
    serve = crier_serve_start(s->config_path);
    wait_for_page(serve, "/health/ready", 200, &text);
    assert_non_null(strstr(text.data, "degraded"));
    assert_non_null(strstr(text.data, "append-only"));
    server_stop(serve);
    server_free(serve);
    buf_release(&text);
}

static void what_an_operator_does_is_in_the_audit(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "user.updated", "a", "users/1", 1, "{}");
    char *out, *entries;

    scene_append(s, &e, 1);
    assert_int_equal(crier_run(&out, (const char *const[]){"run", "copies", "--config", s->config_path, NULL}), 0);
    assert_non_null(strstr(out, "1 events"));
    free(out);
    work_off(s, "trail");
    entries = index_dump(s->settings, "audit-*");
    assert_non_null(strstr(entries, "\"action\":\"crier.handler.run\""));
    assert_non_null(strstr(entries, "\"actor\":{\"kind\":\"operators\",\"id\":\""));
    assert_non_null(strstr(entries, "\"resource\":{\"kind\":\"handlers\",\"id\":\"copies\"}"));
    free(entries);
}

static void a_dead_letter_is_listed_shown_tried_again_and_dropped_from_the_command_line(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "user.updated", "a", "users/1", 1, "{\"timestamp\":\"no time\"}");
    struct error err;
    json_t *letters;
    char *out, id[64];

    scene_append(s, &e, 1);
    work_off(s, "copies");
    assert_int_equal(crier_run(&out, (const char *const[]){"dead", "list", "--json", "--config", s->config_path, NULL}),
                     0);
    letters = json_text_parse(out, strlen(out), JSON_DEPTH_DEFAULT, &err);
    assert_int_equal(json_array_size(letters), 1);
    snprintf(id, sizeof id, "%s", json_member_text(json_array_get(letters, 0), "id", ""));
    json_decref(letters);
    free(out);
    assert_int_equal(crier_run(&out, (const char *const[]){"dead", "show", id, "--config", s->config_path, NULL}), 0);
    assert_non_null(strstr(out, "no time"));
    assert_non_null(strstr(out, "timestamp"));
    free(out);
    assert_int_equal(crier_run(&out, (const char *const[]){"dead", "retry", id, "--config", s->config_path, NULL}), 0);
    assert_non_null(strstr(out, "retry: 1"));
    free(out);
    work_off(s, "copies"); /* dead again */
    assert_int_equal(
        crier_run(&out, (const char *const[]){"dead", "drop", "--all", "--dry-run", "--config", s->config_path, NULL}),
        0);
    assert_non_null(strstr(out, "drop (dry run): 1"));
    free(out);
    assert_int_equal(crier_run(&out, (const char *const[]){"dead", "drop", "--all", "--config", s->config_path, NULL}),
                     0);
    free(out);
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:dead")->integer, 0);
    assert_int_equal(crier_run(&out, (const char *const[]){"dead", "show", id, "--config", s->config_path, NULL}), 1);
    free(out);
}

static size_t count_text(const char *text, const char *wanted)
{
    size_t count = 0;

    for (; (text = strstr(text, wanted)); text += strlen(wanted))
        count++;
    return count;
}

/* Until the audit has that many entries of the action. */
static void wait_for_action(struct scene *s, const char *action, size_t wanted)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    char member[100];
    size_t count;

    snprintf(member, sizeof member, "\"action\":\"%s\"", action);
    do {
        char *entries = index_dump(s->settings, "audit-*");

        count = count_text(entries, member);
        free(entries);
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%zu entries say %s", count, action);
    } while (count < wanted);
    assert_int_equal(count, wanted);
}

static void serve_until_it_leads(struct scene *s, size_t times)
{
    struct server *serve = crier_serve_start(s->config_path);

    wait_for_action(s, "crier.lease.taken", times);
    server_stop(serve);
    server_free(serve);
    work_off(s, "trail");
}

static void another_configuration_and_a_new_leader_are_in_the_audit(void **state)
{
    struct scene *s = *state;
    char *entries;
    FILE *file;

    serve_until_it_leads(s, 1);
    wait_for_action(s, "crier.configuration.loaded", 1);
    serve_until_it_leads(s, 2);
    wait_for_action(s, "crier.configuration.loaded", 1); /* it is the same */
    file = fopen(s->config_path, "ae");
    assert_non_null(file);
    fputs("[service]\nlog = warning\n", file);
    fclose(file);
    serve_until_it_leads(s, 3);
    wait_for_action(s, "crier.configuration.loaded", 2);
    entries = index_dump(s->settings, "audit-*");
    assert_non_null(strstr(entries, "\"previous\":null"));
    assert_int_equal(count_text(entries, "\"previous\":\""), 1);
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_idle_service_ends_within_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(readiness_names_the_peer_that_is_away_and_heals_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(the_numbers_tell_what_was_done, setup, teardown),
        cmocka_unit_test_setup_teardown(a_redis_that_may_forget_is_refused_with_what_to_change, setup, teardown),
        cmocka_unit_test_setup_teardown(unsafe_takes_a_forgetful_redis_and_readiness_says_degraded, setup, teardown),
        cmocka_unit_test_setup_teardown(what_an_operator_does_is_in_the_audit, setup, teardown),
        cmocka_unit_test_setup_teardown(another_configuration_and_a_new_leader_are_in_the_audit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_letter_is_listed_shown_tried_again_and_dropped_from_the_command_line,
                                        setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
