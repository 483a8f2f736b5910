/* What `crier webhooks` does at the command line is done over HTTP as well, for those who may. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/json.h"
#include "base/signature.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/scene.h"
#include "support/serve_client.h"
#include "support/webhook_stage.h"

enum { TIMEOUT_S = 8 };

struct stage {
    struct scene *scene;
    struct hook_server *target;
    struct server *serve;
    struct buf text;                       /* of the last answer */
    char *ada, *ben, *admin, *id, *secret; /* id: of a subscription that is ada's */
};

static void expect(struct stage *s, long status, const char *token, const char *method, const char *path,
                   const char *body)
{
    serve_expect(s->serve, status,
                 &(struct serve_request){.method = method, .path = path, .token = token, .body = body}, &s->text);
}

static char *member(struct stage *s, const char *name)
{
    return serve_member(&s->text, name);
}

static char *token(struct stage *s, const char *scope)
{
    return serve_token_known(s->serve, s->scene->config_path, scope, NULL);
}

/* A subscription, and the target of a handler; more: lines at the end of the ini. */
static struct stage *stage_open(const char *more)
{
    struct stage *s = xcalloc(1, sizeof *s);
    struct buf ini = BUF_INIT;
    char body[200];

    s->target = hook_server_start("127.0.0.1");
    buf_printf(
        &ini,
        "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\naccess = tokens\n"
        "[queue changes]\nevents = record.* user.*\n"
        "[handler users]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\nports = %d\n"
        "allow = 127.0.0.0/8\ntimeout = %ds\n"
        "[handler partner]\ntype = webhook\nqueue = changes\nevents = user.*\nschedule = every 100ms\nhttp = yes\n"
        "ports = %d\nallow = 127.0.0.0/8\ntimeout = %ds\nurl = http://127.0.0.1:%d/partner\n"
        "secret = " WEBHOOK_SECRET "\n%s",
        hook_server_port(s->target), TIMEOUT_S, hook_server_port(s->target), TIMEOUT_S, hook_server_port(s->target),
        more);
    s->scene = scene_open(ini.data);
    buf_release(&ini);
    buf_init(&s->text);
    s->serve = crier_serve_start(s->scene->config_path);
    s->ada = token(s, "webhooks");
    s->ben = token(s, "webhooks");
    s->admin = token(s, "admin");
    snprintf(body, sizeof body, "{\"url\":\"http://127.0.0.1:%d/secret-path\",\"events\":\"record.*\"%s}",
             hook_server_port(s->target), *more ? ",\"handler\":\"users\"" : "");
    expect(s, 201, s->ada, "POST", "/webhooks", body);
    s->id = member(s, "id");
    s->secret = member(s, "secret");
    return s;
}

static void stage_close(struct stage *s)
{
    server_free(s->serve);
    scene_close(s->scene);
    hook_server_free(s->target);
    buf_release(&s->text);
    free(s->ada);
    free(s->ben);
    free(s->admin);
    free(s->id);
    free(s->secret);
    free(s);
}

static const char *path(struct stage *s, const char *name, const char *what)
{
    return arena_printf(s->scene->arena, "/webhooks/%s%s", name, what);
}

static void expect_signed(struct stage *s, size_t i, const char *secret)
{
    char *id = hook_server_header(s->target, i, "webhook-id"),
         *at = hook_server_header(s->target, i, "webhook-timestamp"),
         *signature = hook_server_header(s->target, i, "webhook-signature");
    const char *body = hook_server_body(s->target, i);
    struct error err;
    struct signer *signer = signer_new(secret, &err);

    assert_non_null(signer);
    if (!signature_verify(signer, &(struct signature_claim){id, at, signature}, strtoll(at, NULL, 10), body,
                          strlen(body), &err))
        fail_msg("%s", err.text);
    signer_free(signer);
    free(id);
    free(at);
    free(signature);
}

static void expect_answer(struct stage *s, bool done, int status, const char *reply)
{
    json_t *answer = serve_answer(&s->text);

    assert_int_equal(json_is_true(json_object_get(answer, "done")), done);
    assert_int_equal(json_integer_value(json_object_get(answer, "status")), status);
    assert_string_equal(json_member_text(answer, "reply", ""), reply);
    assert_int_equal(*json_member_text(answer, "error", "") != '\0', status == 0);
    json_decref(answer);
}

