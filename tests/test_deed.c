/* What somebody has the service do is noted before, and one event once it is known how it ended, or that nobody is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/json.h"
#include "notifier/deed.h"
#include "notifier/verb_deed.h"
#include "support/scene.h"

static const char ini[] = "[redis]\nurl = REDIS\n[queue q]\nevents = user.*\n"
                          "[handler trail]\ntype = audit\nqueue = q\nindex =\n";

static int setup(void **state)
{
    *state = scene_open(ini);
    return 0;
}

static int setup_without_audit(void **state)
{
    *state = scene_open("[redis]\nurl = REDIS\n[queue q]\nevents = user.*\n");
    return 0;
}

static int teardown(void **state)
{
    scene_close(*state);
    return 0;
}

static struct deed *begin(struct scene *s)
{
    struct error err;
    struct deed *d = deed_begin(s->settings, s->redis, "webhook.paused", "webhooks/w", "tokens/t",
                                json_pack("{s:s}", "handler", "users"), &err);

    if (!d)
        fail_msg("%s", err.text);
    return d;
}

static int64_t events(struct scene *s)
{
    return scene_redis(s, "XLEN crier:{q}:stream")->integer;
}

static int64_t under_way(struct scene *s)
{
    return scene_redis(s, "ZCARD " DEEDS_UNDER_WAY)->integer;
}

/* A member of the data of the newest event, in the scene's arena. */
static const char *newest(struct scene *s, const char *name)
{
    const struct reply *entries = scene_redis(s, "XREVRANGE crier:{q}:stream + - COUNT 1");
    const char *text = reply_field_text(&entries->items[0].items[1], "data"), *value;
    struct error err;
    json_t *data = *text ? json_text_parse(text, strlen(text), 4, &err) : NULL;

    value = arena_text(s->arena, json_member_text(data, name, ""));
    json_decref(data);
    return value;
}

/* As if nothing had been heard of them for long. */
static void lose_all(struct scene *s)
{
    static const char script[] =
        "for _, d in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 1, d) end";
    struct error err;

    if (!redis_do(s->redis, s->arena, NULL, &err, "EVAL %s 1 " DEEDS_UNDER_WAY, script))
        fail_msg("%s", err.text);
}

static void tell_lost(struct scene *s)
{
    struct error err;

    if (!deeds_tell_lost(s->settings, s->redis, &err))
        fail_msg("%s", err.text);
}

static void a_deed_is_noted_before_and_one_event_after(void **state)
{
    static const struct error why = {.kind = ERROR_AGAIN, .text = "it was not there"};
    struct scene *s = *state;

    for (int done = 0; done < 2; done++) {
        struct deed *d = begin(s);

        assert_int_equal(events(s), done);
        assert_int_equal(under_way(s), 1);
        assert_int_equal(deed_settle(d, s->redis, done, &why), done);
        assert_int_equal(events(s), done + 1);
        assert_int_equal(under_way(s), 0);
        assert_string_equal(newest(s, "handler"), "users");
        assert_string_equal(newest(s, "outcome"), done ? "" : "failure");
        assert_string_equal(newest(s, "reason"), done ? "" : "it was not there");
    }
}

static void one_whose_process_is_gone_is_told_once_as_of_unknown_end(void **state)
{
    struct scene *s = *state;
    struct deed *gone = begin(s), *there = begin(s);
    struct error err;

    tell_lost(s);
    assert_int_equal(events(s), 0);
    lose_all(s);
    assert_true(deed_go_on(there, s->redis, &err));
    tell_lost(s);
    assert_int_equal(events(s), 1);
    assert_string_equal(newest(s, "outcome"), "unknown");
    assert_string_equal(newest(s, "handler"), "users");
    assert_int_equal(under_way(s), 1);
    assert_true(deed_end(gone, s->redis, NULL, 0, &err)); /* it was not gone, after all */
    assert_int_equal(events(s), 1);
    assert_true(deed_end(there, s->redis, NULL, 0, &err));
    assert_int_equal(events(s), 2);
    assert_int_equal(under_way(s), 0);
}

