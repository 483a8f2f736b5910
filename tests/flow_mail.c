/* Events to mails: to each recipient once and in their language, and what can be none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/mail_lane.h"
#include "support/mail_stage.h"

/* ------------------------------------------------------------------------------------------------- what is sent */

static void an_event_becomes_a_mail_in_text_and_html(void **state)
{
    struct mail_lane s = mail_lane_open("unsubscribe = mailto:off@example.org\nbounce = bounces@example.org\n");
    json_t *all;
    char *header;

    (void)state;
    mail_lane_emit(
        &s, "a",
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
    assert_int_equal(mail_lane_waiting(&s), 0);
    json_decref(all);
    mail_lane_close(&s);
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
    struct mail_lane s = mail_lane_open("concurrency = 1\n");
    json_t *all;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char id[8], data[100], *subject;

        snprintf(id, sizeof id, "e%zu", i);
        snprintf(data, sizeof data, "{\"to\":\"u@example.org\",\"name\":\"N\",\"language\":\"%s\"}", cases[i].language);
        mail_lane_emit(&s, id, data);
        all = mail_server_await(s.server, i + 1);
        assert_string_equal(subject = mail_header_of(all, i, "Subject"), cases[i].subject);
        free(subject);
        json_decref(all);
    }
    mail_lane_close(&s);
}

static void each_recipient_gets_an_event_once_however_often_it_comes(void **state)
{
    static const char data[] = "{\"name\":\"N\",\"members\":[{\"mail\":\"a@example.org\"},"
                               "{\"mail\":[\"b@example.org\",\"a@EXAMPLE.org\"]}]}";
    struct mail_lane s = mail_lane_open("to = data.members.mail\n");
    json_t *all;

    (void)state;
    mail_lane_emit(&s, "a", data);
    mail_stage_await_attempts(s.scene, 2);
    mail_lane_emit(&s, "a", data);
    mail_lane_emit(&s, "b", data);
    mail_stage_await_attempts(s.scene, 4);
    all = mail_server_messages(s.server);
    assert_int_equal(json_array_size(all), 4);
    assert_int_equal(mail_lane_waiting(&s), 0);
    json_decref(all);
    mail_lane_close(&s);
}

/* ------------------------------------------------------------------------------------------------- what is not */

static void a_value_that_is_no_address_is_a_dead_letter_and_the_others_get_their_mail(void **state)
{
    struct mail_lane s = mail_lane_open("");
    size_t count;
    json_t *all;

    (void)state;
    mail_lane_emit(
        &s, "a",
        "{\"to\":[\"a@example.org\",\"b@example.org\\r\\nBcc: evil@example.net\",\"c@example.org\"],\"name\":\"N\"}");
    mail_lane_emit(&s, "b", "{\"name\":\"nobody to send it to\"}");
    mail_lane_emit(&s, "c", "{\"to\":\"d@example.org\"}"); /* no name */
    all = mail_server_await(s.server, 2);
    mail_stage_await_attempts(s.scene, 2);
    assert_non_null(strstr(mail_lane_dead(&s, &count)[0].reason, "1 of 3 values at data.to"));
    assert_int_equal(count, 3);
    assert_non_null(strstr(mail_lane_dead(&s, &count)[2].reason, "data.name is missing"));
    for (size_t i = 0; i < 2; i++)
        assert_null(strstr(mail_text_of(all, i), "evil"));
    json_decref(all);
    mail_lane_close(&s);
}

static void what_is_refused_for_good_is_a_dead_letter_with_the_servers_words(void **state)
{
    struct mail_lane s = mail_lane_open("");
    struct dead_letter *letters;
    size_t count;

    (void)state;
    mail_server_behave(s.server, "550");
    mail_lane_emit(&s, "a", "{\"to\":\"gone@example.org\",\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 1);
    letters = mail_lane_dead(&s, &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(letters[0].reason, "gone@example.org"));
    assert_non_null(strstr(letters[0].reply, "550 5.1.1 nobody of that name"));
    assert_int_equal(mail_lane_waiting(&s), 0);
    mail_lane_close(&s);
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
    struct mail_lane s = mail_lane_open("");
    char *data = many_recipients(200, 100000);
    size_t count;

    (void)state;
    mail_lane_emit(&s, "a", data);
    assert_non_null(strstr(mail_lane_dead(&s, &count)[0].reason, "200 recipients are too many"));
    assert_int_equal(count, 1);
    assert_int_equal(mail_lane_waiting(&s), 0);
    free(data);
    mail_lane_close(&s);
}

/* So many that are not due for long. */
static void let_others_wait(struct mail_lane *s, int others)
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

static void expect_held_up_by(struct mail_lane *s, int others)
{
    struct error err;
    size_t taken;

    let_others_wait(s, others);
    assert_false(lane_pass(s->lane, 0, &taken, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_non_null(strstr(err.text, "mails wait already"));
    assert_int_equal(mail_lane_waiting(s), others);
    scene_redis(s->scene, "DEL crier:{mail}:due:mails");
}

static void what_finds_too_many_mails_waiting_waits_in_the_stream(void **state)
{
    struct mail_lane s = mail_lane_open("");
    char *large = many_recipients(2, 100000);
    struct event e =
        scene_event(s.scene, "user.updated", "a", "users/1", 3, "{\"to\":\"u@example.org\",\"name\":\"N\"}");

    (void)state;
    scene_append(s.scene, &e, 1);
    expect_held_up_by(&s, 100000);
    mail_lane_emit(&s, "b", "{\"to\":\"v@example.org\",\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 2);
    e = scene_event(s.scene, "user.updated", "c", "users/1", 3, large);
    scene_append(s.scene, &e, 1);
    expect_held_up_by(&s, 3000);
    mail_lane_emit(&s, "d", "{\"to\":\"v@example.org\",\"name\":\"N\"}");
    mail_stage_await_attempts(s.scene, 5);
    json_decref(mail_server_await(s.server, 5));
    assert_int_equal(mail_lane_waiting(&s), 0);
    free(large);
    mail_lane_close(&s);
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
    };

    http_global_init();
    return mail_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