static void a_test_says_what_the_target_answers(void **state)
{
    struct stage *s = stage_open("");

    (void)state;
    hook_server_answer(s->target, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nthanks");
    expect(s, 200, s->ada, "POST", path(s, s->id, "/test"), "{}");
    expect_answer(s, true, 200, "thanks");
    assert_int_equal(hook_server_count(s->target), 1);
    assert_non_null(strstr(hook_server_body(s->target, 0), "\"type\":\"crier.webhook.test\""));
    assert_non_null(strstr(hook_server_body(s->target, 0), s->id));
    expect_signed(s, 0, s->secret);
    hook_server_answer(s->target, "HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\n\xff why");
    expect(s, 200, s->ada, "POST", path(s, s->id, "/test"), "{}");
    expect_answer(s, false, 403, "");
    hook_server_behave(s->target, HOOK_RESET);
    expect(s, 200, s->ada, "POST", path(s, s->id, "/test"), "{}");
    expect_answer(s, false, 0, "");
    assert_null(strstr(s->text.data, "secret-path"));
    expect(s, 200, s->ada, "GET", path(s, s->id, ""), NULL); /* it has no part in what is delivered */
    assert_non_null(strstr(s->text.data, "\"state\":\"on\""));
    assert_non_null(strstr(s->text.data, "\"waiting\":0"));
    stage_close(s);
}

static void a_test_is_for_the_owner_and_for_an_admin(void **state)
{
    struct stage *s = stage_open("");
    char *other = token(s, "emit stats:read");

    (void)state;
    expect(s, 401, NULL, "POST", path(s, s->id, "/test"), "{}");
    expect(s, 403, other, "POST", path(s, s->id, "/test"), "{}");
    expect(s, 404, s->ben, "POST", path(s, s->id, "/test"), "{}");
    expect(s, 404, s->ada, "POST", path(s, "partner", "/test"), "{}");
    assert_int_equal(hook_server_connections(s->target), 0);
    expect(s, 200, s->admin, "POST", path(s, s->id, "/test"), "{}");
    expect(s, 200, s->admin, "POST", path(s, "partner", "/test"), "{}");
    assert_int_equal(hook_server_count(s->target), 2);
    expect_signed(s, 1, WEBHOOK_SECRET);
    free(other);
    stage_close(s);
}

static void *test_in_vain(void *context)
{
    struct stage *s = context;
    struct buf text = BUF_INIT;
    char tested[100];
    const struct serve_request asked = {.method = "POST", .path = tested, .token = s->ada, .body = "{}"};

    snprintf(tested, sizeof tested, "/webhooks/%s/test", s->id);
    assert_int_equal(serve_ask(s->serve, &asked, &text), 200);
    assert_non_null(strstr(text.data, "\"done\":false"));
    buf_release(&text);
    return NULL;
}

static void targets_that_hang_keep_no_other_page_from_being_answered(void **state)
{
    struct stage *s = stage_open("");
    const char *tested = path(s, s->id, "/test"), *shown = path(s, s->id, "");
    pthread_t threads[2];

    (void)state;
    hook_server_behave(s->target, HOOK_HANG);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, test_in_vain, s), 0);
        hook_server_await(s->target, i + 1);
    }
    expect(s, 429, s->ada, "POST", tested, "{}");
    expect(s, 200, s->ada, "GET", shown, NULL);
    expect(s, 200, s->ada, "GET", "/webhooks", NULL);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    hook_server_behave(s->target, HOOK_ANSWER);
    expect(s, 200, s->ada, "POST", tested, "{}");
    expect_answer(s, true, 200, "");
    stage_close(s);
}

/* The id of the last attempt, once there are so many. */
static char *attempted(struct stage *s, size_t count)
{
    json_t *attempts = NULL;
    char *id;

    do {
        json_decref(attempts);
        expect(s, 200, s->ada, "GET", path(s, s->id, "/attempts"), NULL);
        attempts = serve_answer(&s->text);
    } while (json_array_size(attempts) < count);
    id = xstrdup(json_member_text(json_array_get(attempts, 0), "id", ""));
    json_decref(attempts);
    return id;
}

