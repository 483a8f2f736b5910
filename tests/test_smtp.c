/* One message by SMTP, to a real server: sent, again later, or never, in the server's own words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/smtp.h"
#include "support/canary.h"
#include "support/mail_server.h"

static const char text[] = "Subject: x\r\nTo: b@example.org\r\n\r\n.\r\n..dots\r\n.end\r\n";

static struct smtp_answer answer = SMTP_ANSWER_INIT;

static enum smtp_outcome send_by(const struct smtp_options *o)
{
    struct smtp *s = smtp_new(o);

    smtp_send(s, &(struct smtp_message){"a@example.org", "b@example.org", text, sizeof text - 1}, &answer);
    smtp_free(s);
    return answer.outcome;
}

static struct smtp_options plain(const struct server *server)
{
    return (struct smtp_options){
        .server = mail_server_url(server), .user = "", .password = "", .ca_file = "", .timeout_ms = 4000};
}

static void a_message_arrives_byte_for_byte(void **state)
{
    struct server *server = mail_server_start(&(struct mail_server_options){0});
    struct smtp_options o = plain(server);
    json_t *all;

    (void)state;
    assert_int_equal(send_by(&o), SMTP_SENT);
    assert_int_equal(answer.status, 250);
    assert_non_null(strstr(answer.words.data, "kept"));
    all = mail_server_messages(server);
    assert_int_equal(json_array_size(all), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(all, 0), "text")), text);
    json_decref(all);
    server_free(server);
}

static void what_a_server_answers_decides_what_becomes_of_it(void **state)
{
    static const struct {
        const char *manner, *words;
        enum smtp_outcome outcome;
        int status;
    } cases[] = {
        {"450",      "come back later", SMTP_AGAIN, 450},
        {"451-data", "no room",         SMTP_AGAIN, 451},
        {"550",      "nobody of that",  SMTP_NEVER, 550},
        {"554-data", "not wanted here", SMTP_NEVER, 554},
        {"close",    "it did not say",  SMTP_AGAIN, 354},
        {"slow",     "it did not say",  SMTP_AGAIN, 354},
        {"ok",       "",                SMTP_SENT,  250},
    };
    struct server *server = mail_server_start(&(struct mail_server_options){0});
    struct smtp_options o = plain(server);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t started_ms = clock_monotonic_ms();

        mail_server_behave(server, cases[i].manner);
        if (send_by(&o) != cases[i].outcome || answer.status != cases[i].status ||
            !strstr(answer.err.text, cases[i].words))
            fail_msg("%s: %d, %d, %s", cases[i].manner, answer.outcome, answer.status, answer.err.text);
        assert_true(clock_monotonic_ms() - started_ms < 15000);
    }
    server_free(server);
    assert_int_equal(send_by(&(struct smtp_options){"smtp://127.0.0.1:1", "", "", "", SMTP_TLS_NONE, 1000}),
                     SMTP_AGAIN);
    assert_int_equal(answer.status, 0);
}

static void where_tls_is_required_a_server_without_it_gets_nothing(void **state)
{
    struct server *without = mail_server_start(&(struct mail_server_options){0});
    struct server *with = mail_server_start(&(struct mail_server_options){.tls = true});
    struct smtp_options o = plain(without);

    (void)state;
    o.tls = SMTP_TLS_REQUIRED;
    assert_int_equal(send_by(&o), SMTP_AGAIN);
    o.tls = SMTP_TLS_TRY;
    assert_int_equal(send_by(&o), SMTP_SENT);
    o = plain(with);
    o.tls = SMTP_TLS_REQUIRED;
    assert_int_equal(send_by(&o), SMTP_AGAIN); /* its certificate is nobody's */
    o.ca_file = mail_server_certificate();
    assert_int_equal(send_by(&o), SMTP_SENT);
    json_t *all = mail_server_messages(without);
    assert_int_equal(json_array_size(all), 1);
    json_decref(all);
    server_free(without);
    server_free(with);
}