static void a_note_that_cannot_be_read_keeps_no_other_back(void **state)
{
    struct scene *s = *state;
    struct deed *gone = begin(s);
    struct error err;

    scene_redis(s, "ZADD " DEEDS_UNDER_WAY " 0 {");
    lose_all(s);
    tell_lost(s);
    assert_int_equal(events(s), 1);
    assert_string_equal(newest(s, "outcome"), "unknown");
    assert_int_equal(under_way(s), 0);
    assert_true(deed_end(gone, s->redis, NULL, 0, &err));
}

static void what_cannot_be_noted_is_not_begun(void **state)
{
    struct scene *s = *state;
    struct error err = ERROR_INIT;

    server_stop(s->redis_server);
    assert_null(deed_begin(s->settings, s->redis, "webhook.paused", "webhooks/w", NULL, NULL, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_non_null(strstr(err.text, "recorded for the audit"));
}

static void an_end_that_cannot_be_told_leaves_the_note(void **state)
{
    struct scene *s = *state;
    struct deed *d = begin(s);
    struct error err;

    server_stop(s->redis_server);
    assert_false(deed_end(d, s->redis, NULL, 0, &err));
    assert_non_null(strstr(err.text, "webhook.paused"));
    server_restart(s->redis_server);
    assert_int_equal(under_way(s), 1);
    lose_all(s);
    tell_lost(s);
    assert_string_equal(newest(s, "outcome"), "unknown");
}

static void a_redis_that_was_started_anew_meanwhile_is_told_the_end(void **state)
{
    struct scene *s = *state;
    struct deed *d = begin(s);
    struct error err = ERROR_INIT;

    server_stop(s->redis_server);
    server_restart(s->redis_server);
    if (!deed_end(d, s->redis, NULL, 0, &err))
        fail_msg("%s", err.text);
    assert_int_equal(events(s), 1);
    assert_string_equal(newest(s, "outcome"), "");
    assert_int_equal(under_way(s), 0);
}

static void where_there_is_no_audit_nothing_is_noted(void **state)
{
    struct scene *s = *state;
    struct deed *d = begin(s);
    struct error err;

    assert_int_equal(under_way(s), 0);
    assert_true(deed_go_on(d, s->redis, &err));
    assert_int_equal(under_way(s), 0);
    assert_true(deed_end(d, s->redis, "why", 1, &err));
    assert_int_equal(events(s), 0);
}

static void verb_begins(struct scene *s, const char *subject)
{
    struct error err;

    if (!verb_deed_begin(s->settings, "dead.dropped", subject, NULL, &err))
        fail_msg("%s", err.text);
}

static void of_many_deeds_of_a_verb_each_has_its_own_end(void **state)
{
    static const struct error why = {.kind = ERROR_AGAIN, .text = "that one"};
    struct scene *s = *state;
    struct error err;

    verb_begins(s, "dead/1");
    verb_begins(s, "dead/2"); /* the first is done, then */
    assert_int_equal(events(s), 1);
    assert_string_equal(newest(s, "outcome"), "");
    assert_false(verb_deed_settle(false, &why));
    assert_string_equal(newest(s, "reason"), "that one");
    verb_begins(s, "dead/3");
    assert_true(verb_deed_settle(true, NULL));
    assert_true(verb_deed_settle(true, NULL)); /* there is none any more */
    assert_int_equal(events(s), 3);
    assert_string_equal(newest(s, "outcome"), "");
    verb_begins(s, "dead/4");
    assert_true(verb_deed_over("all of it", 1, &err));
    assert_int_equal(events(s), 4);
    assert_string_equal(newest(s, "reason"), "all of it");
    assert_true(verb_deed_over(NULL, 0, &err));
    assert_int_equal(events(s), 4);
    assert_int_equal(under_way(s), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_deed_is_noted_before_and_one_event_after),
        TEST(one_whose_process_is_gone_is_told_once_as_of_unknown_end),
        TEST(a_note_that_cannot_be_read_keeps_no_other_back),
        TEST(what_cannot_be_noted_is_not_begun),
        TEST(an_end_that_cannot_be_told_leaves_the_note),
        TEST(a_redis_that_was_started_anew_meanwhile_is_told_the_end),
        cmocka_unit_test_setup_teardown(where_there_is_no_audit_nothing_is_noted, setup_without_audit, teardown),
        TEST(of_many_deeds_of_a_verb_each_has_its_own_end),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
