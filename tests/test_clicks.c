/* Which clicks are followed by which, as Redis keeps it; and the fields of a mapping in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/click_state.h"
#include "handlers/mapping.h"
#include "support/scene.h"

enum { LATENESS_MS = 600000, OUTAGE_MS = 3600000 };

#define START_US INT64_C(1795210800000000) /* 2026-11-20T21:40:00Z */

static int setup(void **state)
{
    *state = scene_open("[redis]\nurl = REDIS\n");
    return 0;
}

static int teardown(void **state)
{
    scene_close(*state);
    return 0;
}

static struct click_place place_at(const char *member, int64_t ms)
{
    return (struct click_place){
        .key = span_of("visitor"),
        .member = span_of(member),
        .time_us = START_US + ms * 1000,
        .lateness_ms = LATENESS_MS,
    };
}

static void look(struct scene *s, struct click_place *places, size_t count)
{
    struct click_place **list = arena_alloc(s->arena, count * sizeof(struct click_place *));
    struct error err;

    for (size_t i = 0; i < count; i++)
        list[i] = &places[i];
    if (!click_state_look(s->redis, "q", "views", list, count, s->arena, &err))
        fail_msg("%s", err.text);
}

/* By itself, as a worker with a batch of one does. */
static struct click_place looked_at(struct scene *s, const char *member, int64_t ms)
{
    struct click_place one = place_at(member, ms);

    look(s, &one, 1);
    return one;
}

static void a_click_is_followed_within_thirty_seconds_and_not_a_moment_later(void **state)
{
    struct scene *s = *state;
    struct click_place places[] = {place_at("a i", 0), place_at("b i", 30000), place_at("c i", 60001)};

    look(s, places, 3);
    assert_true(places[0].followed);
    assert_false(places[1].followed);
    assert_false(places[2].followed);
    assert_int_equal(places[0].before.length, 0);
    assert_true(span_is(places[1].before, "a i"));
    assert_int_equal(places[1].before_us, START_US);
    assert_int_equal(places[2].before.length, 0);
}

static void whichever_comes_first_the_later_one_tells_of_the_earlier(void **state)
{
    struct scene *s = *state;

    assert_false(looked_at(s, "b i", 20000).followed);
    assert_true(looked_at(s, "a i", 0).followed);
    assert_true(span_is(looked_at(s, "b i", 20000).before, "a i"));
    assert_true(span_is(looked_at(s, "c i", 10000).before, "a i"));
    assert_true(span_is(looked_at(s, "b i", 20000).before, "c i"));
}

static void of_one_instant_the_greater_id_is_the_later(void **state)
{
    struct scene *s = *state;
    struct click_place places[] = {place_at("b i", 0), place_at("a i", 0)};

    look(s, places, 2);
    assert_false(places[0].followed);
    assert_true(span_is(places[0].before, "a i"));
    assert_true(places[1].followed);
}

static void microseconds_are_told_apart(void **state)
{
    struct scene *s = *state;
    struct click_place places[] = {place_at("a i", 0), place_at("b i", 30000)};

    places[1].time_us++;
    look(s, places, 2);
    assert_false(places[0].followed);
    assert_int_equal(places[1].before.length, 0);
}

static void an_id_that_comes_again_with_another_time_is_where_it_was_last(void **state)
{
    struct scene *s = *state;

    looked_at(s, "a i", 0);
    assert_true(span_is(looked_at(s, "x i", 10000).before, "a i"));
    assert_int_equal(looked_at(s, "x i", 100000).before.length, 0);
    assert_false(looked_at(s, "a i", 0).followed);
    assert_int_equal(looked_at(s, "x i", 10000).before.length, 0);
}

static void visitors_and_handlers_have_clicks_of_their_own(void **state)
{
    struct scene *s = *state;
    struct click_place other = place_at("b i", 1000), *list[] = {&other};
    struct error err;

    looked_at(s, "a i", 0);
    other.key = span_of("another");
    look(s, &other, 1);
    assert_int_equal(other.before.length, 0);
    other.key = span_of("visitor");
    assert_true(click_state_look(s->redis, "q", "downloads", list, 1, s->arena, &err));
    assert_int_equal(other.before.length, 0);
}

static void what_is_there_already_does_not_live_longer_for_being_looked_at(void **state)
{
    struct scene *s = *state;

    looked_at(s, "a i", 0);
    assert_in_range(scene_redis(s, "PTTL crier:{q}:clicks:views:visitor")->integer, LATENESS_MS + OUTAGE_MS - 60000,
                    LATENESS_MS + OUTAGE_MS);
    scene_redis(s, "PEXPIRE crier:{q}:clicks:views:visitor 50000");
    looked_at(s, "a i", 0);
    assert_in_range(scene_redis(s, "PTTL crier:{q}:clicks:views:visitor")->integer, 1, 50000);
    looked_at(s, "b i", 90000);
    assert_in_range(scene_redis(s, "PTTL crier:{q}:clicks:views:visitor")->integer, LATENESS_MS,
                    LATENESS_MS + OUTAGE_MS);
}

