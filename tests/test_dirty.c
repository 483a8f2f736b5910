/* What changed since it was computed: marks in a real Redis, and what becomes of them when two are at work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "handlers/dirty.h"
#include "support/server.h"

#define DAY_US (MS_PER_DAY * 1000)

enum { MANY = 30000 };

struct fixture {
    struct server *server;
    struct redis_address address;
    struct redis *redis;
    struct arena *arena;
    struct error err;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    f->server = redis_server_start(NULL);
    assert_true(redis_address_parse(redis_server_url(f->server), &f->address, &f->err));
    f->redis = redis_new(&(struct redis_options){&f->address, 10000});
    f->arena = arena_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    redis_free(f->redis);
    redis_address_release(&f->address);
    server_free(f->server);
    free(f);
    return 0;
}

static void mark(struct fixture *f, const struct dirty_mark *marks, size_t count)
{
    if (!dirty_mark(f->redis, "q", "views", marks, count, &f->err))
        fail_msg("%s", f->err.text);
}

static void mark_one(struct fixture *f, const char *key, int day)
{
    mark(f, &(struct dirty_mark){.key = span_of(key), .interval_us = day * DAY_US}, 1);
}

static struct dirty_mark *page(struct fixture *f, size_t most, size_t *count)
{
    struct dirty_mark *marks;

    if (!dirty_page(f->redis, "q", "views", most, f->arena, &marks, count, &f->err))
        fail_msg("%s", f->err.text);
    return marks;
}

static void settle(struct fixture *f, const struct dirty_mark *marks, size_t count)
{
    if (!dirty_settle(f->redis, "q", "views", marks, count, &f->err))
        fail_msg("%s", f->err.text);
}

static int64_t left(struct fixture *f)
{
    int64_t count;

    assert_true(dirty_count(f->redis, "q", "views", &count, &f->err));
    return count;
}

static void marks_come_back_as_they_were_given_each_once(void **state)
{
    struct fixture *f = *state;
    struct dirty_mark *marks;
    size_t count;

    mark_one(f, "ui_a b", 20000);
    mark_one(f, "ui_\xc3\xa9", 20001);
    mark_one(f, "0", 0);
    mark_one(f, "0", 0);
    marks = page(f, 10, &count);
    assert_int_equal(count, 3);
    assert_true(span_is(marks[0].key, "ui_a b"));
    assert_true(marks[0].interval_us == 20000 * DAY_US);
    assert_true(span_is(marks[1].key, "ui_\xc3\xa9"));
    assert_true(span_is(marks[2].key, "0"));
    assert_true(marks[2].interval_us == 0);
}

static void nothing_marked_is_an_empty_page(void **state)
{
    struct fixture *f = *state;
    size_t count;

    page(f, 10, &count);
    assert_int_equal(count, 0);
    assert_int_equal(left(f), 0);
    mark(f, NULL, 0);
    settle(f, NULL, 0);
}

static void a_key_marked_again_meanwhile_stays_marked(void **state)
{
    struct fixture *f = *state;
    struct dirty_mark *marks;
    size_t count;

    mark_one(f, "a", 1);
    mark_one(f, "b", 1);
    marks = page(f, 10, &count);
    mark_one(f, "a", 1);
    settle(f, marks, count);
    assert_int_equal(left(f), 1);
    marks = page(f, 10, &count);
    assert_true(span_is(marks[0].key, "a"));
    settle(f, marks, count);
    assert_int_equal(left(f), 0);
}

static void those_that_wait_longest_come_first(void **state)
{
    struct fixture *f = *state;
    struct dirty_mark *marks;
    size_t count;

    mark_one(f, "z", 9);
    mark_one(f, "a", 1);
    mark_one(f, "m", 5);
    mark_one(f, "z", 9);
    marks = page(f, 2, &count);
    assert_int_equal(count, 2);
    assert_true(span_is(marks[0].key, "a"));
    assert_true(span_is(marks[1].key, "m"));
}

static void a_page_from_before_redis_was_emptied_settles_nothing_marked_after(void **state)
{
    struct fixture *f = *state;
    struct dirty_mark *marks;
    size_t count;

    mark_one(f, "a", 1);
    marks = page(f, 10, &count);
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "FLUSHALL"));
    mark_one(f, "a", 1);
    settle(f, marks, count);
    assert_int_equal(left(f), 1);
}

static void the_number_says_when_it_was_marked(void **state)
{
    struct fixture *f = *state;
    int64_t before_us = clock_wall_us();
    struct dirty_mark *marks;
    size_t count;

    mark_one(f, "a", 1);
    marks = page(f, 10, &count);
    assert_true(marks[0].number > before_us);
    assert_true(marks[0].number < clock_wall_us() + US_PER_SECOND);
}

static void as_many_as_a_large_batch_has_go_through_and_are_settled(void **state)
{
    struct fixture *f = *state;
    struct dirty_mark *many = xcalloc(MANY, sizeof *many), *marks;
    size_t count;

    for (int i = 0; i < MANY; i++)
        many[i] = (struct dirty_mark){.key = span_of(arena_printf(f->arena, "key-%d", i)), .interval_us = DAY_US};
    mark(f, many, MANY);
    assert_int_equal(left(f), MANY);
    marks = page(f, MANY, &count);
    assert_int_equal(count, MANY);
    settle(f, marks, count);
    assert_int_equal(left(f), 0);
    free(many);
}

static void marks_go_through_where_redis_is_out_of_memory(void **state)
{
    struct fixture *f = *state;

    mark_one(f, "a", 1);
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "CONFIG SET maxmemory 1"));
    mark_one(f, "b", 1);
    assert_int_equal(left(f), 2);
}

static void a_redis_that_is_away_is_said_and_comes_back(void **state)
{
    struct fixture *f = *state;
    struct dirty_mark one = {.key = span_of("a")};

    mark_one(f, "a", 1);
    server_kill(f->server);
    assert_false(dirty_mark(f->redis, "q", "views", &one, 1, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    server_restart(f->server);
    mark_one(f, "b", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(marks_come_back_as_they_were_given_each_once, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_marked_is_an_empty_page, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_marked_again_meanwhile_stays_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(those_that_wait_longest_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_from_before_redis_was_emptied_settles_nothing_marked_after, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_number_says_when_it_was_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_as_a_large_batch_has_go_through_and_are_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(marks_go_through_where_redis_is_out_of_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_redis_that_is_away_is_said_and_comes_back, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
