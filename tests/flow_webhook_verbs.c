/* What `crier webhooks` does at the command line is done over HTTP as well, for those who may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/json.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/scene.h"
#include "support/serve_client.h"
#include "support/webhook_service.h"

/* The id of the last attempt, once there are so many. */
static char *attempted(struct webhook_service *s, size_t count)
{
    json_t *attempts = NULL;
    char *id;

    do {
        json_decref(attempts);
        webhook_service_expect(s, 200, s->ada, "GET", webhook_service_path(s, s->id, "/attempts"), NULL);
        attempts = serve_answer(&s->text);
    } while (json_array_size(attempts) < count);
    id = xstrdup(json_member_text(json_array_get(attempts, 0), "id", ""));
    json_decref(attempts);
    return id;
}

static void what_waits_is_sent_at_once(void **state)
{
    struct webhook_service *s = webhook_service_open("");
    struct event e = scene_event(s->scene, "record.published", "a", "records/1", 1, "{}");
    json_t *attempts;
    char *id, *again;

    (void)state;
    hook_server_answer(s->target, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    scene_append(s->scene, &e, 1);
    id = attempted(s, 1);
    webhook_service_expect(s, 404, s->ben, "POST",
                           webhook_service_path(s, s->id, arena_printf(s->scene->arena, "/resend/%s", id)), "{}");
    webhook_service_expect(s, 404, s->ada, "POST", webhook_service_path(s, s->id, "/resend/"), "{}");
    webhook_service_expect(s, 404, s->ada, "POST", webhook_service_path(s, s->id, "/resend"), "{}");
    webhook_service_expect(s, 400, s->ada, "POST", webhook_service_path(s, s->id, "/resend/msg_0"), "{}");
    assert_non_null(strstr(s->text.data, "does not wait"));
    webhook_service_expect(s, 200, s->ada, "POST",
                           webhook_service_path(s, s->id, arena_printf(s->scene->arena, "/resend/%s", id)), "{}");
    free(attempted(s, 2)); /* the next one by the schedule would come after five minutes */
    hook_server_answer(s->target, NULL);
    webhook_service_expect(s, 200, s->ada, "POST",
                           webhook_service_path(s, s->id, arena_printf(s->scene->arena, "/resend/%s", id)), "{}");
    hook_server_await(s->target, 3);
    again = hook_server_header(s->target, 2, "webhook-id");
    assert_string_equal(again, id);
    free(again);
    free(attempted(s, 3));
    webhook_service_expect(s, 200, s->ada, "GET", webhook_service_path(s, s->id, "/attempts?limit=1"), NULL);
    attempts = serve_answer(&s->text);
    assert_int_equal(json_array_size(attempts), 1);
    assert_string_equal(json_member_text(json_array_get(attempts, 0), "fate", ""), "done");
    json_decref(attempts);
    webhook_service_expect(s, 400, s->ada, "GET", webhook_service_path(s, s->id, "/attempts?limit=0"), NULL);
    webhook_service_expect(s, 400, s->ada, "POST",
                           webhook_service_path(s, s->id, arena_printf(s->scene->arena, "/resend/%s", id)), "{}");
    assert_non_null(strstr(s->text.data, "no handler of type history"));
    free(id);
    webhook_service_close(s);
}

static void targets_of_handlers_are_for_admins(void **state)
{
    static const char *const changes[] = {"/pause", "/resume", "/test", "/rotate"};
    struct webhook_service *s = webhook_service_open("");

    (void)state;
    webhook_service_expect(s, 200, s->ada, "GET", "/webhooks", NULL);
    assert_null(strstr(s->text.data, "partner"));
    webhook_service_expect(s, 404, s->ada, "GET", webhook_service_path(s, "partner", ""), NULL);
    webhook_service_expect(s, 404, s->ada, "GET", webhook_service_path(s, "partner", "/attempts"), NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++)
        webhook_service_expect(s, 404, s->ada, "POST", webhook_service_path(s, "partner", changes[i]), "{}");
    webhook_service_expect(s, 404, s->ada, "DELETE", webhook_service_path(s, "partner", ""), NULL);
    webhook_service_expect(s, 200, s->admin, "GET", "/webhooks", NULL);
    assert_non_null(strstr(s->text.data, "\"id\":\"partner\""));
    assert_non_null(strstr(s->text.data, s->id));
    webhook_service_expect(s, 200, s->admin, "POST", webhook_service_path(s, "partner", "/pause"), "{}");
    assert_non_null(strstr(s->text.data, "\"state\":\"paused\""));
    assert_non_null(strstr(s->text.data, "\"since\":\"2"));
    webhook_service_expect(s, 200, s->admin, "POST", webhook_service_path(s, "partner", "/resume"), "{}");
    assert_non_null(strstr(s->text.data, "\"state\":\"on\""));
    webhook_service_expect(s, 200, s->admin, "GET", webhook_service_path(s, "partner", "/attempts"), NULL);
    webhook_service_expect(s, 400, s->admin, "POST", webhook_service_path(s, "partner", "/rotate"), "{}");
    webhook_service_expect(s, 400, s->admin, "DELETE", webhook_service_path(s, "partner", ""), NULL);
    webhook_service_expect(s, 404, s->admin, "GET", webhook_service_path(s, "users", ""), NULL);
    webhook_service_close(s);
}

static void of_several_handlers_one_is_named(void **state)
{
    struct webhook_service *s = webhook_service_open("[handler more]\ntype = webhook\nqueue = changes\n");
    char *id;

    (void)state;
    webhook_service_expect(s, 400, s->ada, "POST", "/webhooks", "{\"url\":\"https://example.org/\"}");
    assert_non_null(strstr(s->text.data, "several handlers serve subscriptions"));
    webhook_service_expect(s, 400, s->ada, "POST", "/webhooks",
                           "{\"url\":\"https://example.org/\",\"handler\":\"partner\"}");
    webhook_service_expect(s, 201, s->ada, "POST", "/webhooks",
                           "{\"url\":\"https://example.org/\",\"handler\":\"more\"}");
    id = webhook_service_member(s, "id");
    webhook_service_expect(s, 200, s->ada, "GET", webhook_service_path(s, id, ""), NULL);
    assert_non_null(strstr(s->text.data, "\"handler\":\"more\""));
    webhook_service_expect(s, 200, s->ada, "GET", "/webhooks", NULL);
    assert_non_null(strstr(s->text.data, id));
    assert_non_null(strstr(s->text.data, s->id));
    free(id);
    webhook_service_close(s);
}

static const char *made(struct webhook_service *s, const char *name)
{
    char *text = webhook_service_member(s, name);
    const char *kept = arena_text(s->scene->arena, text);

    free(text);
    return kept;
}

/* Whoever verifies has the public half, and nobody but crier the private one. */
static void a_subscription_is_signed_by_a_key_of_its_own(void **state)
{
    struct webhook_service *s = webhook_service_open("");
    const char *id, *first, *second, *secret;

    (void)state;
    webhook_service_expect(s, 400, s->ada, "POST", "/webhooks",
                           "{\"url\":\"https://example.org/\",\"signature\":\"v2\"}");
    assert_non_null(strstr(s->text.data, "signature: v1 or v1a"));
    webhook_service_expect(s, 201, s->ada, "POST", "/webhooks",
                           arena_printf(s->scene->arena, "{\"url\":\"http://127.0.0.1:%d/\",\"signature\":\"v1a\"}",
                                        hook_server_port(s->target)));
    assert_null(strstr(s->text.data, "whsk_"));
    id = made(s, "id");
    first = made(s, "public_key");
    assert_memory_equal(first, "whpk_", 5);
    webhook_service_expect(s, 200, s->ada, "POST", webhook_service_path(s, id, "/test"), "{}");
    webhook_service_signed(s, 0, first);
    webhook_service_expect(s, 200, s->ada, "GET", webhook_service_path(s, id, ""), NULL);
    assert_string_equal(made(s, "public_key"), first);
    assert_null(strstr(s->text.data, "whsk_"));
    webhook_service_expect(s, 200, s->ada, "POST", webhook_service_path(s, id, "/rotate"), "{}");
    second = made(s, "public_key");
    assert_string_not_equal(second, first);
    webhook_service_expect(s, 200, s->ada, "POST", webhook_service_path(s, id, "/test"), "{}");
    webhook_service_signed(s, 1, first);
    webhook_service_signed(s, 1, second);
    webhook_service_expect(s, 400, s->ada, "POST", webhook_service_path(s, id, "/rotate?signature=v2"), "{}");
    webhook_service_expect(s, 200, s->ada, "POST", webhook_service_path(s, id, "/rotate?signature=v1"), "{}");
    secret = made(s, "secret");
    webhook_service_expect(s, 200, s->ada, "POST", webhook_service_path(s, id, "/test"), "{}");
    webhook_service_signed(s, 2, second);
    webhook_service_signed(s, 2, secret);
    webhook_service_expect(s, 200, s->ada, "POST", webhook_service_path(s, id, "/rotate?over=1"), "{}");
    webhook_service_expect(s, 200, s->ada, "GET", webhook_service_path(s, id, ""), NULL);
    assert_null(strstr(s->text.data, "public_key"));
    webhook_service_close(s);
}

static void a_handler_signs_by_a_key_and_shows_what_verifies(void **state)
{
    struct webhook_service *s =
        webhook_service_open("[handler keyed]\ntype = webhook\nqueue = changes\nevents = user.*\nhttp = yes\n"
                             "ports = 1 65000\nallow = 127.0.0.0/8\nurl = http://127.0.0.1:65000/\n"
                             "secret = whsk_" CANARY CANARY CANARY "canarys=\n");
    const char *words[] = {"webhooks", "--config", s->scene->config_path, "list", "--json", NULL};
    char *listed;

    (void)state;
    webhook_service_expect(s, 200, s->admin, "GET", webhook_service_path(s, "keyed", ""), NULL);
    assert_string_equal(made(s, "public_key"), "whpk_+ldZSc37zFmitEo+RHyrjvZlQOyhtF1vPkCY229prvA=");
    assert_int_equal(crier_run(&listed, words), 0);
    assert_non_null(strstr(listed, "whpk_+ldZSc37zFmitEo+RHyrjvZlQOyhtF1vPkCY229prvA="));
    assert_null(strstr(listed, "whsk_"));
    free(listed);
    webhook_service_close(s);
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
    struct webhook_service *s = webhook_service_open("");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++)
        webhook_service_expect(s, pages[i].status, s->ada, pages[i].method,
                               pages[i].what ? webhook_service_path(s, s->id, pages[i].what) : "/webhooks",
                               strcmp(pages[i].method, "POST") == 0 ? "{}" : NULL);
    webhook_service_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_has_its_page),
        cmocka_unit_test(what_waits_is_sent_at_once),
        cmocka_unit_test(targets_of_handlers_are_for_admins),
        cmocka_unit_test(of_several_handlers_one_is_named),
        cmocka_unit_test(a_subscription_is_signed_by_a_key_of_its_own),
        cmocka_unit_test(a_handler_signs_by_a_key_and_shows_what_verifies),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