static void a_click_forgotten_follows_nobody(void **state)
{
    struct scene *s = *state;
    struct click_place b = place_at("b i", 10000);
    struct error err;

    looked_at(s, "a i", 0);
    look(s, &b, 1);
    assert_true(click_state_forget(s->redis, "q", "views", &b, &err));
    assert_false(looked_at(s, "a i", 0).followed);
    assert_true(span_is(looked_at(s, "c i", 20000).before, "a i"));
}

static void many_clicks_are_looked_at_together_also_by_a_redis_without_the_script_or_memory(void **state)
{
    enum { COUNT = 1000 };
    struct scene *s = *state;
    static struct click_place places[COUNT];

    scene_redis(s, "CONFIG SET maxmemory 1");
    for (int i = 0; i < COUNT; i++) {
        char member[20];

        snprintf(member, sizeof member, "%04d i", COUNT - i);
        places[i] = place_at(arena_text(s->arena, member), (COUNT - i) * INT64_C(20000));
    }
    look(s, places, COUNT);
    scene_redis(s, "SCRIPT FLUSH");
    look(s, places, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(places[i].followed, i > 0);
        assert_int_equal(places[i].before.length > 0, i < COUNT - 1);
    }
}

static void a_visitor_without_end_is_kept_within_bounds(void **state)
{
    enum { COUNT = 10100, MOST = 10000 };
    struct scene *s = *state;
    static struct click_place places[COUNT];

    for (int i = 0; i < COUNT; i++) {
        char member[20];

        snprintf(member, sizeof member, "%05d i", i);
        places[i] = place_at(arena_text(s->arena, member), i);
    }
    look(s, places, COUNT);
    assert_int_equal(scene_redis(s, "ZCARD crier:{q}:clicks:views:visitor")->integer, MOST);
    assert_true(span_is(looked_at(s, "99999 i", COUNT).before, "10099 i"));
}

/* ------------------------------------------------------------------------------------------------- mappings */

static void fields_of_a_mapping_are_names_and_types(void **state)
{
    static const struct {
        const char *words, *wrong; /* NULL: good */
    } table[] = {
        {"",                                      NULL                               },
        {"recid:keyword  size:double\n a.b:date", NULL                               },
        {"recid",                                 "\"recid\": NAME:TYPE is wanted"   },
        {":keyword",                              "\":keyword\": NAME:TYPE is wanted"},
        {"recid:keywrd",                          "perhaps keyword?"                 },
        {"recid:",                                "is no type of a field"            },
        {"a:keyword b:long a:keyword",            "a stands there twice"             },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = ERROR_INIT;

        assert_int_equal(mapping_check(table[i].words, &err), table[i].wrong == NULL);
        if (table[i].wrong && !strstr(err.text, table[i].wrong))
            fail_msg("\"%s\": %s", table[i].words, err.text);
    }
}

static void the_time_field_has_its_format_and_no_field_comes_twice(void **state)
{
    struct buf words = BUF_INIT, out = BUF_INIT;

    (void)state;
    buf_add_text(&words, "id:keyword timestamp:date idx:long");
    mapping_add_word(&words, "id", "long");
    mapping_add_word(&words, "i", "boolean");
    mapping_add_word(&words, "", "keyword");
    mapping_add_properties(&out, words.data, "timestamp", "f");
    assert_string_equal(out.data, "{\"timestamp\":{\"type\":\"date\",\"format\":\"f\"},\"id\":{\"type\":\"keyword\"},"
                                  "\"idx\":{\"type\":\"long\"},\"i\":{\"type\":\"boolean\"}}");
    buf_release(&words);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_click_is_followed_within_thirty_seconds_and_not_a_moment_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(whichever_comes_first_the_later_one_tells_of_the_earlier, setup, teardown),
        cmocka_unit_test_setup_teardown(of_one_instant_the_greater_id_is_the_later, setup, teardown),
        cmocka_unit_test_setup_teardown(microseconds_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_that_comes_again_with_another_time_is_where_it_was_last, setup, teardown),
        cmocka_unit_test_setup_teardown(visitors_and_handlers_have_clicks_of_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_there_already_does_not_live_longer_for_being_looked_at, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_click_forgotten_follows_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(many_clicks_are_looked_at_together_also_by_a_redis_without_the_script_or_memory,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_visitor_without_end_is_kept_within_bounds, setup, teardown),
        cmocka_unit_test(fields_of_a_mapping_are_names_and_types),
        cmocka_unit_test(the_time_field_has_its_format_and_no_field_comes_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
