/* How an address gets its mails, over HTTP: by who has the scope, and by the link that a mail carries. */
#include <pthread.h>
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
#include "support/mail_stage.h"
#include "support/serve_client.h"

#define BASE "https://crier.example.org"

struct stage {
    struct mail_stage *mail;
    struct server *serve;
    struct buf text; /* of the last answer */
};

static struct stage stage_open(const char *http, const char *more)
{
    struct stage s = {.mail = mail_stage_open_with(http, more), .text = BUF_INIT};

    s.serve = crier_serve_start(s.mail->scene->config_path);
    return s;
}

static void stage_close(struct stage *s)
{
    server_free(s->serve);
    mail_stage_close(s->mail);
    buf_release(&s->text);
}

static long ask_as(struct stage *s, const char *token, const char *method, const char *path, const char *type,
                   const char *body)
{
    return serve_ask(
        s->serve,
        &(struct serve_request){.method = method, .path = path, .token = token, .content_type = type, .body = body},
        &s->text);
}

static void expect(struct stage *s, long status, const char *says, const char *token, const char *method,
                   const char *path, const char *body)
{
    long answered = ask_as(s, token, method, path, NULL, body);

    if (answered != status || !strstr(s->text.data, says))
        fail_msg("%s %s: %ld %s", method, path, answered, s->text.data);
}

static char *make_token(struct stage *s, const char *scope)
{
    return serve_token_known(s->serve, s->mail->scene->config_path, scope, NULL);
}

static void preferences_are_told_and_set_by_who_has_the_scope(void **state)
{
    static const char path[] = "/mail/preferences/Ada@example.org";
    struct stage s = stage_open("access = tokens\n", "");
    char *mail = make_token(&s, "mail"), *other = make_token(&s, "stats:read webhooks emit");

    (void)state;
    expect(&s, 401, "", NULL, "GET", path, NULL);
    expect(&s, 403, "", other, "GET", path, NULL);
    expect(&s, 403, "", other, "PUT", path, "{\"mails\":\"off\"}");
    expect(&s, 200, "{\"handlers\":{\"mails\":\"at-once\"}}", mail, "GET", path, NULL);
    expect(&s, 200, "{\"handlers\":{\"mails\":\"daily\"}}", mail, "PUT", path, "{\"mails\":\"daily\"}");
    expect(&s, 200, "{\"handlers\":{\"mails\":\"weekly\"}}", mail, "PUT", path,
           "{\"mails\":\"weekly\",\"handler\":\"mails\"}");
    expect(&s, 200, "weekly", mail, "GET", "/mail/preferences/ada@example.org", NULL);
    expect(&s, 200, "at-once", mail, "GET", "/mail/preferences/ben@example.org", NULL);
    expect(&s, 400, "off, at-once, daily or weekly", mail, "PUT", path, "{\"mails\":\"sometimes\"}");
    expect(&s, 400, "mails is missing", mail, "PUT", path, "{\"handler\":\"mails\"}");
    expect(&s, 400, "no other member", mail, "PUT", path, "{\"mails\":\"off\",\"handlr\":\"mails\"}");
    expect(&s, 400, "handler one of type mail", mail, "PUT", path, "{\"mails\":\"off\",\"handler\":\"nobody\"}");
    expect(&s, 400, "", mail, "PUT", path, "[]");
    expect(&s, 400, "", mail, "PUT", path, "{");
    expect(&s, 400, "not one mail address", mail, "GET", "/mail/preferences/a@b@c", NULL);
    expect(&s, 400, "not one mail address", mail, "GET", "/mail/preferences/a@example.org%0d%0aBcc:x", NULL);
    expect(&s, 405, "", mail, "DELETE", path, NULL);
    expect(&s, 200, "weekly", mail, "GET", path, NULL);
    free(mail);
    free(other);
    stage_close(&s);
}

static void emit(struct stage *s, const char *id)
{
    struct event e =
        scene_event(s->mail->scene, "user.updated", id, "users/1", 3, "{\"to\":\"u@example.org\",\"name\":\"N\"}");

    scene_append(s->mail->scene, &e, 1);
}

/*
 * As a mail program asks, and as the browser of a webmail does through a proxy that leaves the public host as it is:
 * the link says whom it serves, not where it is asked from.
 */
static void assert_one_click(struct stage *s, const char *path, bool by_webmail)
{
    static const struct http_header webmail[] = {
        {"Host",           "crier.example.org"          },
        {"Origin",         "https://webmail.example.com"},
        {"Sec-Fetch-Site", "cross-site"                 },
    };
    const struct serve_request r = {.method = "POST",
                                    .path = path,
                                    .content_type = "application/x-www-form-urlencoded",
                                    .body = "List-Unsubscribe=One-Click",
                                    .headers = webmail,
                                    .header_count = by_webmail ? ARRAY_LENGTH(webmail) : 0};

    assert_int_equal(serve_ask(s->serve, &r, &s->text), 200);
}

