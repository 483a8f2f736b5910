/* What is sealed and does not open: by another key, moved, damaged; and what waits for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "handlers/webhook/subscription.h"
#include "support/hook_server.h"
#include "support/scene.h"
#include "support/sealed_stage.h"

static void with_another_key_nothing_is_sent_and_it_is_said_why(void **state)
{
    struct sealed_stage *s = sealed_stage_open(FIRST);
    const char *id = sealed_stage_subscribe(s, "one");

    (void)state;
    sealed_stage_emit(s, "a");
    hook_server_await(s->target, 1);
    sealed_stage_serve(s, SECOND);
    sealed_stage_expect(s, 200, "GET", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL);
    assert_non_null(strstr(s->text.data, "\"state\":\"sealed\""));
    assert_non_null(strstr(s->text.data, "not among those given"));
    sealed_stage_expect(s, 400, "POST", arena_printf(s->scene->arena, "/webhooks/%s/test", id), "{}");
    sealed_stage_expect(s, 400, "POST", arena_printf(s->scene->arena, "/webhooks/%s/rotate", id), "{}");
    assert_int_equal(CRIER(s, "not among those given", "webhooks", "list"), 0);
    assert_int_equal(CRIER(s, "0 sealed by the newest key, 1 do not open", "webhooks", "seal"), 3);
    sealed_stage_subscribe(s, "two"); /* others go on */
    sealed_stage_emit(s, "b");
    hook_server_await(s->target, 2);
    assert_non_null(strstr(hook_server_head(s->target, 1), "-path/two"));
    sealed_stage_expect(s, 200, "DELETE", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL);
    assert_int_equal(hook_server_count(s->target), 2);
    sealed_stage_close(s);
}

static void expect_waiting(struct sealed_stage *s, const char *id, size_t count)
{
    const char *waiting = arena_printf(s->scene->arena, "\"waiting\":%zu,", count);

    for (int64_t until_ms = clock_monotonic_ms() + 60000;;) {
        sealed_stage_expect(s, 200, "GET", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL);
        assert_non_null(strstr(s->text.data, "\"state\":\"sealed\""));
        if (strstr(s->text.data, waiting))
            return;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s", s->text.data);
    }
}

static void what_comes_for_one_that_does_not_open_waits_for_its_key(void **state)
{
    struct sealed_stage *s = sealed_stage_open(FIRST);
    const char *id = sealed_stage_subscribe(s, "one");

    (void)state;
    sealed_stage_serve(s, SECOND);
    sealed_stage_emit(s, "a");
    expect_waiting(s, id, 1);
    sealed_stage_emit(s, "b");
    expect_waiting(s, id, 2);
    assert_int_equal(hook_server_connections(s->target), 0);
    sealed_stage_serve(s, SECOND " " FIRST);
    hook_server_await(s->target, 2);
    sealed_stage_delivered(s, "c", 3);
    sealed_stage_close(s);
}

/* As where one process knows the newer key alone, and another both. */
static void once_it_is_sealed_by_a_key_that_is_known_it_goes_on_by_itself(void **state)
{
    struct sealed_stage *s = sealed_stage_open(FIRST);
    const char *id = sealed_stage_subscribe(s, "one");

    (void)state;
    sealed_stage_serve(s, SECOND);
    sealed_stage_emit(s, "a");
    expect_waiting(s, id, 1);
    sealed_stage_configure(s, SECOND " " FIRST);
    assert_int_equal(CRIER(s, "1 sealed", "webhooks", "seal"), 0);
    hook_server_await(s->target, 1);
    sealed_stage_close(s);
}

static void of_two_rotations_at_once_one_is_refused(void **state)
{
    struct sealed_stage *s = sealed_stage_open("");
    const char *id = sealed_stage_subscribe(s, "one"), *made;
    struct subscriptions all = {s->scene->redis, NULL, "users"};
    struct subscription *one, *other;
    struct error err;

    (void)state;
    assert_true(subscription_find(&all, id, s->scene->arena, &one, &err));
    assert_true(subscription_find(&all, id, s->scene->arena, &other, &err));
    assert_true(subscription_rotate(&all, one, false, "", s->scene->arena, &err));
    made = arena_text(s->scene->arena, one->secret);
    assert_false(subscription_rotate(&all, other, false, "", s->scene->arena, &err));
    assert_non_null(strstr(err.text, "try it again"));
    assert_true(subscription_find(&all, id, s->scene->arena, &other, &err));
    assert_string_equal(other->secret, made);
    assert_true(subscription_rotate(&all, other, true, "", s->scene->arena, &err));
    sealed_stage_close(s);
}

static void headers_that_begin_as_what_is_sealed_are_refused(void **state)
{
    struct sealed_stage *s = sealed_stage_open("");

    (void)state;
    sealed_stage_expect(s, 400, "POST", "/webhooks",
                        arena_printf(s->scene->arena, "{\"url\":\"http://127.0.0.1:%d/\",\"headers\":\"sealed: x\"}",
                                     hook_server_port(s->target)));
    assert_non_null(strstr(s->text.data, "write it Sealed:"));
    sealed_stage_expect(s, 201, "POST", "/webhooks",
                        arena_printf(s->scene->arena, "{\"url\":\"http://127.0.0.1:%d/\",\"headers\":\"Sealed: x\"}",
                                     hook_server_port(s->target)));
    sealed_stage_emit(s, "a");
    hook_server_await(s->target, 1);
    sealed_stage_close(s);
}

static void expect_closed(struct sealed_stage *s, const char *id, const char *why)
{
    sealed_stage_expect(s, 200, "GET", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL);
    if (!strstr(s->text.data, "\"state\":\"sealed\"") || !strstr(s->text.data, why))
        fail_msg("%s", s->text.data);
    sealed_stage_expect(s, 400, "POST", arena_printf(s->scene->arena, "/webhooks/%s/test", id), "{}");
    assert_int_equal(hook_server_connections(s->target), 0);
}

static const char *kept(struct sealed_stage *s, const char *id, const char *field)
{
    return scene_redis(s->scene, "HGET crier:{webhooks}:subscription:%s %s", id, field)->text;
}

static void what_was_moved_or_damaged_in_redis_does_not_open(void **state)
{
    struct sealed_stage *s = sealed_stage_open(FIRST);
    const char *one = sealed_stage_subscribe(s, "one"), *two = sealed_stage_subscribe(s, "two"),
               *was = kept(s, one, "secret");
    char *damaged = xstrdup(was);

    (void)state;
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s secret %s", two, was);
    expect_closed(s, two, "secret: what is sealed is damaged, or was brought here from another place");
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s secret %s", one, kept(s, one, "headers"));
    expect_closed(s, one, "another place");
    damaged[40] = damaged[40] == 'A' ? 'B' : 'A';
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s secret %s", one, damaged);
    expect_closed(s, one, "damaged");
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s secret %s", one, was);
    sealed_stage_expect(s, 200, "POST", arena_printf(s->scene->arena, "/webhooks/%s/test", one), "{}");
    assert_non_null(strstr(s->text.data, "\"done\":true"));
    free(damaged);
    sealed_stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_another_key_nothing_is_sent_and_it_is_said_why),
        cmocka_unit_test(what_comes_for_one_that_does_not_open_waits_for_its_key),
        cmocka_unit_test(once_it_is_sealed_by_a_key_that_is_known_it_goes_on_by_itself),
        cmocka_unit_test(of_two_rotations_at_once_one_is_refused),
        cmocka_unit_test(headers_that_begin_as_what_is_sealed_are_refused),
        cmocka_unit_test(what_was_moved_or_damaged_in_redis_does_not_open),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
