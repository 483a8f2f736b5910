/* Events to mails: to each recipient once, in their language, as often as the schedule says and no more. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "handlers/delivery/delivery_store.h"
#include "handlers/mail/mail_schedule.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/clock_ahead.h"
#include "support/mail_stage.h"
#include "support/work.h"

#define HOUR (INT64_C(3600) * US_PER_SECOND)

struct stage {
    struct mail_stage *mail;
    struct scene *scene;
    struct server *server;
    struct lane *lane;
};

static struct stage stage_open(const char *more)
{
    struct stage s = {.mail = mail_stage_open(more)};

    clock_ahead_set(0);
    s.scene = s.mail->scene;
    s.server = s.mail->server;
    s.lane = work_open(s.scene, "mails");
    return s;
}

static void stage_close(struct stage *s)
{
    lane_leave(s->lane);
    lane_free(s->lane);
    mail_stage_close(s->mail);
}

static void emit(struct stage *s, const char *id, const char *data)
{
    struct event e = scene_event(s->scene, "user.updated", id, "users/1", 3, data);
    struct error err;
    size_t taken = 1;

    mail_stage_forget_seen(s->scene);
    scene_append(s->scene, &e, 1);
    while (taken > 0)
        if (!lane_pass(s->lane, 0, &taken, &err))
            fail_msg("%s", err.text);
}

static struct dead_letter *dead_letters(struct stage *s, size_t *count)
{
    struct dead_letter *letters;
    struct error err;

    if (!dead_list(s->scene->redis, "q", NULL, 100, s->scene->arena, &letters, count, &err))
        fail_msg("%s", err.text);
    return letters;
}

static size_t waiting(struct stage *s)
{
    return (size_t)scene_redis(s->scene, "ZCARD crier:{mail}:due:mails")->integer;
}

/* ------------------------------------------------------------------------------------------------- what is sent */

static void an_event_becomes_a_mail_in_text_and_html(void **state)
{
    struct stage s = stage_open("unsubscribe = mailto:off@example.org\nbounce = bounces@example.org\n");
    json_t *all;
    char *header;

    (void)state;
    emit(&s, "a",
         "{\"to\":\"u@Example.ORG\",\"name\":\"A <b> & \\\"c\\\"\",\"items\":[{\"title\":\"one\",\"free\":true},"
         "{\"title\":\"two\",\"free\":false}]}");
    all = mail_server_await(s.server, 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(json_array_get(all, 0), "to"), 0)),
                        "u@example.org");
    assert_string_equal(json_string_value(json_object_get(json_array_get(all, 0), "from")), "bounces@example.org");
    assert_non_null(strstr(mail_text_of(all, 0), "* one (free)\r\n* two\r\nNo note.\r\n"));
    assert_non_null(strstr(mail_text_of(all, 0), "<p>Hello A &lt;b&gt; &amp; &quot;c&quot;</p>\r\n"));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(all, 0), "bare")), 0);
    assert_string_equal(header = mail_header_of(all, 0, "Subject"), "News of A <b> & \"c\"");
    free(header);
    assert_memory_equal(mail_text_of(all, 0), "From: The Archive\r\n <a@example.org>\r\n", 36);
    assert_string_equal(header = mail_header_of(all, 0, "Auto-Submitted"), "auto-generated");
    free(header);
    assert_string_equal(header = mail_header_of(all, 0, "List-Unsubscribe"), "<mailto:off@example.org>");
    free(header);
    mail_stage_await_attempts(s.scene, 1);
    assert_int_equal(waiting(&s), 0);
    json_decref(all);
    stage_close(&s);
}

static void the_language_is_the_events_or_the_one_that_stands_in(void **state)
{
    static const struct {
        const char *language, *subject;
    } cases[] = {
        {"de",    "Neues von N"},
        {"de-AT", "Neues von N"},
        {"fr",    "News of N"  },
        {"",      "News of N"  },
    };
    struct stage s = stage_open("concurrency = 1\n");
    json_t *all;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char id[8], data[100], *subject;

        snprintf(id, sizeof id, "e%zu", i);
        snprintf(data, sizeof data, "{\"to\":\"u@example.org\",\"name\":\"N\",\"language\":\"%s\"}", cases[i].language);
        emit(&s, id, data);
        all = mail_server_await(s.server, i + 1);
        assert_string_equal(subject = mail_header_of(all, i, "Subject"), cases[i].subject);
        free(subject);
        json_decref(all);
    }
    stage_close(&s);
}

