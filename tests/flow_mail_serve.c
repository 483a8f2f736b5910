/* Mails as an operator meets them: a service that is killed, mistakes that `check` shows, verbs, and the password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "support/canary.h"
#include "support/mail_stage.h"
#include "support/pause.h"
#include "support/text_file.h"

static const char to_all[] = "{\"to\":\"u@example.org\",\"name\":\"N\"}";

static void append(struct mail_stage *s, const char *id, const char *data)
{
    struct event e = scene_event(s->scene, "user.updated", id, "users/1", 3, data);

    scene_append(s->scene, &e, 1);
}

static char *say(struct mail_stage *s, int expected, const char *verb, const char *a, const char *b, const char *c)
{
    const char *words[] = {verb, "--config", s->scene->config_path, a, b, c, NULL};
    char *out;
    int code = crier_run(&out, words);

    if (code != expected)
        fail_msg("crier %s %s ends with %d: %s", verb, a ? a : "", code, out);
    return out;
}

static void expect_said(struct mail_stage *s, int expected, const char *wanted, const char *verb, const char *a,
                        const char *b, const char *c)
{
    char *out = say(s, expected, verb, a, b, c);

    if (!strstr(out, wanted))
        fail_msg("\"%s\" is not in what it said: %s", wanted, out);
    free(out);
}

/* ---------------------------------------------------------------------------------------------------- kill -9 */

static void await_file(const struct server *s, const char *name)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    char path[400];

    snprintf(path, sizeof path, "%s/%s", server_folder(s), name);
    while (access(path, F_OK) != 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s never came", path);
        pause_ms(5);
    }
}

/* Redis stands still while the server says 250, so that nothing can be noted. */
static void a_kill_between_the_servers_word_and_ours_costs_one_more_mail_with_the_same_id(void **state)
{
    struct mail_stage *s = mail_stage_open("");
    struct server *serve = crier_serve_start(s->scene->config_path);
    char *first, *second;
    json_t *all;

    (void)state;
    mail_server_behave(s->server, "wait");
    append(s, "a", to_all);
    await_file(s->server, "waiting");
    server_pause(s->scene->redis_server);
    text_file_put(server_folder(s->server), "go", "");
    json_decref(mail_server_await(s->server, 1));
    pause_ms(300); /* the word travels; were it to come later, the mail would be sent again all the same */
    server_kill(serve);
    server_resume(s->scene->redis_server);
    server_restart(serve);
    all = mail_server_await(s->server, 2);
    first = mail_header_of(all, 0, "Message-ID");
    second = mail_header_of(all, 1, "Message-ID");
    assert_string_equal(first, second);
    while (scene_redis(s->scene, "ZCARD crier:{mail}:due:mails")->integer > 0)
        pause_ms(10);
    json_decref(all);
    all = mail_server_messages(s->server);
    assert_int_equal(json_array_size(all), 2);
    json_decref(all);
    free(first);
    free(second);
    server_free(serve);
    mail_stage_close(s);
}

/* Any time: none of 60 recipients is lost, and each gets at most one more for each kill, with the same Message-ID. */
static void nothing_is_lost_by_a_service_that_is_killed(void **state)
{
    enum { RECIPIENTS = 60, KILLS = 3 };
    struct mail_stage *s = mail_stage_open("");
    struct server *serve = crier_serve_start(s->scene->config_path);
    struct buf data = BUF_INIT;
    json_t *all;

    (void)state;
    buf_add_text(&data, "{\"name\":\"N\",\"to\":[");
    for (int i = 0; i < RECIPIENTS; i++)
        buf_printf(&data, "%s\"u%d@example.org\"", i > 0 ? "," : "", i);
    buf_add_text(&data, "]}");
    append(s, "a", data.data);
    for (size_t i = 0; i < KILLS; i++) {
        json_decref(mail_server_await(s->server, 5 + 15 * i));
        server_kill(serve);
        server_restart(serve);
    }
    all = mail_server_await(s->server, RECIPIENTS);
    while (scene_redis(s->scene, "ZCARD crier:{mail}:due:mails")->integer > 0)
        pause_ms(20);
    json_decref(all);
    all = mail_server_messages(s->server);
    for (int i = 0; i < RECIPIENTS; i++) {
        char to[40], *id = NULL;
        size_t got = 0;

        snprintf(to, sizeof to, "To: u%d@example.org\r", i);
        for (size_t j = 0; j < json_array_size(all); j++) {
            char *other;

            if (!strstr(mail_text_of(all, j), to))
                continue;
            other = mail_header_of(all, j, "Message-ID");
            if (id)
                assert_string_equal(id, other);
            free(id);
            id = other;
            got++;
        }
        assert_in_range(got, 1, 1 + KILLS);
        free(id);
    }
    print_message("%d recipients, %d kills, %zu mails\n", RECIPIENTS, KILLS, json_array_size(all));
    json_decref(all);
    buf_release(&data);
    server_free(serve);
    mail_stage_close(s);
}

