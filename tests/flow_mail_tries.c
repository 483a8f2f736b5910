/* Mails that are not taken at once: tried as often as the schedule says and no more, for who still wants them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/mail/mail_schedule.h"
#include "support/clock_ahead.h"
#include "support/mail_lane.h"
#include "support/mail_stage.h"

/* It was ahead in the test before. */
static int clock_is_right(void **state)
{
    (void)state;
    clock_ahead_set(0);
    return 0;
}

static void what_is_refused_for_now_is_sent_later(void **state)
{
    struct mail_lane s = mail_lane_open("");
    const struct reply *attempts;
    json_t *all;

    (void)state;
    mail_server_behave(s.server, "450-once");
    mail_lane_emit(&s, "a", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    attempts = mail_stage_await_attempts(s.scene, 1);
    assert_string_equal(mail_stage_attempt_field(attempts, 0, "status"), "450");
    assert_string_equal(mail_stage_attempt_field(attempts, 0, "fate"), "again");
    clock_ahead_set(30 * US_PER_SECOND); /* not yet, also where the machine is busy */
    nanosleep(&(struct timespec){0, 700000000}, NULL);
    assert_int_equal(mail_stage_await_attempts(s.scene, 1)->count, 1);
    clock_ahead_set(70 * US_PER_SECOND);
    all = mail_server_await(s.server, 1);
    attempts = mail_stage_await_attempts(s.scene, 2);
    assert_string_equal(mail_stage_attempt_field(attempts, 0, "number"), "2");
    assert_int_equal(mail_lane_waiting(&s), 0);
    json_decref(all);
    mail_lane_close(&s);
}

static void who_wants_no_mail_gets_none_also_none_that_waits(void **state)
{
    const char *words[] = {"mail", "--config", NULL, "preferences", "U@example.org", "off", NULL};
    struct mail_lane s = mail_lane_open("");
    json_t *all;
    char *out;

    (void)state;
    words[2] = s.scene->config_path;
    mail_server_behave(s.server, "450");
    mail_lane_emit(&s, "a", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 1);
    mail_server_behave(s.server, "ok");
    assert_int_equal(crier_run(&out, words), 0);
    free(out);
    clock_ahead_set(70 * US_PER_SECOND);
    mail_lane_emit(&s, "b", "{\"to\":[\"u@example.org\",\"v@example.org\"],\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 4);
    all = mail_server_messages(s.server);
    assert_int_equal(json_array_size(all), 1);
    assert_non_null(strstr(mail_text_of(all, 0), "To: v@example.org\r\n"));
    assert_int_equal(mail_lane_waiting(&s), 0);
    json_decref(all);
    words[5] = "on";
    assert_int_equal(crier_run(&out, words), 0);
    free(out);
    mail_lane_emit(&s, "c", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    json_decref(mail_server_await(s.server, 2));
    words[5] = "sometimes";
    assert_int_equal(crier_run(&out, words), 2);
    free(out);
    mail_lane_close(&s);
}

static void a_mail_that_may_have_arrived_comes_again_with_the_same_id(void **state)
{
    struct mail_lane s = mail_lane_open("");
    char *first, *second;
    json_t *all;

    (void)state;
    mail_server_behave(s.server, "close");
    mail_lane_emit(&s, "a", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 1);
    mail_server_behave(s.server, "ok");
    clock_ahead_set(70 * US_PER_SECOND);
    mail_stage_await_attempts(s.scene, 2);
    all = mail_server_messages(s.server);
    assert_int_equal(json_array_size(all), 2);
    first = mail_header_of(all, 0, "Message-ID");
    second = mail_header_of(all, 1, "Message-ID");
    assert_string_equal(first, second);
    free(first);
    free(second);
    json_decref(all);
    mail_lane_close(&s);
}

static void tries_go_on_for_five_days_and_then_it_is_dead(void **state)
{
    struct mail_lane s = mail_lane_open("");
    int64_t sum_us = 0, delay_us;
    size_t count;
    int tries = 1;

    (void)state;
    for (; (delay_us = mail_delay_us(tries)) >= 0; tries++)
        sum_us += delay_us;
    assert_true(sum_us > 108 * HOUR && sum_us < 132 * HOUR);
    assert_int_equal(tries, MAIL_TRIES_MOST);
    mail_server_behave(s.server, "450");
    mail_lane_emit(&s, "a", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    for (size_t i = 1; i <= MAIL_TRIES_MOST; i++) {
        mail_stage_await_attempts(s.scene, i);
        clock_ahead_by(5 * HOUR);
    }
    while (mail_lane_waiting(&s) > 0)
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    assert_string_equal(mail_stage_attempt_field(mail_stage_await_attempts(s.scene, MAIL_TRIES_MOST), 0, "fate"),
                        "dead");
    mail_lane_dead(&s, &count);
    assert_int_equal(count, 1);
    mail_lane_close(&s);
}

static void of_a_hundred_recipients_none_is_lost_though_each_is_refused_once(void **state)
{
    struct mail_lane s = mail_lane_open("concurrency = 8\n");
    struct buf data = BUF_INIT;
    json_t *all;

    (void)state;
    mail_server_behave(s.server, "450-once");
    buf_add_text(&data, "{\"name\":\"N\",\"to\":[");
    for (int i = 0; i < 100; i++)
        buf_printf(&data, "%s\"u%d@example.org\"", i > 0 ? "," : "", i);
    buf_add_text(&data, "]}");
    mail_lane_emit(&s, "a", data.data);
    mail_stage_await_attempts(s.scene, 100);
    clock_ahead_set(70 * US_PER_SECOND);
    all = mail_server_await(s.server, 100);
    mail_stage_await_attempts(s.scene, 200);
    assert_int_equal(json_array_size(all), 100);
    for (int i = 0; i < 100; i++) {
        char to[40];
        size_t got = 0;

        snprintf(to, sizeof to, "To: u%d@example.org\r", i);
        for (size_t j = 0; j < 100; j++)
            got += strstr(mail_text_of(all, j), to) != NULL;
        assert_int_equal(got, 1);
    }
    json_decref(all);
    buf_release(&data);
    mail_lane_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_refused_for_now_is_sent_later, clock_is_right),
        cmocka_unit_test_setup(who_wants_no_mail_gets_none_also_none_that_waits, clock_is_right),
        cmocka_unit_test_setup(a_mail_that_may_have_arrived_comes_again_with_the_same_id, clock_is_right),
        cmocka_unit_test_setup(tries_go_on_for_five_days_and_then_it_is_dead, clock_is_right),
        cmocka_unit_test_setup(of_a_hundred_recipients_none_is_lost_though_each_is_refused_once, clock_is_right),
    };

    http_global_init();
    return mail_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
