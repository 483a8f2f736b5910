/* Subscriptions over HTTP: everybody has their own, by their token, and gets no more than it may see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/scene.h"
#include "support/serve_client.h"

struct stage {
    struct scene *scene;
    struct hook_server *target;
    struct server *serve;
    struct buf text; /* of the last answer */
    char url[100];
};

/* more: lines of the section of webhooks. */
static struct stage *stage_open_with(const char *more)
{
    struct stage *s = xcalloc(1, sizeof *s);
    char ini[1000];

    buf_init(&s->text);
    s->target = hook_server_start("127.0.0.1");
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/" CANARY "-path", hook_server_port(s->target));
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\naccess = tokens\n"
             "[queue changes]\nevents = record.* user.*\n"
             "[handler users]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\nports = %d 443\n"
             "allow = 127.0.0.0/8\ntimeout = 10s\nconcurrency = 2\n%s",
             hook_server_port(s->target), more);
    s->scene = scene_open(ini);
    s->serve = crier_serve_start(s->scene->config_path);
    return s;
}

static struct stage *stage_open(void)
{
    return stage_open_with("");
}

static void stage_close(struct stage *s)
{
    server_free(s->serve);
    scene_close(s->scene);
    hook_server_free(s->target);
    buf_release(&s->text);
    free(s);
}

static void expect(struct stage *s, long status, const char *token, const char *method, const char *path,
                   const char *body)
{
    serve_expect(s->serve, status,
                 &(struct serve_request){.method = method, .path = path, .token = token, .body = body}, &s->text);
}

static char *make_token(struct stage *s, const char *scope, const char *events)
{
    return serve_token_known(s->serve, s->scene->config_path, scope, events);
}

static char *member(struct stage *s, const char *name)
{
    return serve_member(&s->text, name);
}

/* Its id; yours to free. */
static char *subscribe(struct stage *s, const char *token, const char *more)
{
    char body[600];

    snprintf(body, sizeof body, "{\"url\":\"%s\"%s}", s->url, more);
    expect(s, 201, token, "POST", "/webhooks", body);
    canary_learn(s->text.data);
    return member(s, "id");
}

static char *path_of(const char *id, const char *what)
{
    static char path[100];

    snprintf(path, sizeof path, "/webhooks/%s%s", id, what);
    return path;
}

static void emit(struct stage *s, const char *type, const char *id)
{
    struct event e = scene_event(s->scene, type, id, "records/1", 1, "{}");

    scene_append(s->scene, &e, 1);
}

static void only_those_with_the_scope_may_subscribe(void **state)
{
    struct stage *s = stage_open();
    char *token = make_token(s, "emit stats:read", NULL);

    (void)state;
    expect(s, 401, NULL, "GET", "/webhooks", NULL);
    expect(s, 401, NULL, "POST", "/webhooks", "{}");
    expect(s, 403, token, "GET", "/webhooks", NULL);
    expect(s, 403, token, "DELETE", "/webhooks/wh_1", NULL);
    free(token);
    stage_close(s);
}

static void everybody_has_their_own(void **state)
{
    struct stage *s = stage_open();
    char *ada = make_token(s, "webhooks", NULL), *ben = make_token(s, "webhooks", NULL),
         *admin = make_token(s, "admin", NULL);
    char *id = subscribe(s, ada, "");

    (void)state;
    expect(s, 200, ada, "GET", "/webhooks", NULL);
    assert_non_null(strstr(s->text.data, id));
    expect(s, 200, admin, "GET", "/webhooks", NULL);
    assert_non_null(strstr(s->text.data, id));
    expect(s, 200, ben, "GET", "/webhooks", NULL);
    assert_string_equal(s->text.data, "[]");
    expect(s, 404, ben, "GET", path_of(id, ""), NULL);
    expect(s, 404, ben, "GET", path_of(id, "/attempts"), NULL);
    expect(s, 404, ben, "POST", path_of(id, "/pause"), "{}");
    expect(s, 404, ben, "POST", path_of(id, "/rotate"), "{}");
    expect(s, 404, ben, "DELETE", path_of(id, ""), NULL);
    expect(s, 200, ada, "POST", path_of(id, "/pause"), "{}");
    assert_non_null(strstr(s->text.data, "\"state\":\"paused\""));
    expect(s, 200, ada, "POST", path_of(id, "/resume"), "{}");
    assert_non_null(strstr(s->text.data, "\"state\":\"on\""));
    expect(s, 200, ada, "DELETE", path_of(id, ""), NULL);
    expect(s, 404, ada, "GET", path_of(id, ""), NULL);
    free(id);
    free(ada);
    free(ben);
    free(admin);
    stage_close(s);
}

