/* What is trimmed from a stream and what is not, and what its state says of all groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "notifier/dead.h"
#include "notifier/stream.h"
#include "support/scene.h"
#include "support/stream_stage.h"

static void trimming_spares_what_one_group_has_not_done(void **state)
{
    struct scene *s = *state;
    struct stream *fast = stream_new(s->redis, "q", STREAM_TAIL, "fast", "p/0"),
                  *slow = stream_new(s->redis, "q", STREAM_TAIL, "slow", "p/0");
    struct batch in;
    struct error err;
    int64_t trimmed;

    scene_redis(s, "CONFIG SET stream-node-max-entries 10");
    stream_stage_append(s, 100);
    stream_stage_read(s, slow);
    for (in = stream_stage_read(s, fast); in.count > 0; in = stream_stage_read(s, fast))
        for (size_t i = 0; i < in.count; i++)
            assert_true(stream_ack(fast, &in.items[i].id, 1, &err));
    assert_true(stream_trim(s->redis, "q", "", 0, 1, &trimmed, &err));
    assert_int_equal(trimmed, 0);
    scene_redis(s, "XGROUP DESTROY crier:{q}:stream slow");
    assert_true(stream_trim(s->redis, "q", "", 3600000, 1, &trimmed, &err));
    assert_int_equal(trimmed, 0); /* done by all, but younger than what is kept */
    assert_true(stream_trim(s->redis, "q", "", 0, 1, &trimmed, &err));
    assert_in_range(trimmed, 80, 100);
    stream_free(fast);
    stream_free(slow);
}

static void a_group_that_is_still_to_be_made_has_all_to_do(void **state)
{
    struct scene *s = *state;
    struct stream *fast = stream_new(s->redis, "q", STREAM_TAIL, "fast", "p/0");
    struct batch in;
    struct error err;
    int64_t trimmed;

    scene_redis(s, "CONFIG SET stream-node-max-entries 10");
    stream_stage_append(s, 100);
    in = stream_stage_read(s, fast);
    for (size_t i = 0; i < in.count; i++)
        assert_true(stream_ack(fast, &in.items[i].id, 1, &err));
    assert_true(stream_trim(s->redis, "q", "fast coming ", 0, 1, &trimmed, &err));
    assert_int_equal(trimmed, 0);
    assert_true(stream_trim(s->redis, "q", "fast ", 0, 1, &trimmed, &err));
    assert_in_range(trimmed, 80, 100);
    stream_free(fast);
}

static void a_redis_without_memory_is_still_trimmed_and_told_who_lives(void **state)
{
    struct scene *s = *state;
    struct stream *stream = stream_stage_reader(s, "a/0");
    struct batch in;
    struct error err;
    int64_t trimmed = 0;

    scene_redis(s, "CONFIG SET stream-node-max-entries 10");
    stream_stage_append(s, 100);
    in = stream_stage_read(s, stream);
    for (size_t i = 0; i < in.count; i++)
        assert_true(stream_ack(stream, &in.items[i].id, 1, &err));
    scene_redis(s, "CONFIG SET maxmemory 1");
    if (!stream_announce(s->redis, "a", &err) || !stream_trim(s->redis, "q", "h", 0, 1, &trimmed, &err))
        fail_msg("%s", err.text);
    assert_in_range(trimmed, 80, 100);
    stream_free(stream);
}

static void a_leader_that_was_replaced_trims_nothing(void **state)
{
    struct scene *s = *state;
    struct error err;
    int64_t trimmed;

    stream_stage_append(s, 1);
    assert_true(stream_trim(s->redis, "q", "", 0, 7, &trimmed, &err));
    assert_false(stream_trim(s->redis, "q", "", 0, 6, &trimmed, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_true(stream_trim(s->redis, "q", "", 0, 8, &trimmed, &err));
}

static void the_state_says_what_waits_what_is_pending_and_how_old(void **state)
{
    struct scene *s = *state;
    struct stream *stream = stream_stage_reader(s, "a/0");
    struct queue_state q;
    struct batch in = {.arena = s->arena};
    struct error err;

    stream_stage_append(s, 5);
    assert_true(stream_read(stream, &in, 2, 0, &err));
    assert_true(stream_ack(stream, &in.items[0].id, 1, &err));
    assert_true(stream_state(s->redis, "q", s->arena, &q, &err));
    assert_int_equal(q.length, 5);
    assert_int_equal(q.group_count, 1);
    assert_string_equal(q.groups[0].name, "h");
    assert_int_equal(q.groups[0].waiting, 3);
    assert_int_equal(q.groups[0].pending, 1);
    stream_free(stream);
}

/* Two events in the tail, and three in the head, of which the group has done two. */
static void head_and_tail_are_one_queue_in_the_state_and_are_trimmed_by_what_each_has_done(void **state)
{
    struct scene *s = *state;
    struct stream *head = stream_new(s->redis, "q", STREAM_HEAD, "h", "a/0");
    struct queue_state q;
    struct batch in = {.arena = s->arena};
    struct error err;
    int64_t trimmed;

    scene_redis(s, "CONFIG SET stream-node-max-entries 1");
    stream_stage_append(s, 2);
    for (int i = 0; i < 3; i++)
        scene_redis(s, "XADD crier:{q}:head * id h%d source s type user.updated time 2026-01-01T00:00:00Z unique h%d",
                    i, i);
    assert_true(stream_read(head, &in, 10, 0, &err));
    assert_int_equal(in.count, 3);
    assert_true(stream_ack(head, &in.items[0].id, 1, &err) && stream_ack(head, &in.items[1].id, 1, &err));
    assert_true(stream_state(s->redis, "q", s->arena, &q, &err));
    assert_int_equal(q.length, 5);
    assert_int_equal(q.group_count, 1);
    assert_int_equal(q.groups[0].waiting, 2); /* all of the tail, where it has no group yet */
    assert_int_equal(q.groups[0].pending, 1);
    delivery_set(&in, &in.items[2], OUTCOME_DEAD, "no good", NULL);
    assert_true(dead_bury(s->redis, "q", STREAM_HEAD, "h", &in, &err));
    assert_true(stream_trim(s->redis, "q", "h", 0, 1, &trimmed, &err));
    assert_in_range(trimmed, 2, 3);
    assert_true(stream_state(s->redis, "q", s->arena, &q, &err));
    assert_int_equal(q.dead, 1);
    assert_int_equal(q.groups[0].pending, 0);
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:stream")->integer, 2);
    stream_free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trimming_spares_what_one_group_has_not_done, stream_stage_open,
                                        stream_stage_close),
        cmocka_unit_test_setup_teardown(a_group_that_is_still_to_be_made_has_all_to_do, stream_stage_open,
                                        stream_stage_close),
        cmocka_unit_test_setup_teardown(a_redis_without_memory_is_still_trimmed_and_told_who_lives, stream_stage_open,
                                        stream_stage_close),
        cmocka_unit_test_setup_teardown(a_leader_that_was_replaced_trims_nothing, stream_stage_open,
                                        stream_stage_close),
        cmocka_unit_test_setup_teardown(the_state_says_what_waits_what_is_pending_and_how_old, stream_stage_open,
                                        stream_stage_close),
        cmocka_unit_test_setup_teardown(head_and_tail_are_one_queue_in_the_state_and_are_trimmed_by_what_each_has_done,
                                        stream_stage_open, stream_stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