static void each_recipient_gets_an_event_once_however_often_it_comes(void **state)
{
    static const char data[] = "{\"name\":\"N\",\"members\":[{\"mail\":\"a@example.org\"},"
                               "{\"mail\":[\"b@example.org\",\"a@EXAMPLE.org\"]}]}";
    struct stage s = stage_open("to = data.members.mail\n");
    json_t *all;

    (void)state;
    emit(&s, "a", data);
    mail_stage_await_attempts(s.scene, 2);
    emit(&s, "a", data);
    emit(&s, "b", data);
    mail_stage_await_attempts(s.scene, 4);
    all = mail_server_messages(s.server);
    assert_int_equal(json_array_size(all), 4);
    assert_int_equal(waiting(&s), 0);
    json_decref(all);
    stage_close(&s);
}

/* ------------------------------------------------------------------------------------------------- what is not */

static void a_value_that_is_no_address_is_a_dead_letter_and_the_others_get_their_mail(void **state)
{
    struct stage s = stage_open("");
    size_t count;
    json_t *all;

    (void)state;
    emit(&s, "a",
         "{\"to\":[\"a@example.org\",\"b@example.org\\r\\nBcc: evil@example.net\",\"c@example.org\"],\"name\":\"N\"}");
    emit(&s, "b", "{\"name\":\"nobody to send it to\"}");
    emit(&s, "c", "{\"to\":\"d@example.org\"}"); /* no name */
    all = mail_server_await(s.server, 2);
    mail_stage_await_attempts(s.scene, 2);
    assert_non_null(strstr(dead_letters(&s, &count)[0].reason, "1 of 3 values at data.to"));
    assert_int_equal(count, 3);
    assert_non_null(strstr(dead_letters(&s, &count)[2].reason, "data.name is missing"));
    for (size_t i = 0; i < 2; i++)
        assert_null(strstr(mail_text_of(all, i), "evil"));
    json_decref(all);
    stage_close(&s);
}

static void what_is_refused_for_good_is_a_dead_letter_with_the_servers_words(void **state)
{
    struct stage s = stage_open("");
    struct dead_letter *letters;
    size_t count;

    (void)state;
    mail_server_behave(s.server, "550");
    emit(&s, "a", "{\"to\":\"gone@example.org\",\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 1);
    letters = dead_letters(&s, &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(letters[0].reason, "gone@example.org"));
    assert_non_null(strstr(letters[0].reply, "550 5.1.1 nobody of that name"));
    assert_int_equal(waiting(&s), 0);
    stage_close(&s);
}

static char *many_recipients(int count, size_t more_bytes)
{
    struct buf data = BUF_INIT;

    buf_add_text(&data, "{\"name\":\"N\",\"to\":[");
    for (int i = 0; i < count; i++)
        buf_printf(&data, "%s\"u%d@example.org\"", i > 0 ? "," : "", i);
    buf_printf(&data, "],\"more\":\"%0*d\"}", (int)more_bytes, 0);
    return data.data;
}

static void an_event_too_large_for_its_many_recipients_is_a_dead_letter(void **state)
{
    struct stage s = stage_open("");
    char *data = many_recipients(200, 100000);
    size_t count;

    (void)state;
    emit(&s, "a", data);
    assert_non_null(strstr(dead_letters(&s, &count)[0].reason, "200 recipients are too many"));
    assert_int_equal(count, 1);
    assert_int_equal(waiting(&s), 0);
    free(data);
    stage_close(&s);
}

/* So many that are not due for long. */
static void let_others_wait(struct stage *s, int others)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    struct error err;

    args_text(&args, "EVAL");
    args_text(&args, "for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], 9e15, 'other' .. i) end");
    args_int(&args, 1);
    args_text(&args, "crier:{mail}:due:mails");
    args_int(&args, others);
    if (!redis_call(s->scene->redis, &args, s->scene->arena, &reply, &err) || !reply_ok(reply, &err))
        fail_msg("%s", err.text);
    args_release(&args);
}