static void one_token_takes_no_more_than_its_share(void **state)
{
    struct stage *s = stage_open();
    char *ada = make_token(s, "webhooks", NULL), *ben = make_token(s, "webhooks", NULL);
    char body[200];

    (void)state;
    snprintf(body, sizeof body, "{\"url\":\"%s\"}", s->url);
    for (int i = 0; i < 20; i++)
        expect(s, 201, ada, "POST", "/webhooks", body);
    expect(s, 400, ada, "POST", "/webhooks", body);
    assert_non_null(strstr(s->text.data, "a token may have 20 subscriptions"));
    expect(s, 201, ben, "POST", "/webhooks", body);
    free(ada);
    free(ben);
    stage_close(s);
}

static void a_subscription_gets_no_more_than_its_maker_may_see(void **state)
{
    struct stage *s = stage_open();
    char *token = make_token(s, "webhooks", "record.*");
    char *id = subscribe(s, token, ",\"events\":\"**\"");

    (void)state;
    emit(s, "user.updated", "u");
    emit(s, "record.published", "r");
    hook_server_await(s->target, 1);
    emit(s, "user.updated", "v");
    emit(s, "record.published", "q");
    hook_server_await(s->target, 2);
    assert_non_null(strstr(hook_server_body(s->target, 0), "record.published"));
    assert_non_null(strstr(hook_server_body(s->target, 1), "record.published"));
    free(id);
    free(token);
    stage_close(s);
}

static void a_secret_is_shown_once_and_the_path_never(void **state)
{
    struct stage *s = stage_open();
    char *token = make_token(s, "webhooks", NULL);
    char *id = subscribe(s, token, ",\"headers\":\"X-Key: " CANARY "\"");
    char *secret = member(s, "secret"), *next;
    const char *const pages[] = {"", "/attempts"};

    (void)state;
    assert_memory_equal(secret, "whsec_", 6);
    emit(s, "record.published", "a");
    hook_server_await(s->target, 1);
    expect(s, 200, token, "POST", path_of(id, "/rotate"), "{}");
    canary_learn(s->text.data);
    next = member(s, "secret");
    assert_memory_equal(next, "whsec_", 6);
    assert_string_not_equal(next, secret);
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        expect(s, 200, token, "GET", path_of(id, pages[i]), NULL);
        assert_null(strstr(s->text.data, "whsec_"));
        canary_check(pages[i], s->text.data);
    }
    free(next);
    free(secret);
    free(id);
    free(token);
    stage_close(s);
}