/* -------------------------------------------------------------------------------------------------- taken ahead */

static int64_t due_later(struct mail_stage *s)
{
    return scene_redis(s->scene, "ZCOUNT crier:{mail}:due:mails %lld +inf", (long long)clock_wall_us())->integer;
}

/* By the claims of the service that went they would wait for most of a minute. */
static void a_service_that_is_stopped_leaves_no_mail_claimed(void **state)
{
    enum { RECIPIENTS = 500, EVENTS = 20 };
    struct mail_stage *s = mail_stage_open("");
    struct server *serve = crier_serve_start(s->scene->config_path);
    struct buf data = BUF_INIT;

    (void)state;
    buf_add_text(&data, "{\"name\":\"N\",\"to\":[");
    for (int i = 0; i < RECIPIENTS; i++)
        buf_printf(&data, "%s\"u%d@example.org\"", i > 0 ? "," : "", i);
    buf_add_text(&data, "]}");
    for (int i = 0; i < EVENTS; i++) {
        char id[8];

        snprintf(id, sizeof id, "e%d", i);
        append(s, id, data.data);
    }
    json_decref(mail_server_await(s->server, 10));
    server_stop(serve);
    assert_true(scene_redis(s->scene, "ZCARD crier:{mail}:due:mails")->integer > 0); /* else nothing is seen here */
    assert_int_equal(due_later(s), 0);
    buf_release(&data);
    server_free(serve);
    mail_stage_close(s);
}

/* An older crier keeps it so. */
static void a_mail_that_says_not_whose_wishes_count_is_spared_too(void **state)
{
    struct mail_stage *s = mail_stage_open("");
    struct server *serve = crier_serve_start(s->scene->config_path);
    const char *id;
    json_t *all;

    (void)state;
    mail_server_behave(s->server, "450");
    append(s, "a", to_all);
    mail_stage_await_attempts(s->scene, 1);
    mail_server_behave(s->server, "ok");
    id = scene_redis(s->scene, "ZRANGE crier:{mail}:due:mails 0 0")->items[0].text;
    assert_int_equal(scene_redis(s->scene, "HDEL crier:{mail}:delivery:mails:%s who", id)->integer, 1);
    free(say(s, 0, "mail", "preferences", "u@example.org", "off"));
    scene_redis(s->scene, "ZADD crier:{mail}:due:mails 0 %s", id);
    assert_string_equal(mail_stage_attempt_field(mail_stage_await_attempts(s->scene, 2), 0, "error"),
                        "not sent: the recipient wants no mail");
    all = mail_server_messages(s->server);
    assert_int_equal(json_array_size(all), 0);
    json_decref(all);
    server_free(serve);
    mail_stage_close(s);
}

/* ------------------------------------------------------------------------------------------------------ check */

static void check_shows_mistakes_of_templates_and_types_without_one(void **state)
{
    struct mail_stage *s = mail_stage_open("");

    (void)state;
    free(say(s, 0, "check", NULL, NULL, NULL));
    mail_stage_template(s, "user.updated.de.txt", "Subject: x\n\n\n{date.title}\n");
    expect_said(s, 78, "user.updated.de.txt:4: nothing is known by the name {date.title}", "check", NULL, NULL, NULL);
    mail_stage_template(s, "user.updated.de.txt", "Subject: x\n\nx\n");
    mail_stage_template(s, "user.created.en.txt", "Subject: x\n\nx\n");
    free(say(s, 0, "check", NULL, NULL, NULL));
    {
        char from[600], to[600];

        snprintf(from, sizeof from, "%s/user.updated.en.txt", s->folder);
        snprintf(to, sizeof to, "%s/user.approved.en.txt", s->folder);
        assert_int_equal(rename(from, to), 0);
        expect_said(s, 78, "user.updated.en.txt: it is missing", "check", NULL, NULL, NULL);
        snprintf(to, sizeof to, "%s/user.updated.de.txt", s->folder);
        assert_int_equal(unlink(to), 0);
        snprintf(to, sizeof to, "%s/user.updated.en.html", s->folder);
        assert_int_equal(unlink(to), 0);
        expect_said(s, 78, "has no template for events user.updated", "check", NULL, NULL, NULL);
    }
    mail_stage_close(s);
}