static void what_waits_is_sent_at_once(void **state)
{
    struct stage *s = stage_open("");
    struct event e = scene_event(s->scene, "record.published", "a", "records/1", 1, "{}");
    json_t *attempts;
    char *id, *again;

    (void)state;
    hook_server_answer(s->target, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    scene_append(s->scene, &e, 1);
    id = attempted(s, 1);
    expect(s, 404, s->ben, "POST", path(s, s->id, arena_printf(s->scene->arena, "/resend/%s", id)), "{}");
    expect(s, 404, s->ada, "POST", path(s, s->id, "/resend/"), "{}");
    expect(s, 404, s->ada, "POST", path(s, s->id, "/resend"), "{}");
    expect(s, 400, s->ada, "POST", path(s, s->id, "/resend/msg_0"), "{}");
    assert_non_null(strstr(s->text.data, "does not wait"));
    expect(s, 200, s->ada, "POST", path(s, s->id, arena_printf(s->scene->arena, "/resend/%s", id)), "{}");
    free(attempted(s, 2)); /* the next one by the schedule would come after five minutes */
    hook_server_answer(s->target, NULL);
    expect(s, 200, s->ada, "POST", path(s, s->id, arena_printf(s->scene->arena, "/resend/%s", id)), "{}");
    hook_server_await(s->target, 3);
    again = hook_server_header(s->target, 2, "webhook-id");
    assert_string_equal(again, id);
    free(again);
    free(attempted(s, 3));
    expect(s, 200, s->ada, "GET", path(s, s->id, "/attempts?limit=1"), NULL);
    attempts = serve_answer(&s->text);
    assert_int_equal(json_array_size(attempts), 1);
    assert_string_equal(json_member_text(json_array_get(attempts, 0), "fate", ""), "done");
    json_decref(attempts);
    expect(s, 400, s->ada, "GET", path(s, s->id, "/attempts?limit=0"), NULL);
    expect(s, 400, s->ada, "POST", path(s, s->id, arena_printf(s->scene->arena, "/resend/%s", id)), "{}");
    assert_non_null(strstr(s->text.data, "no handler of type history"));
    free(id);
    stage_close(s);
}

static void targets_of_handlers_are_for_admins(void **state)
{
    static const char *const changes[] = {"/pause", "/resume", "/test", "/rotate"};
    struct stage *s = stage_open("");

    (void)state;
    expect(s, 200, s->ada, "GET", "/webhooks", NULL);
    assert_null(strstr(s->text.data, "partner"));
    expect(s, 404, s->ada, "GET", path(s, "partner", ""), NULL);
    expect(s, 404, s->ada, "GET", path(s, "partner", "/attempts"), NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++)
        expect(s, 404, s->ada, "POST", path(s, "partner", changes[i]), "{}");
    expect(s, 404, s->ada, "DELETE", path(s, "partner", ""), NULL);
    expect(s, 200, s->admin, "GET", "/webhooks", NULL);
    assert_non_null(strstr(s->text.data, "\"id\":\"partner\""));
    assert_non_null(strstr(s->text.data, s->id));
    expect(s, 200, s->admin, "POST", path(s, "partner", "/pause"), "{}");
    assert_non_null(strstr(s->text.data, "\"state\":\"paused\""));
    assert_non_null(strstr(s->text.data, "\"since\":\"2"));
    expect(s, 200, s->admin, "POST", path(s, "partner", "/resume"), "{}");
    assert_non_null(strstr(s->text.data, "\"state\":\"on\""));
    expect(s, 200, s->admin, "GET", path(s, "partner", "/attempts"), NULL);
    expect(s, 400, s->admin, "POST", path(s, "partner", "/rotate"), "{}");
    expect(s, 400, s->admin, "DELETE", path(s, "partner", ""), NULL);
    expect(s, 404, s->admin, "GET", path(s, "users", ""), NULL);
    stage_close(s);
}

static void of_several_handlers_one_is_named(void **state)
{
    struct stage *s = stage_open("[handler more]\ntype = webhook\nqueue = changes\n");
    char *id;

    (void)state;
    expect(s, 400, s->ada, "POST", "/webhooks", "{\"url\":\"https://example.org/\"}");
    assert_non_null(strstr(s->text.data, "several handlers serve subscriptions"));
    expect(s, 400, s->ada, "POST", "/webhooks", "{\"url\":\"https://example.org/\",\"handler\":\"partner\"}");
    expect(s, 201, s->ada, "POST", "/webhooks", "{\"url\":\"https://example.org/\",\"handler\":\"more\"}");
    id = member(s, "id");
    expect(s, 200, s->ada, "GET", path(s, id, ""), NULL);
    assert_non_null(strstr(s->text.data, "\"handler\":\"more\""));
    expect(s, 200, s->ada, "GET", "/webhooks", NULL);
    assert_non_null(strstr(s->text.data, id));
    assert_non_null(strstr(s->text.data, s->id));
    free(id);
    stage_close(s);
}

static const char *made(struct stage *s, const char *name)
{
    char *text = member(s, name);
    const char *kept = arena_text(s->scene->arena, text);

    free(text);
    return kept;
}

/* Whoever verifies has the public half, and nobody but crier the private one. */
static void a_subscription_is_signed_by_a_key_of_its_own(void **state)
{
    struct stage *s = stage_open("");
    const char *id, *first, *second, *secret;

    (void)state;
    expect(s, 400, s->ada, "POST", "/webhooks", "{\"url\":\"https://example.org/\",\"signature\":\"v2\"}");
    assert_non_null(strstr(s->text.data, "signature: v1 or v1a"));
    expect(s, 201, s->ada, "POST", "/webhooks",
           arena_printf(s->scene->arena, "{\"url\":\"http://127.0.0.1:%d/\",\"signature\":\"v1a\"}",
                        hook_server_port(s->target)));
    assert_null(strstr(s->text.data, "whsk_"));
    id = made(s, "id");
    first = made(s, "public_key");
    assert_memory_equal(first, "whpk_", 5);
    expect(s, 200, s->ada, "POST", path(s, id, "/test"), "{}");
    expect_signed(s, 0, first);
    expect(s, 200, s->ada, "GET", path(s, id, ""), NULL);
    assert_string_equal(made(s, "public_key"), first);
    assert_null(strstr(s->text.data, "whsk_"));
    expect(s, 200, s->ada, "POST", path(s, id, "/rotate"), "{}");
    second = made(s, "public_key");
    assert_string_not_equal(second, first);
    expect(s, 200, s->ada, "POST", path(s, id, "/test"), "{}");
    expect_signed(s, 1, first);
    expect_signed(s, 1, second);
    expect(s, 400, s->ada, "POST", path(s, id, "/rotate?signature=v2"), "{}");
    expect(s, 200, s->ada, "POST", path(s, id, "/rotate?signature=v1"), "{}");
    secret = made(s, "secret");
    expect(s, 200, s->ada, "POST", path(s, id, "/test"), "{}");
    expect_signed(s, 2, second);
    expect_signed(s, 2, secret);
    expect(s, 200, s->ada, "POST", path(s, id, "/rotate?over=1"), "{}");
    expect(s, 200, s->ada, "GET", path(s, id, ""), NULL);
    assert_null(strstr(s->text.data, "public_key"));
    stage_close(s);
}

static void a_handler_signs_by_a_key_and_shows_what_verifies(void **state)
{
    struct stage *s = stage_open("[handler keyed]\ntype = webhook\nqueue = changes\nevents = user.*\nhttp = yes\n"
                                 "ports = 1 65000\nallow = 127.0.0.0/8\nurl = http://127.0.0.1:65000/\n"
                                 "secret = whsk_" CANARY CANARY CANARY "canarys=\n");
    const char *words[] = {"webhooks", "--config", s->scene->config_path, "list", "--json", NULL};
    char *listed;

    (void)state;
    expect(s, 200, s->admin, "GET", path(s, "keyed", ""), NULL);
    assert_string_equal(made(s, "public_key"), "whpk_+ldZSc37zFmitEo+RHyrjvZlQOyhtF1vPkCY229prvA=");
    assert_int_equal(crier_run(&listed, words), 0);
    assert_non_null(strstr(listed, "whpk_+ldZSc37zFmitEo+RHyrjvZlQOyhtF1vPkCY229prvA="));
    assert_null(strstr(listed, "whsk_"));
    free(listed);
    stage_close(s);
}

/* The verbs of `crier webhooks`, and where they are on the door. */
static void every_verb_has_its_page(void **state)
{
    static const struct {
        const char *verb, *method, *what; /* NULL: about all of them */
        long status;
    } pages[] = {
        {"list",     "GET",    NULL,             200},
        {"show",     "GET",    "",               200},
        {"attempts", "GET",    "/attempts",      200},
        {"test",     "POST",   "/test",          200},
        {"pause",    "POST",   "/pause",         200},
        {"resume",   "POST",   "/resume",        200},
        {"rotate",   "POST",   "/rotate",        200},
        {"rotate",   "POST",   "/rotate?over=1", 200},
        {"resend",   "POST",   "/resend/msg_0",  400},
        {"remove",   "DELETE", "",               200},
        {"show",     "GET",    "",               404},
        {"add",      "POST",   NULL,             400},
    };
    struct stage *s = stage_open("");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++)
        expect(s, pages[i].status, s->ada, pages[i].method, pages[i].what ? path(s, s->id, pages[i].what) : "/webhooks",
               strcmp(pages[i].method, "POST") == 0 ? "{}" : NULL);
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_has_its_page),
        cmocka_unit_test(a_test_says_what_the_target_answers),
        cmocka_unit_test(a_test_is_for_the_owner_and_for_an_admin),
        cmocka_unit_test(targets_that_hang_keep_no_other_page_from_being_answered),
        cmocka_unit_test(what_waits_is_sent_at_once),
        cmocka_unit_test(targets_of_handlers_are_for_admins),
        cmocka_unit_test(of_several_handlers_one_is_named),
        cmocka_unit_test(a_subscription_is_signed_by_a_key_of_its_own),
        cmocka_unit_test(a_handler_signs_by_a_key_and_shows_what_verifies),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