static void what_is_no_subscription_is_refused_and_said(void **state)
{
    static const struct {
        const char *body, *says;
    } wrong[] = {
        {"",                                                                   ""                           },
        {"[]",                                                                 "an object is wanted"        },
        {"{}",                                                                 "url: "                      },
        {"{\"url\":7}",                                                        "url must be a string"       },
        {"{\"url\":\"https://169.254.169.254/\"}",                             "not public"                 },
        {"{\"url\":\"https://example.org:25/\"}",                              "port 25 is not one"         },
        {"{\"url\":\"https://a:" CANARY "@example.org/\"}",                    "no user or password"        },
        {"{\"url\":\"https://example.org/\",\"conditon\":\"\"}",               "there is no member conditon"},
        {"{\"url\":\"https://example.org/\",\"condition\":\"data.x\"}",        "condition: "                },
        {"{\"url\":\"https://example.org/\",\"headers\":\"A: b\\r\\nC: d\"}",  "headers: there is a control"},
        {"{\"url\":\"https://example.org/\",\"secret\":\"whsec_" CANARY "\"}", "secret: "                   },
        {"{\"url\":\"https://example.org/\",\"within\":\"**\"}",               "there is no member within"  },
    };
    struct stage *s = stage_open();
    char *token = make_token(s, "webhooks", NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        expect(s, 400, token, "POST", "/webhooks", wrong[i].body);
        if (!strstr(s->text.data, wrong[i].says) || strstr(s->text.data, "canary"))
            fail_msg("%s: %s", wrong[i].body, s->text.data);
    }
    expect(s, 200, token, "GET", "/webhooks", NULL);
    assert_string_equal(s->text.data, "[]");
    expect(s, 404, token, "GET", "/webhooks/wh_none", NULL);
    expect(s, 404, token, "POST", "/webhooks/wh_none/burn", "{}");
    free(token);
    stage_close(s);
}

static const char told_is_bounded[] =
    "owner_mail: an address may be told that is like one of these: *@example.org ben@partner.example";

static void a_stranger_is_refused_as_who_is_told_of_trouble(void **state)
{
    struct stage *s = stage_open_with("owner_mails = *@example.org ben@partner.example\n");
    char *token = make_token(s, "webhooks", NULL), body[300], *id, *out;
    const char *words[] = {"webhooks", "--config",     s->scene->config_path, "add",
                           s->url,     "--owner-mail", "eve@partner.example", NULL};

    (void)state;
    snprintf(body, sizeof body, "{\"url\":\"%s\",\"owner_mail\":\"eve@partner.example\"}", s->url);
    expect(s, 400, token, "POST", "/webhooks", body);
    assert_non_null(strstr(s->text.data, told_is_bounded));
    assert_int_equal(crier_run(&out, words), 2);
    assert_non_null(strstr(out, told_is_bounded));
    free(out);
    id = subscribe(s, token, ",\"owner_mail\":\"Ada@Example.org\"");
    free(id);
    id = subscribe(s, token, "");
    free(id);
    free(token);
    stage_close(s);
}

/* What was made before the section bounded it still gets its events; of trouble the section's own address is told. */
static void a_stranger_who_was_named_before_is_told_no_more(void **state)
{
    struct stage *s = stage_open_with("owner_mail = ops@example.org\nowner_mails = *@example.org\n");
    char *token = make_token(s, "webhooks", NULL), *id = subscribe(s, token, ""), *mail;

    (void)state;
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s owner_mail eve@partner.example", id);
    scene_redis(s->scene, "INCR crier:{webhooks}:subscriptions-version:users");
    expect(s, 200, token, "GET", path_of(id, ""), NULL);
    mail = member(s, "owner_mail");
    assert_string_equal(mail, "ops@example.org");
    emit(s, "record.published", "e1");
    hook_server_await(s->target, 1);
    free(mail);
    free(id);
    free(token);
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_those_with_the_scope_may_subscribe),
        cmocka_unit_test(everybody_has_their_own),
        cmocka_unit_test(one_token_takes_no_more_than_its_share),
        cmocka_unit_test(a_subscription_gets_no_more_than_its_maker_may_see),
        cmocka_unit_test(a_secret_is_shown_once_and_the_path_never),
        cmocka_unit_test(what_is_no_subscription_is_refused_and_said),
        cmocka_unit_test(a_stranger_is_refused_as_who_is_told_of_trouble),
        cmocka_unit_test(a_stranger_who_was_named_before_is_told_no_more),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
