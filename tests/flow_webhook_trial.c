/* A test of a webhook over HTTP: what its target answers is said, to whom it concerns, and nobody waits for it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/json.h"
#include "support/hook_server.h"
#include "support/serve_client.h"
#include "support/webhook_service.h"
#include "support/webhook_stage.h"

static void expect_answer(struct webhook_service *s, bool done, int status, const char *reply)
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
    struct webhook_service *s = webhook_service_open("");

    (void)state;
    hook_server_answer(s->target, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nthanks");
    webhook_service_expect(s, 200, s->ada, "POST", webhook_service_path(s, s->id, "/test"), "{}");
    expect_answer(s, true, 200, "thanks");
    assert_int_equal(hook_server_count(s->target), 1);
    assert_non_null(strstr(hook_server_body(s->target, 0), "\"type\":\"crier.webhook.test\""));
    assert_non_null(strstr(hook_server_body(s->target, 0), s->id));
    webhook_service_signed(s, 0, s->secret);
    hook_server_answer(s->target, "HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\n\xff why");
    webhook_service_expect(s, 200, s->ada, "POST", webhook_service_path(s, s->id, "/test"), "{}");
    expect_answer(s, false, 403, "");
    hook_server_behave(s->target, HOOK_RESET);
    webhook_service_expect(s, 200, s->ada, "POST", webhook_service_path(s, s->id, "/test"), "{}");
    expect_answer(s, false, 0, "");
    assert_null(strstr(s->text.data, "secret-path"));
    webhook_service_expect(s, 200, s->ada, "GET", webhook_service_path(s, s->id, ""),
                           NULL); /* it has no part in what is delivered */
    assert_non_null(strstr(s->text.data, "\"state\":\"on\""));
    assert_non_null(strstr(s->text.data, "\"waiting\":0"));
    webhook_service_close(s);
}

static void a_test_is_for_the_owner_and_for_an_admin(void **state)
{
    struct webhook_service *s = webhook_service_open("");
    char *other = webhook_service_token(s, "emit stats:read");

    (void)state;
    webhook_service_expect(s, 401, NULL, "POST", webhook_service_path(s, s->id, "/test"), "{}");
    webhook_service_expect(s, 403, other, "POST", webhook_service_path(s, s->id, "/test"), "{}");
    webhook_service_expect(s, 404, s->ben, "POST", webhook_service_path(s, s->id, "/test"), "{}");
    webhook_service_expect(s, 404, s->ada, "POST", webhook_service_path(s, "partner", "/test"), "{}");
    assert_int_equal(hook_server_connections(s->target), 0);
    webhook_service_expect(s, 200, s->admin, "POST", webhook_service_path(s, s->id, "/test"), "{}");
    webhook_service_expect(s, 200, s->admin, "POST", webhook_service_path(s, "partner", "/test"), "{}");
    assert_int_equal(hook_server_count(s->target), 2);
    webhook_service_signed(s, 1, WEBHOOK_SECRET);
    free(other);
    webhook_service_close(s);
}

static void *test_in_vain(void *context)
{
    struct webhook_service *s = context;
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
    struct webhook_service *s = webhook_service_open("");
    const char *tested = webhook_service_path(s, s->id, "/test"), *shown = webhook_service_path(s, s->id, "");
    pthread_t threads[2];

    (void)state;
    hook_server_behave(s->target, HOOK_HANG);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, test_in_vain, s), 0);
        hook_server_await(s->target, i + 1);
    }
    webhook_service_expect(s, 429, s->ada, "POST", tested, "{}");
    webhook_service_expect(s, 200, s->ada, "GET", shown, NULL);
    webhook_service_expect(s, 200, s->ada, "GET", "/webhooks", NULL);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    hook_server_behave(s->target, HOOK_ANSWER);
    webhook_service_expect(s, 200, s->ada, "POST", tested, "{}");
    expect_answer(s, true, 200, "");
    webhook_service_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_test_says_what_the_target_answers),
        cmocka_unit_test(a_test_is_for_the_owner_and_for_an_admin),
        cmocka_unit_test(targets_that_hang_keep_no_other_page_from_being_answered),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