/* ------------------------------------------------------------------------------------------------------ verbs */

static void verbs_preview_and_test(void **state)
{
    struct mail_stage *s = mail_stage_open("user = crier\npassword = " CANARY "\n");
    char event[600];
    json_t *all;

    (void)state;
    snprintf(event, sizeof event, "%s/event.json", test_folder());
    text_file_put(
        test_folder(), "event.json",
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"x\",\"type\":\"user.updated\",\"subject\":\"users/1\","
        "\"data\":{\"to\":\"u@example.org\",\"name\":\"Preview\"}}");
    expect_said(s, 0, "Subject: News of Preview\n", "mail", "preview", event, NULL);
    expect_said(s, 0, "<p>Hello Preview</p>\n", "mail", "preview", event, NULL);
    text_file_put(test_folder(), "event.json",
                  "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"x\",\"type\":\"user.updated\",\"data\":{}}");
    expect_said(s, 1, "data.to are missing", "mail", "preview", event, NULL);
    expect_said(s, 0, "250", "mail", "test", "someone@example.org", NULL);
    expect_said(s, 2, "not one mail address", "mail", "test", "a@example.org,b@example.org", NULL);
    expect_said(s, 2, "say preview", "mail", NULL, NULL, NULL);
    expect_said(s, 2, "did you mean \"mails\"", "mail", "test", "a@example.org", "--handler=mail");
    mail_server_behave(s->server, "550");
    expect_said(s, 1, "nobody of that name", "mail", "test", "someone@example.org", NULL);
    all = mail_server_messages(s->server);
    assert_int_equal(json_array_size(all), 1);
    json_decref(all);
    mail_stage_close(s);
}

static void expect_no_canary(const char *where, char *text)
{
    canary_check(where, text);
    free(text);
}

/* After mails that went, and after a login that was refused. */
static void the_password_is_never_shown(void **state)
{
    struct mail_stage *s = mail_stage_open("user = crier\npassword = " CANARY "\n");
    struct server *serve = crier_serve_start(s->scene->config_path);
    struct buf log = BUF_INIT;
    struct error err;
    char path[400];

    (void)state;
    append(s, "a", to_all);
    json_decref(mail_server_await(s->server, 1));
    mail_server_behave(s->server, "refuse-login");
    server_restart(serve); /* over a connection that is open a mail needs no login */
    append(s, "b", to_all);
    while (scene_redis(s->scene, "XLEN crier:{mail}:attempts:mails")->integer < 2)
        pause_ms(10);
    expect_said(s, 0, "535", "mail", "attempts", "--json", NULL);
    expect_no_canary("mail attempts", say(s, 0, "mail", "attempts", "--json", NULL));
    expect_no_canary("mail test", say(s, 1, "mail", "test", "a@example.org", NULL));
    expect_no_canary("config show", say(s, 0, "config", "show", NULL, NULL));
    expect_no_canary("check", say(s, 0, "check", NULL, NULL, NULL));
    server_stop(serve);
    snprintf(path, sizeof path, "%s/log", server_folder(serve));
    assert_true(file_read(path, 1024 * 1024, &log, &err));
    assert_null(strstr(log.data, CANARY));
    assert_null(strstr(log.data, "u@example.org"));
    buf_release(&log);
    server_free(serve);
    mail_stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_between_the_servers_word_and_ours_costs_one_more_mail_with_the_same_id),
        cmocka_unit_test(nothing_is_lost_by_a_service_that_is_killed),
        cmocka_unit_test(a_service_that_is_stopped_leaves_no_mail_claimed),
        cmocka_unit_test(a_mail_that_says_not_whose_wishes_count_is_spared_too),
        cmocka_unit_test(check_shows_mistakes_of_templates_and_types_without_one),
        cmocka_unit_test(verbs_preview_and_test),
        cmocka_unit_test(the_password_is_never_shown),
    };

    http_global_init();
    return mail_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