static size_t count_of(const struct server *server)
{
    json_t *all = mail_server_messages(server);
    size_t count = json_array_size(all);

    json_decref(all);
    return count;
}

static void expect_said_in_the_clear(const struct server *middle, const char *unwanted)
{
    struct buf said = BUF_INIT;
    struct error err;
    char path[400];

    snprintf(path, sizeof path, "%s/said", server_folder(middle));
    assert_true(file_read(path, 65536, &said, &err));
    assert_non_null(strstr(said.data, "EHLO"));
    if (strstr(said.data, unwanted))
        fail_msg("said in the clear: %s", said.data);
    buf_release(&said);
}

/* Who sits on the way may do so at any time: also where TLS was spoken before. */
static void who_keeps_tls_away_where_it_is_required_gets_neither_mail_nor_password(void **state)
{
    static const char *const manners[] = {"strip", "refuse", "inject", "plain"};
    struct server *server = mail_server_start(&(struct mail_server_options){.tls = true, .login = "crier:" CANARY});

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(manners); i++) {
        struct server *middle = mail_middle_start(server, "pass");
        struct smtp_options o = plain(middle);

        o.tls = SMTP_TLS_REQUIRED;
        o.ca_file = mail_server_certificate();
        o.user = "crier";
        o.password = CANARY;
        assert_int_equal(send_by(&o), SMTP_SENT);
        mail_server_behave(middle, manners[i]);
        if (send_by(&o) != SMTP_AGAIN)
            fail_msg("%s: %d %s", manners[i], answer.outcome, answer.err.text);
        expect_said_in_the_clear(middle, "AUTH");
        expect_said_in_the_clear(middle, "MAIL");
        assert_int_equal(count_of(server), i + 1);
        server_free(middle);
    }
    server_free(server);
}

static void send_some(struct smtp *s, int count)
{
    for (int i = 0; i < count; i++) {
        smtp_send(s, &(struct smtp_message){"a@example.org", "b@example.org", text, sizeof text - 1}, &answer);
        if (answer.outcome != SMTP_SENT)
            fail_msg("message %d: %s", i, answer.err.text);
    }
}

/* A hundred at most. */
static void messages_follow_each_other_over_one_connection(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct server *server =
            mail_server_start(&(struct mail_server_options){.tls = tls, .login = tls ? NULL : "crier:" CANARY});
        struct smtp_options o = plain(server);
        size_t before; /* with that by which the server tries itself */
        struct smtp *s;
        json_t *all;

        o.tls = tls ? SMTP_TLS_REQUIRED : SMTP_TLS_NONE;
        o.ca_file = tls ? mail_server_certificate() : "";
        o.user = tls ? "" : "crier";
        o.password = tls ? "" : CANARY;
        s = smtp_new(&o);
        send_some(s, 1);
        before = mail_server_connections(server);
        send_some(s, 99);
        assert_int_equal(mail_server_connections(server), before);
        send_some(s, 50);
        assert_int_equal(mail_server_connections(server), before + 1);
        all = mail_server_messages(server);
        assert_int_equal(json_array_size(all), 150);
        json_decref(all);
        smtp_free(s);
        server_free(server);
    }
}

static void a_connection_that_the_server_ends_costs_no_try(void **state)
{
    static const char *const manners[] = {"421-second", "drop-second", "hang-up"};
    struct server *server = mail_server_start(&(struct mail_server_options){0});
    struct smtp_options o = plain(server);
    char closed[400];

    (void)state;
    snprintf(closed, sizeof closed, "%s/closed", server_folder(server));
    for (size_t i = 0; i < ARRAY_LENGTH(manners); i++) {
        struct smtp *s = smtp_new(&o);
        size_t before;

        mail_server_behave(server, manners[i]);
        send_some(s, 1);
        before = mail_server_connections(server);
        while (strcmp(manners[i], "hang-up") == 0 && access(closed, F_OK) != 0)
            nanosleep(&(struct timespec){0, 5000000}, NULL);
        send_some(s, 1);
        assert_int_equal(mail_server_connections(server), before + 1);
        smtp_free(s);
    }
    server_free(server);
}