static void expect_held_up_by(struct stage *s, int others)
{
    struct error err;
    size_t taken;

    let_others_wait(s, others);
    assert_false(lane_pass(s->lane, 0, &taken, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_non_null(strstr(err.text, "mails wait already"));
    assert_int_equal(waiting(s), others);
    scene_redis(s->scene, "DEL crier:{mail}:due:mails");
}

static void what_finds_too_many_mails_waiting_waits_in_the_stream(void **state)
{
    struct stage s = stage_open("");
    char *large = many_recipients(2, 100000);
    struct event e =
        scene_event(s.scene, "user.updated", "a", "users/1", 3, "{\"to\":\"u@example.org\",\"name\":\"N\"}");

    (void)state;
    scene_append(s.scene, &e, 1);
    expect_held_up_by(&s, 100000);
    emit(&s, "b", "{\"to\":\"v@example.org\",\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 2);
    e = scene_event(s.scene, "user.updated", "c", "users/1", 3, large);
    scene_append(s.scene, &e, 1);
    expect_held_up_by(&s, 3000);
    emit(&s, "d", "{\"to\":\"v@example.org\",\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 5);
    json_decref(mail_server_await(s.server, 5));
    assert_int_equal(waiting(&s), 0);
    free(large);
    stage_close(&s);
}

/* ------------------------------------------------------------------------------------------------- tries */

static void what_is_refused_for_now_is_sent_later(void **state)
{
    struct stage s = stage_open("");
    const struct reply *attempts;
    json_t *all;

    (void)state;
    mail_server_behave(s.server, "450-once");
    emit(&s, "a", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
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
    assert_int_equal(waiting(&s), 0);
    json_decref(all);
    stage_close(&s);
}

static void who_wants_no_mail_gets_none_also_none_that_waits(void **state)
{
    const char *words[] = {"mail", "--config", NULL, "preferences", "U@example.org", "off", NULL};
    struct stage s = stage_open("");
    json_t *all;
    char *out;

    (void)state;
    words[2] = s.scene->config_path;
    mail_server_behave(s.server, "450");
    emit(&s, "a", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 1);
    mail_server_behave(s.server, "ok");
    assert_int_equal(crier_run(&out, words), 0);
    free(out);
    clock_ahead_set(70 * US_PER_SECOND);
    emit(&s, "b", "{\"to\":[\"u@example.org\",\"v@example.org\"],\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 4);
    all = mail_server_messages(s.server);
    assert_int_equal(json_array_size(all), 1);
    assert_non_null(strstr(mail_text_of(all, 0), "To: v@example.org\r\n"));
    assert_int_equal(waiting(&s), 0);
    json_decref(all);
    words[5] = "on";
    assert_int_equal(crier_run(&out, words), 0);
    free(out);
    emit(&s, "c", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    json_decref(mail_server_await(s.server, 2));
    words[5] = "sometimes";
    assert_int_equal(crier_run(&out, words), 2);
    free(out);
    stage_close(&s);
}

static void a_mail_that_may_have_arrived_comes_again_with_the_same_id(void **state)
{
    struct stage s = stage_open("");
    char *first, *second;
    json_t *all;

    (void)state;
    mail_server_behave(s.server, "close");
    emit(&s, "a", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
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
    stage_close(&s);
}

static void tries_go_on_for_five_days_and_then_it_is_dead(void **state)
{
    struct stage s = stage_open("");
    int64_t sum_us = 0, delay_us;
    size_t count;
    int tries = 1;

    (void)state;
    for (; (delay_us = mail_delay_us(tries)) >= 0; tries++)
        sum_us += delay_us;
    assert_true(sum_us > 108 * HOUR && sum_us < 132 * HOUR);
    assert_int_equal(tries, MAIL_TRIES_MOST);
    mail_server_behave(s.server, "450");
    emit(&s, "a", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    for (size_t i = 1; i <= MAIL_TRIES_MOST; i++) {
        mail_stage_await_attempts(s.scene, i);
        clock_ahead_by(5 * HOUR);
    }
    while (waiting(&s) > 0)
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    assert_string_equal(mail_stage_attempt_field(mail_stage_await_attempts(s.scene, MAIL_TRIES_MOST), 0, "fate"),
                        "dead");
    dead_letters(&s, &count);
    assert_int_equal(count, 1);
    stage_close(&s);
}

static void of_a_hundred_recipients_none_is_lost_though_each_is_refused_once(void **state)
{
    struct stage s = stage_open("concurrency = 8\n");
    struct buf data = BUF_INIT;
    json_t *all;

    (void)state;
    mail_server_behave(s.server, "450-once");
    buf_add_text(&data, "{\"name\":\"N\",\"to\":[");
    for (int i = 0; i < 100; i++)
        buf_printf(&data, "%s\"u%d@example.org\"", i > 0 ? "," : "", i);
    buf_add_text(&data, "]}");
    emit(&s, "a", data.data);
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
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_becomes_a_mail_in_text_and_html),
        cmocka_unit_test(the_language_is_the_events_or_the_one_that_stands_in),
        cmocka_unit_test(each_recipient_gets_an_event_once_however_often_it_comes),
        cmocka_unit_test(a_value_that_is_no_address_is_a_dead_letter_and_the_others_get_their_mail),
        cmocka_unit_test(what_is_refused_for_good_is_a_dead_letter_with_the_servers_words),
        cmocka_unit_test(an_event_too_large_for_its_many_recipients_is_a_dead_letter),
        cmocka_unit_test(what_finds_too_many_mails_waiting_waits_in_the_stream),
        cmocka_unit_test(what_is_refused_for_now_is_sent_later),
        cmocka_unit_test(who_wants_no_mail_gets_none_also_none_that_waits),
        cmocka_unit_test(a_mail_that_may_have_arrived_comes_again_with_the_same_id),
        cmocka_unit_test(tries_go_on_for_five_days_and_then_it_is_dead),
        cmocka_unit_test(of_a_hundred_recipients_none_is_lost_though_each_is_refused_once),
    };

    http_global_init();
    return mail_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
