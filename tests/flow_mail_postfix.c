/* Mails to a postfix, by TLS: what it has of them, and what becomes of those it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "handlers/mail/mail_preferences.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/clock_ahead.h"
#include "support/mail_stage.h"
#include "support/postfix_server.h"
#include "support/work.h"

struct stage {
    struct server *postfix;
    struct mail_stage *mail;
    struct scene *scene;
    struct lane *lane;
};

static struct stage stage_open(const char *more)
{
    struct stage s = {.postfix = postfix_server_start()};
    char all[1000];

    clock_ahead_set(0);
    snprintf(all, sizeof all, "server = %s\ntimeout = 20s\nca_file = %s\nbounce = bounces@example.org\n%s",
             postfix_server_url(s.postfix), mail_server_certificate(), more);
    s.mail = mail_stage_open(all);
    s.scene = s.mail->scene;
    mail_stage_template(s.mail, "digest.en.txt",
                        "Subject: {data.count} {data.period} news\n\n{each data.items}* {item.title}\n{end}");
    s.lane = work_open(s.scene, "mails");
    return s;
}

static void lane_end(struct stage *s)
{
    lane_leave(s->lane);
    lane_free(s->lane);
}

static void stage_close(struct stage *s)
{
    lane_end(s);
    mail_stage_close(s->mail);
    server_free(s->postfix);
}

static void emit(struct stage *s, const char *id, const char *data)
{
    struct event e = scene_event(s->scene, "user.updated", id, "users/1", 3, data);
    struct error err;
    size_t taken = 1;

    scene_append(s->scene, &e, 1);
    while (taken > 0)
        if (!lane_pass(s->lane, 0, &taken, &err))
            fail_msg("%s", err.text);
}

static void expect_header(const struct postfix_mail *m, const char *name, const char *part)
{
    char *value = postfix_mail_header(m, name);

    if (!strstr(value, part))
        fail_msg("%s is \"%s\", without \"%s\"", name, value, part);
    free(value);
}

/* ------------------------------------------------------------------------------------------------- what is sent */

static void a_mail_comes_by_tls_as_it_was_made(void **state)
{
    struct stage s = stage_open("unsubscribe = mailto:off@example.org\n");
    struct postfix_mails all;
    const struct postfix_mail *m;

    (void)state;
    emit(&s, "a", "{\"to\":[\"u@example.org\",\"v@Example.org\"],\"name\":\"J\xc3\xbcrgen <b>\",\"note\":\".\\n..x\"}");
    all = postfix_server_await(s.postfix, 2);
    assert_int_equal(all.count, 2);
    assert_non_null(postfix_mail_to(&all, "v@example.org"));
    m = postfix_mail_to(&all, "u@example.org");
    assert_non_null(m);
    assert_string_equal(m->from, "bounces@example.org");
    assert_string_equal(m->names, "Return-Path X-Original-To Delivered-To Received From To Subject Date Message-ID "
                                  "List-Unsubscribe Auto-Submitted MIME-Version Content-Type");
    expect_header(m, "Received", "(using TLSv1.");
    expect_header(m, "Received", "with ESMTPS id ");
    expect_header(m, "Received", "for <u@example.org>;");
    expect_header(m, "From", "The Archive <a@example.org>");
    expect_header(m, "To", "u@example.org");
    expect_header(m, "Subject", "=?UTF-8?B?TmV3cyBvZiBKw7xyZ2VuIDxiPg==?=");
    expect_header(m, "Message-ID", "@example.org>");
    expect_header(m, "List-Unsubscribe", "<mailto:off@example.org>");
    expect_header(m, "Content-Type", "multipart/alternative; boundary=\"=_mail_");
    assert_non_null(strstr(m->body, "Hello J=C3=BCrgen <b>,\n.\n..x\n"));
    assert_non_null(strstr(m->body, "<p>Hello J=C3=BCrgen &lt;b&gt;</p>\n"));
    postfix_mails_release(&all);
    stage_close(&s);
}

/* Postfix offers notices of delivery (DSN): the envelope's commands ask for none, whatever its parameters are else. */
static void no_notice_of_delivery_is_asked_for(void **state)
{
    struct stage s = stage_open("");
    struct postfix_mails all;
    size_t commands = 0;
    char *log;

    (void)state;
    emit(&s, "a", "{\"to\":[\"u@example.org\",\"v@example.org\"],\"name\":\"N\"}");
    all = postfix_server_await(s.postfix, 2);
    mail_stage_await_attempts(s.scene, 2);
    assert_int_equal(all.count, 2); /* none from the server itself */
    log = postfix_server_await_log(s.postfix, "]: DATA", 2);
    assert_non_null(strstr(log, "250-DSN"));
    for (const char *line = log; (line = strstr(line, "< localhost[127.0.0.1]: ")); line++, commands++) {
        char *command = xstrndup(line, strcspn(line, "\n"));

        if (strstr(command, "NOTIFY") || strstr(command, "RET=") || strstr(command, "ORCPT") ||
            strstr(command, "ENVID"))
            fail_msg("%s", command);
        free(command);
    }
    assert_true(commands >= 8); /* EHLO, STARTTLS, EHLO; MAIL, RCPT, DATA twice */
    assert_non_null(strstr(log, "]: RCPT TO:<u@example.org>\n"));
    free(log);
    postfix_mails_release(&all);
    stage_close(&s);
}

