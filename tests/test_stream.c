/* One stream read by groups: what is taken over, handed back, listed, and ends as a dead letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "notifier/dead.h"
#include "notifier/stream.h"
#include "support/scene.h"
#include "support/stream_stage.h"

static void an_event_not_acknowledged_is_taken_over_when_its_process_is_gone(void **state)
{
    struct scene *s = *state;
    struct stream *gone = stream_stage_reader(s, "gone/0"), *lives = stream_stage_reader(s, "lives/0");
    struct left_behind left[10];
    struct batch in = {.arena = s->arena};
    struct error err;
    size_t count;

    stream_stage_append(s, 3);
    in = stream_stage_read(s, gone);
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
    struct stream *slow = stream_stage_reader(s, "slow/0"), *other = stream_stage_reader(s, "other/0");
    struct left_behind left[10];
    struct error err;
    size_t count;

    stream_stage_append(s, 1);
    assert_true(stream_announce(s->redis, "slow", &err));
    stream_stage_read(s, slow);
    for (count = 0; count == 0;)
        assert_true(stream_take_over(other, left, 10, 100, &count, &err));
    assert_int_equal(count, 1);
    stream_free(slow);
    stream_free(other);
}

static void what_is_handed_back_counts_as_never_delivered(void **state)
{
    struct scene *s = *state;
    struct stream *a = stream_stage_reader(s, "a/0"), *b = stream_stage_reader(s, "b/0");
    struct left_behind left[10];
    struct batch in;
    struct error err;
    size_t count;

    stream_stage_append(s, 1);
    assert_true(stream_announce(s->redis, "a", &err));
    in = stream_stage_read(s, a);
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
    struct stream *stream = stream_stage_reader(s, "a/0");

    stream_stage_append(s, 2);
    assert_int_equal(stream_stage_read(s, stream).count, 2);
    assert_false(stream_group_remade(stream)); /* it never was there before */
    scene_redis(s, "XGROUP DESTROY crier:{q}:stream h");
    assert_int_equal(stream_stage_read(s, stream).count, 2);
    assert_true(stream_group_remade(stream));
    scene_redis(s, "FLUSHALL");
    assert_int_equal(stream_stage_read(s, stream).count, 0);
    assert_true(stream_group_remade(stream));
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
    struct stream *one = stream_stage_reader(s, "p/0"), *neighbour = stream_stage_reader(s, "p/1"),
                  *another = stream_stage_reader(s, "pq/0");
    struct left_behind left[10];
    struct batch in;
    struct error err;
    size_t count;

    stream_stage_append(s, 1);
    in = stream_stage_read(s, one); /* the process is not announced: Redis may have been away */
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
    struct stream *stream = stream_stage_reader(s, "a/0");
    struct left_behind left[2];
    struct batch in;
    struct error err;
    size_t count;

    stream_stage_append(s, 3);
    in = stream_stage_read(s, stream);
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
    struct stream *stream = stream_stage_reader(s, "a/0");
    struct batch in;
    struct error err;

    stream_stage_append(s, 1);
    in = stream_stage_read(s, stream);
    delivery_set(&in, &in.items[0], OUTCOME_DEAD, "no good", "");
    scene_redis(s, "FLUSHALL");
    if (!dead_bury(s->redis, "q", STREAM_TAIL, "h", &in, &err))
        fail_msg("%s", err.text);
    stream_free(stream);
}

static void a_dead_letter_keeps_the_event_and_comes_back_for_its_handler_alone(void **state)
{
    struct scene *s = *state;
    struct stream *stream = stream_stage_reader(s, "a/0");
    struct dead_letter *letters;
    struct batch in;
    struct error err;
    size_t count;
    bool was;

    stream_stage_append(s, 2);
    in = stream_stage_read(s, stream);
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
    in = stream_stage_read(s, stream);
    assert_int_equal(in.count, 1);
    assert_true(span_is(in.items[0].event.only, "h"));
    stream_free(stream);
}

static void an_entry_that_is_no_event_is_dead_and_harms_no_other(void **state)
{
    struct scene *s = *state;
    struct stream *stream = stream_stage_reader(s, "a/0");
    struct batch in;

    scene_redis(s, "XADD crier:{q}:stream * some thing");
    stream_stage_append(s, 1);
    in = stream_stage_read(s, stream);
    assert_int_equal(in.count, 2);
    assert_int_equal(in.items[0].outcome, OUTCOME_DEAD);
    assert_int_equal(in.items[1].outcome, OUTCOME_NONE);
    stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_not_acknowledged_is_taken_over_when_its_process_is_gone,
                                        stream_stage_open, stream_stage_close),
        cmocka_unit_test_setup_teardown(an_event_held_longer_than_the_deadline_is_taken_over_from_a_living_process,
                                        stream_stage_open, stream_stage_close),
        cmocka_unit_test_setup_teardown(what_is_handed_back_counts_as_never_delivered, stream_stage_open,
                                        stream_stage_close),
        cmocka_unit_test_setup_teardown(a_group_that_is_gone_is_made_anew_from_the_beginning, stream_stage_open,
                                        stream_stage_close),
        cmocka_unit_test_setup_teardown(what_a_lane_has_is_not_taken_by_itself_nor_by_its_neighbour_of_the_same_process,
                                        stream_stage_open, stream_stage_close),
        cmocka_unit_test_setup_teardown(what_a_consumer_has_is_listed_page_by_page, stream_stage_open,
                                        stream_stage_close),
        cmocka_unit_test_setup_teardown(a_group_that_went_away_does_not_hold_up_who_has_a_dead_letter_in_hand,
                                        stream_stage_open, stream_stage_close),
        cmocka_unit_test_setup_teardown(a_dead_letter_keeps_the_event_and_comes_back_for_its_handler_alone,
                                        stream_stage_open, stream_stage_close),
        cmocka_unit_test_setup_teardown(an_entry_that_is_no_event_is_dead_and_harms_no_other, stream_stage_open,
                                        stream_stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
