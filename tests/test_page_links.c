/* Links to Redis for pages of the door: so many at a time, and nobody waits for long behind one that hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "notifier/page_links.h"
#include "support/scene.h"

static void who_finds_all_links_in_use_for_too_long_is_turned_away(void **state)
{
    struct scene *s = scene_open("[redis]\nurl = REDIS\n");
    struct page_links *l = page_links_new(s->settings, 2);
    int64_t before_ms = clock_monotonic_ms();
    struct error err = ERROR_INIT;
    struct redis *first = page_links_take(l, &err), *second = page_links_take(l, &err);

    (void)state;
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    assert_null(page_links_take(l, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_true(clock_monotonic_ms() - before_ms >= PAGE_LINK_PATIENCE_MS);
    page_links_give_back(l, first);
    assert_ptr_equal(page_links_take(l, &err), first);
    page_links_give_back(l, first);
    page_links_give_back(l, second);
    page_links_free(l);
    scene_close(s);
}

static void a_redis_that_hangs_is_waited_for_no_longer_than_is_said(void **state)
{
    struct scene *s = scene_open("[redis]\nurl = REDIS\ntimeout = 1m\n");
    struct page_links *l = page_links_new(s->settings, 1);
    int64_t before_ms = clock_monotonic_ms();
    struct error err = ERROR_INIT;
    const struct reply *reply;
    struct redis *r = page_links_take(l, &err);

    (void)state;
    server_pause(s->redis_server);
    assert_false(redis_do(r, s->arena, &reply, &err, "PING"));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_true(clock_monotonic_ms() - before_ms < 30000);
    page_links_give_back(l, r);
    server_resume(s->redis_server);
    page_links_free(l);
    scene_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_finds_all_links_in_use_for_too_long_is_turned_away),
        cmocka_unit_test(a_redis_that_hangs_is_waited_for_no_longer_than_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
