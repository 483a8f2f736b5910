#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "notifier/dead.h"
#include "notifier/stream.h"
#include "support/scene.h"

static const char ini[] = "[redis]\nurl = REDIS\n[queue q]\nevents = **\n"
                          "[handler trail]\ntype = audit\nqueue = q\nindex =\n";

static int setup(void **state)
{
    *state = scene_open(ini);
    return 0;
}

static int teardown(void **state)
{
    scene_close(*state);
    return 0;
}

static void append_numbered(struct scene *s, int count)
{
    for (int i = 0; i < count; i++) {
        char id[20];
        struct event e;

        snprintf(id, sizeof id, "e%d", i);
        e = scene_event(s, "user.updated", id, "users/1", i, "{}");
        scene_append(s, &e, 1);
    }
}

static struct stream *reader(struct scene *s, const char *consumer)
{
    return stream_new(s->redis, "q", STREAM_TAIL, "h", consumer);
}

static struct batch read_all(struct scene *s, struct stream *stream)
{
    struct batch in = {.arena = s->arena};
    struct error err;

    if (!stream_read(stream, &in, 100, 0, &err))
        fail_msg("%s", err.text);
    return in;
}

static void an_event_not_acknowledged_is_taken_over_when_its_process_is_gone(void **state)
{
    struct scene *s = *state;
    struct stream *gone = reader(s, "gone/0"), *lives = reader(s, "lives/0");
    struct left_behind left[10];
    struct batch in = {.arena = s->arena};
    struct error err;
    size_t count;

    append_numbered(s, 3);
    in = read_all(s, gone);
    assert_int_equal(in.count, 3);
    assert_true(stream_ack(gone, &in.items[0].id, 1, &err));
    assert_true(stream_announce(s->redis, "gone", &err));
    assert_true(stream_take_over(lives, left, 10, 60000, &count, &err));
    assert_int_equal(count, 0); /* it lives: what it holds is its own */
    scene_redis(s, "DEL crier:{processes}:gone");
    for (count = 0; count == 0;) /* entries touched less than a second ago are left to whoever was quicker */
        assert_true(stream_take_over(lives, left, 10, 60000, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(left[0].deliveries, 1);
    assert_true(stream_fetch(lives, &in, &left[0].id, 1, STREAM_ONCE_MORE, &err));
    assert_int_equal(in.count, 1);
    assert_true(span_is(in.items[0].event.id, "e1"));
    stream_free(gone);
    stream_free(lives);
}

static void an_event_held_longer_than_the_deadline_is_taken_over_from_a_living_process(void **state)
{
    struct scene *s = *state;
    struct stream *slow = reader(s, "slow/0"), *other = reader(s, "other/0");
    struct left_behind left[10];
    struct error err;
    size_t count;

    append_numbered(s, 1);
    assert_true(stream_announce(s->redis, "slow", &err));
    read_all(s, slow);
    for (count = 0; count == 0;)
        assert_true(stream_take_over(other, left, 10, 100, &count, &err));
    assert_int_equal(count, 1);
    stream_free(slow);
    stream_free(other);
}

static void what_is_handed_back_counts_as_never_delivered(void **state)
{
    struct scene *s = *state;
    struct stream *a = reader(s, "a/0"), *b = reader(s, "b/0");
    struct left_behind left[10];
    struct batch in;
    struct error err;
    size_t count;

    append_numbered(s, 1);
    assert_true(stream_announce(s->redis, "a", &err));
    in = read_all(s, a);
    assert_true(stream_hand_back(a, &in.items[0].id, 1, 0, &err));
    assert_true(stream_leave(a, &err));
    assert_true(stream_take_over(b, left, 10, 60000, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(left[0].deliveries, 0);
    stream_free(a);
    stream_free(b);
}

static void a_group_that_is_gone_is_made_anew_from_the_beginning(void **state)
{
    struct scene *s = *state;
    struct stream *stream = reader(s, "a/0");

    append_numbered(s, 2);
    assert_int_equal(read_all(s, stream).count, 2);
    assert_false(stream_group_remade(stream)); /* it never was there before */
    scene_redis(s, "XGROUP DESTROY crier:{q}:stream h");
    assert_int_equal(read_all(s, stream).count, 2);
    assert_true(stream_group_remade(stream));
    scene_redis(s, "FLUSHALL");
    assert_int_equal(read_all(s, stream).count, 0);
    assert_true(stream_group_remade(stream));
    stream_free(stream);
}

static void trimming_spares_what_one_group_has_not_done(void **state)
{
    struct scene *s = *state;
    struct stream *fast = stream_new(s->redis, "q", STREAM_TAIL, "fast", "p/0"),
                  *slow = stream_new(s->redis, "q", STREAM_TAIL, "slow", "p/0");
    struct batch in;
    struct error err;
    int64_t trimmed;

    scene_redis(s, "CONFIG SET stream-node-max-entries 10");
    append_numbered(s, 100);
    read_all(s, slow);
    for (in = read_all(s, fast); in.count > 0; in = read_all(s, fast))
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
    append_numbered(s, 100);
    in = read_all(s, fast);
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
    struct stream *stream = reader(s, "a/0");
    struct batch in;
    struct error err;
    int64_t trimmed = 0;

    scene_redis(s, "CONFIG SET stream-node-max-entries 10");
    append_numbered(s, 100);
    in = read_all(s, stream);
    for (size_t i = 0; i < in.count; i++)
        assert_true(stream_ack(stream, &in.items[i].id, 1, &err));
    scene_redis(s, "CONFIG SET maxmemory 1");
    if (!stream_announce(s->redis, "a", &err) || !stream_trim(s->redis, "q", "h", 0, 1, &trimmed, &err))
        fail_msg("%s", err.text);
    assert_in_range(trimmed, 80, 100);
    stream_free(stream);
}

/* As if it had been idle for a minute. */
static void make_old(struct scene *s, const struct delivery *d, const char *consumer)
{
    scene_redis(s, "XCLAIM crier:{q}:stream h %s 0 %llu-%llu IDLE 60000 JUSTID", consumer, (unsigned long long)d->id.ms,
                (unsigned long long)d->id.sequence);
}

static void what_a_lane_has_is_not_taken_by_itself_nor_by_its_neighbour_of_the_same_process(void **state)
{
    struct scene *s = *state;
    struct stream *one = reader(s, "p/0"), *neighbour = reader(s, "p/1"), *another = reader(s, "pq/0");
    struct left_behind left[10];
    struct batch in;
    struct error err;
    size_t count;

    append_numbered(s, 1);
    in = read_all(s, one); /* the process is not announced: Redis may have been away */
    make_old(s, &in.items[0], "p/0");
    assert_true(stream_take_over(neighbour, left, 10, 3600000, &count, &err));
    assert_int_equal(count, 0);
    assert_true(stream_take_over(one, left, 10, 1000, &count, &err));
    assert_int_equal(count, 0);
    assert_true(stream_take_over(another, left, 10, 3600000, &count, &err));
    assert_int_equal(count, 1);
    stream_free(one);
    stream_free(neighbour);
    stream_free(another);
}

static void what_a_consumer_has_is_listed_page_by_page(void **state)
{
    struct scene *s = *state;
    struct stream *stream = reader(s, "a/0");
    struct left_behind left[2];
    struct batch in;
    struct error err;
    size_t count;

    append_numbered(s, 3);
    in = read_all(s, stream);
    assert_true(stream_own(stream, (struct stream_id){0, 0}, left, 2, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(left[1].id.ms, in.items[1].id.ms);
    assert_true(stream_own(stream, left[1].id, left, 2, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(left[0].id.ms, in.items[2].id.ms);
    assert_int_equal(left[0].id.sequence, in.items[2].id.sequence);
    stream_free(stream);
}

static void a_group_that_went_away_does_not_hold_up_who_has_a_dead_letter_in_hand(void **state)
{
    struct scene *s = *state;
    struct stream *stream = reader(s, "a/0");
    struct batch in;
    struct error err;

    append_numbered(s, 1);
    in = read_all(s, stream);
    delivery_set(&in, &in.items[0], OUTCOME_DEAD, "no good", "");
    scene_redis(s, "FLUSHALL");
    if (!dead_bury(s->redis, "q", STREAM_TAIL, "h", &in, &err))
        fail_msg("%s", err.text);
    stream_free(stream);
}

static void a_leader_that_was_replaced_trims_nothing(void **state)
{
    struct scene *s = *state;
    struct error err;
    int64_t trimmed;

    append_numbered(s, 1);
    assert_true(stream_trim(s->redis, "q", "", 0, 7, &trimmed, &err));
    assert_false(stream_trim(s->redis, "q", "", 0, 6, &trimmed, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_true(stream_trim(s->redis, "q", "", 0, 8, &trimmed, &err));
}

static void the_state_says_what_waits_what_is_pending_and_how_old(void **state)
{
    struct scene *s = *state;
    struct stream *stream = reader(s, "a/0");
    struct queue_state q;
    struct batch in = {.arena = s->arena};
    struct error err;

    append_numbered(s, 5);
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
    append_numbered(s, 2);
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

static void a_dead_letter_keeps_the_event_and_comes_back_for_its_handler_alone(void **state)
{
    struct scene *s = *state;
    struct stream *stream = reader(s, "a/0");
    struct dead_letter *letters;
    struct batch in;
    struct error err;
    size_t count;
    bool was;

    append_numbered(s, 2);
    in = read_all(s, stream);
    delivery_set(&in, &in.items[1], OUTCOME_DEAD, "no good", "mapper_parsing_exception");
    assert_true(dead_bury(s->redis, "q", STREAM_TAIL, "h", &in, &err));
    assert_true(dead_bury(s->redis, "q", STREAM_TAIL, "h", &in, &err)); /* again after a crash: no second letter */
    assert_true(dead_list(s->redis, "q", NULL, 10, s->arena, &letters, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(letters[0].reason, "no good");
    assert_string_equal(letters[0].reply, "mapper_parsing_exception");
    assert_string_equal(letters[0].handler, "h");
    assert_true(span_is(letters[0].event.id, "e1"));
    assert_int_equal(letters[0].event.revision, 1);
    assert_int_equal(scene_redis(s, "XPENDING crier:{q}:stream h")->items[0].integer, 1);
    assert_true(dead_retry(s->redis, "q", &letters[0], &was, &err) && was);
    assert_true(dead_retry(s->redis, "q", &letters[0], &was, &err) && !was);
    in = read_all(s, stream);
    assert_int_equal(in.count, 1);
    assert_true(span_is(in.items[0].event.only, "h"));
    stream_free(stream);
}

static void an_entry_that_is_no_event_is_dead_and_harms_no_other(void **state)
{
    struct scene *s = *state;
    struct stream *stream = reader(s, "a/0");
    struct batch in;

    scene_redis(s, "XADD crier:{q}:stream * some thing");
    append_numbered(s, 1);
    in = read_all(s, stream);
    assert_int_equal(in.count, 2);
    assert_int_equal(in.items[0].outcome, OUTCOME_DEAD);
    assert_int_equal(in.items[1].outcome, OUTCOME_NONE);
    stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_not_acknowledged_is_taken_over_when_its_process_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_event_held_longer_than_the_deadline_is_taken_over_from_a_living_process,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_handed_back_counts_as_never_delivered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_that_is_gone_is_made_anew_from_the_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(trimming_spares_what_one_group_has_not_done, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_that_is_still_to_be_made_has_all_to_do, setup, teardown),
        cmocka_unit_test_setup_teardown(a_redis_without_memory_is_still_trimmed_and_told_who_lives, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_lane_has_is_not_taken_by_itself_nor_by_its_neighbour_of_the_same_process,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_consumer_has_is_listed_page_by_page, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_that_went_away_does_not_hold_up_who_has_a_dead_letter_in_hand, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_leader_that_was_replaced_trims_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_state_says_what_waits_what_is_pending_and_how_old, setup, teardown),
        cmocka_unit_test_setup_teardown(head_and_tail_are_one_queue_in_the_state_and_are_trimmed_by_what_each_has_done,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_letter_keeps_the_event_and_comes_back_for_its_handler_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_entry_that_is_no_event_is_dead_and_harms_no_other, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