static void a_connection_without_work_ends_with_a_farewell(void **state)
{
    struct server *server = mail_server_start(&(struct mail_server_options){0});
    struct smtp_options o = plain(server);
    struct smtp *s = smtp_new(&o);
    int64_t started_ms = clock_monotonic_ms();
    char farewells[400];

    (void)state;
    snprintf(farewells, sizeof farewells, "%s/farewells", server_folder(server));
    send_some(s, 1);
    while (access(farewells, F_OK) != 0) {
        smtp_rest(s);
        nanosleep(&(struct timespec){0, 50000000}, NULL);
        assert_true(clock_monotonic_ms() - started_ms < 60000);
    }
    assert_true(clock_monotonic_ms() - started_ms >= 5000);
    send_some(s, 1);
    smtp_free(s);
    server_free(server);
}

static void a_refused_message_spoils_nothing_for_the_next(void **state)
{
    struct server *server = mail_server_start(&(struct mail_server_options){0});
    struct smtp_options o = plain(server);
    struct smtp *s = smtp_new(&o);
    static const char *const manners[] = {"550", "450", "451-data", "554-data", "close"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(manners); i++) {
        mail_server_behave(server, "ok");
        send_some(s, 2);
        mail_server_behave(server, manners[i]);
        smtp_send(s, &(struct smtp_message){"a@example.org", "b@example.org", text, sizeof text - 1}, &answer);
        assert_int_not_equal(answer.outcome, SMTP_SENT);
    }
    mail_server_behave(server, "ok");
    send_some(s, 1);
    smtp_free(s);
    server_free(server);
}

static void a_login_is_made_and_its_refusal_is_no_fault_of_the_message(void **state)
{
    struct server *server = mail_server_start(&(struct mail_server_options){.login = "crier:" CANARY});
    struct smtp_options o = plain(server);

    (void)state;
    assert_int_equal(send_by(&o), SMTP_AGAIN); /* 530: a login is wanted */
    o.user = "crier";
    o.password = CANARY "-other";
    assert_int_equal(send_by(&o), SMTP_AGAIN);
    assert_int_equal(answer.status, 535);
    assert_null(strstr(answer.err.text, CANARY));
    o.password = CANARY;
    assert_int_equal(send_by(&o), SMTP_SENT);
    server_free(server);
}

static void a_server_is_named_without_user_and_path(void **state)
{
    static const char *const wrong[] = {"mail.example.org",    "smtp://",         "smtp://user:" CANARY "@host",
                                        "smtp://host/me",      "http://host",     "smtp://host\nx",
                                        "smtp://host name:25", "smtp://host?x=1", "smtp://h\xc3\xb6st"};
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        err = (struct error)ERROR_INIT;
        assert_false(smtp_server_check(wrong[i], &err));
        assert_null(strstr(err.text, CANARY));
    }
    assert_true(smtp_server_check("smtp://mail.example.org:587", &err));
    assert_true(smtp_server_check("smtps://mail.example.org", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_byte_for_byte),
        cmocka_unit_test(what_a_server_answers_decides_what_becomes_of_it),
        cmocka_unit_test(where_tls_is_required_a_server_without_it_gets_nothing),
        cmocka_unit_test(who_keeps_tls_away_where_it_is_required_gets_neither_mail_nor_password),
        cmocka_unit_test(messages_follow_each_other_over_one_connection),
        cmocka_unit_test(a_connection_that_the_server_ends_costs_no_try),
        cmocka_unit_test(a_connection_without_work_ends_with_a_farewell),
        cmocka_unit_test(a_refused_message_spoils_nothing_for_the_next),
        cmocka_unit_test(a_login_is_made_and_its_refusal_is_no_fault_of_the_message),
        cmocka_unit_test(a_server_is_named_without_user_and_path),
    };
    int failed;

    http_global_init();
    if (!mail_server_there())
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&answer.words);
    return failed;
}