static void mails_of_a_day_come_as_one(void **state)
{
    struct stage s = stage_open("");
    struct postfix_mails all;
    struct error err;

    (void)state;
    if (!mail_preference_set(s.scene->redis, NULL, "u@example.org", MAIL_DAILY, s.scene->arena, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < 3; i++) {
        char id[8], data[100];

        snprintf(id, sizeof id, "e%d", i);
        snprintf(data, sizeof data, "{\"to\":\"u@example.org\",\"name\":\"N%d\"}", i);
        emit(&s, id, data);
    }
    emit(&s, "x", "{\"to\":\"v@example.org\",\"name\":\"at once\"}");
    all = postfix_server_await(s.postfix, 1);
    assert_int_equal(all.count, 1);
    postfix_mails_release(&all);
    mail_stage_await_attempts(s.scene, 1); /* one that is not noted by the time that its claim ends is sent again */
    clock_ahead_set(INT64_C(2) * 86400 * US_PER_SECOND);
    all = postfix_server_await(s.postfix, 2);
    assert_int_equal(all.count, 2);
    expect_header(postfix_mail_to(&all, "u@example.org"), "Subject", " daily news");
    assert_non_null(strstr(postfix_mail_to(&all, "u@example.org")->body, "* News of N0\n* News of N1\n* News of N2\n"));
    postfix_mails_release(&all);
    stage_close(&s);
}

/* ---------------------------------------------------------------------------------------------- what is refused */

/* Of the recipient, of the text once it is there, of the size before it is there; for now, and for good. */
static void what_postfix_refuses_is_tried_again_or_dead_as_it_says(void **state)
{
    static const struct {
        const char *to, *name, *status, *fate, *words;
        int more_bytes;
    } cases[] = {
        {"gone@example.org",  "N",        "550", "dead",  "nobody of that name",   1                    },
        {"later@example.org", "N",        "450", "again", "come back later",       1                    },
        {"u@example.org",     "UNWANTED", "550", "dead",  "5.7.1 not wanted here", 1                    },
        {"late@example.org",  "N",        "451", "again", "4.3.0 ",                1                    },
        {"u@example.org",     "N",        "552", "dead",  "5.3.4",                 POSTFIX_SIZE_MOST + 1},
    };
    struct stage s = stage_open("");
    struct dead_letter *letters;
    struct postfix_mails all;
    struct error err;
    size_t count;

    (void)state;
    postfix_server_deny(s.postfix, "gone@example.org 550 5.1.1 nobody of that name\n"
                                   "later@example.org 450 4.2.1 come back later\n");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf data = BUF_INIT;
        const struct reply *attempts;
        char id[8];

        snprintf(id, sizeof id, "e%zu", i);
        buf_printf(&data, "{\"to\":\"%s\",\"name\":\"%s\",\"note\":\"%0*d\"}", cases[i].to, cases[i].name,
                   cases[i].more_bytes, 0);
        emit(&s, id, data.data);
        buf_release(&data);
        attempts = mail_stage_await_attempts(s.scene, i + 1);
        assert_string_equal(mail_stage_attempt_field(attempts, 0, "status"), cases[i].status);
        assert_string_equal(mail_stage_attempt_field(attempts, 0, "fate"), cases[i].fate);
        if (!strstr(mail_stage_attempt_field(attempts, 0, "reply"), cases[i].words))
            fail_msg("%s: %s", id, mail_stage_attempt_field(attempts, 0, "reply"));
    }
    emit(&s, "last", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    all = postfix_server_await(s.postfix, 1);
    assert_int_equal(all.count, 1);
    postfix_mails_release(&all);
    if (!dead_list(s.scene->redis, "q", NULL, 100, s.scene->arena, &letters, &count, &err))
        fail_msg("%s", err.text);
    assert_int_equal(count, 3);
    stage_close(&s);
}

/* Under the id of the first try, once; also where the server is away in between. */
static void what_was_refused_for_now_arrives_once(void **state)
{
    struct stage s = stage_open("");
    const struct reply *attempts;
    struct postfix_mails all;

    (void)state;
    postfix_server_deny(s.postfix, "u@example.org 450 4.2.1 come back later\n");
    emit(&s, "a", "{\"to\":\"u@example.org\",\"name\":\"N\"}");
    assert_string_equal(mail_stage_attempt_field(mail_stage_await_attempts(s.scene, 1), 0, "status"), "450");
    server_stop(s.postfix);
    clock_ahead_set(70 * US_PER_SECOND);
    attempts = mail_stage_await_attempts(s.scene, 2);
    assert_string_equal(mail_stage_attempt_field(attempts, 0, "status"), "0");
    server_restart(s.postfix);
    postfix_server_deny(s.postfix, "");
    clock_ahead_set(INT64_C(3600) * US_PER_SECOND);
    attempts = mail_stage_await_attempts(s.scene, 3);
    all = postfix_server_await(s.postfix, 1);
    assert_int_equal(all.count, 1);
    expect_header(&all.items[0], "Message-ID", mail_stage_attempt_field(attempts, 2, "id"));
    assert_string_equal(mail_stage_attempt_field(attempts, 0, "id"), mail_stage_attempt_field(attempts, 2, "id"));
    postfix_mails_release(&all);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mail_comes_by_tls_as_it_was_made),
        cmocka_unit_test(no_notice_of_delivery_is_asked_for),
        cmocka_unit_test(mails_of_a_day_come_as_one),
        cmocka_unit_test(what_postfix_refuses_is_tried_again_or_dead_as_it_says),
        cmocka_unit_test(what_was_refused_for_now_arrives_once),
    };

    http_global_init();
    return postfix_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