/* The path of the link in the first mail; yours to free. */
static char *link_of_mail(struct stage *s)
{
    json_t *all = mail_server_await(s->mail->server, 1);
    char *value = mail_header_of(all, 0, "List-Unsubscribe"), *post = mail_header_of(all, 0, "List-Unsubscribe-Post"),
         *path;

    assert_string_equal(post, "List-Unsubscribe=One-Click");
    assert_memory_equal(value, "<" BASE "/mail/unsubscribe/", strlen("<" BASE "/mail/unsubscribe/"));
    assert_null(strstr(value, "example.org/u")); /* of the address nothing */
    assert_null(strchr(value, '@'));
    path = xstrndup(value + strlen("<" BASE), strlen(value) - strlen("<" BASE) - 1);
    free(value);
    free(post);
    json_decref(all);
    return path;
}

static void the_link_in_a_mail_turns_off_the_mails_of_its_handler_for_its_reader(void **state)
{
    struct stage s = stage_open("access = tokens\n", "one_click = " BASE "\n");
    char *mail = make_token(&s, "mail"), *path;
    json_t *all;

    (void)state;
    emit(&s, "a");
    path = link_of_mail(&s);
    expect(&s, 200, "<form method=\"post\">", NULL, "GET", path, NULL);
    expect(&s, 200, "at-once", mail, "GET", "/mail/preferences/u@example.org",
           NULL); /* who only looks changes nothing */
    assert_one_click(&s, path, true);
    expect(&s, 200, "off", mail, "GET", "/mail/preferences/u@example.org", NULL);
    expect(&s, 200, "", mail, "PUT", "/mail/preferences/u@example.org", "{\"mails\":\"at-once\"}");
    assert_one_click(&s, path, false);
    expect(&s, 200, "off", mail, "GET", "/mail/preferences/u@example.org", NULL);
    expect(&s, 200, "at-once", mail, "GET", "/mail/preferences/v@example.org", NULL);
    emit(&s, "b");
    while (scene_redis(s.mail->scene, "XLEN crier:{mail}:attempts:mails")->integer < 2)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    all = mail_server_messages(s.mail->server);
    assert_int_equal(json_array_size(all), 1);
    json_decref(all);
    free(mail);
    free(path);
    stage_close(&s);
}

static void a_link_that_was_changed_anywhere_does_nothing(void **state)
{
    struct stage s = stage_open("access = tokens\n", "one_click = " BASE "\n");
    char *mail = make_token(&s, "mail"), *path;
    size_t from = strlen("/mail/unsubscribe/");

    (void)state;
    emit(&s, "a");
    path = link_of_mail(&s);
    for (size_t i = from; path[i]; i++) {
        char was = path[i];

        path[i] = was == '0' ? '1' : '0';
        if (ask_as(&s, NULL, "POST", path, "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click") != 404)
            fail_msg("changed at %zu: %s", i, s.text.data);
        path[i] = was;
    }
    expect(&s, 404, "", NULL, "POST", "/mail/unsubscribe/x", "{}");
    expect(&s, 404, "", NULL, "POST", "/mail/unsubscribe/", "{}");
    expect(&s, 404, "", NULL, "GET", "/mail/unsubscribe///", NULL);
    expect(&s, 200, "at-once", mail, "GET", "/mail/preferences/u@example.org", NULL);
    free(mail);
    free(path);
    stage_close(&s);
}

struct visitor {
    const struct server *serve;
    pthread_t thread;
    long status;
};

static void *visit(void *context)
{
    struct visitor *v = context;

    v->status = serve_try(v->serve, &(struct serve_request){.path = "/mail/unsubscribe/a/mails/b"}, NULL);
    return NULL;
}

/* One after the other, each until the time limit of its request to Redis, they would take 40 seconds. */
static void a_redis_that_hangs_keeps_nobody_for_long(void **state)
{
    enum { VISITORS = 8 };
    struct stage s = stage_open("", "one_click = " BASE "\n");
    struct visitor visitors[VISITORS];
    int64_t began_ms;

    (void)state;
    expect(&s, 404, "not one of ours", NULL, "GET", "/mail/unsubscribe/a/mails/b", NULL);
    server_pause(s.mail->scene->redis_server);
    began_ms = clock_monotonic_ms();
    for (size_t i = 0; i < VISITORS; i++) {
        visitors[i] = (struct visitor){.serve = s.serve};
        assert_int_equal(pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]), 0);
    }
    for (size_t i = 0; i < VISITORS; i++) {
        pthread_join(visitors[i].thread, NULL);
        assert_int_equal(visitors[i].status, 503);
    }
    assert_true(clock_monotonic_ms() - began_ms < 25000);
    server_resume(s.mail->scene->redis_server);
    expect(&s, 404, "not one of ours", NULL, "GET", "/mail/unsubscribe/a/mails/b", NULL);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preferences_are_told_and_set_by_who_has_the_scope),
        cmocka_unit_test(the_link_in_a_mail_turns_off_the_mails_of_its_handler_for_its_reader),
        cmocka_unit_test(a_link_that_was_changed_anywhere_does_nothing),
        cmocka_unit_test(a_redis_that_hangs_keeps_nobody_for_long),
    };

    http_global_init();
    return mail_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
