/* What an operator's verbs do and answer; a Redis, and an audit that is a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "notifier/refusal.h"
#include "support/scene.h"
#include "support/work.h"

/* What the service does itself has no data.action, and is done all the same: each run adds an event. */
static int setup(void **state)
{
    char path[300], ini[700];

    snprintf(path, sizeof path, "%s/verbs.ndjson", test_folder());
    unlink(path);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[audit]\nfile = %s\n[queue q]\nevents = user.*\n"
             "[handler trail]\ntype = audit\nqueue = q\nevents = user.*\naction = {data.action}\nindex =\n",
             path);
    *state = scene_open(ini);
    return 0;
}

static int teardown(void **state)
{
    scene_close(*state);
    return 0;
}

/* Runs crier with the scene's configuration; its exit code, and in what it said the words wanted. */
static int say(struct scene *s, const char *wanted, const char *a, const char *b, const char *c, const char *d)
{
    const char *words[] = {a, "--config", s->config_path, b, c, d, NULL};
    char *out;
    int code = crier_run(&out, words);

    if (!strstr(out, wanted))
        fail_msg("\"%s\" is not in what it said: %s", wanted, out);
    free(out);
    return code;
}

static void append_one(struct scene *s, const char *id, const char *data)
{
    struct event e = scene_event(s, "user.updated", id, "users/1", 1, data);

    scene_append(s, &e, 1);
}

static void a_dry_run_of_a_handler_says_what_waits_and_does_nothing(void **state)
{
    struct scene *s = *state;

    append_one(s, "a", "{\"action\":\"x\"}");
    assert_int_equal(say(s, "1 events wait", "run", "trail", "--dry-run", NULL), 0);
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:stream")->integer, 1); /* nor is anything said for the audit */
    assert_int_equal(scene_redis(s, "XINFO GROUPS crier:{q}:stream")->count, 0);
    assert_int_equal(say(s, "\"events\":1,\"dead\":0", "run", "trail", "--json", NULL), 0);
}

static void a_run_that_leaves_dead_letters_says_so_by_its_exit_code(void **state)
{
    struct scene *s = *state;

    append_one(s, "a", "{\"other\":1}");
    assert_int_equal(say(s, "1 of them to the dead letters", "run", "trail", NULL, NULL), 3);
}

static void a_dead_letter_is_not_retried_for_a_handler_that_is_gone(void **state)
{
    struct scene *s = *state;

    append_one(s, "a", "{\"other\":1}");
    work_off(s, "trail");
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:dead")->integer, 1);
    scene_redis(s, "XADD crier:{q}:dead * type user.updated time 2026-11-20T10:00:00Z id b handler former tries 1");
    assert_int_equal(say(s, "former", "dead", "retry", "--all", "--handler=former"), 1);
    assert_int_equal(say(s, "retry: 1", "dead", "retry", "--all", "--handler=trail"), 0);
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:dead")->integer, 1);
}

/* What a door refused has no event in it; nor does it keep the others from being retried. */
static void what_a_door_refused_is_not_retried_and_the_rest_is(void **state)
{
    struct scene *s = *state;
    struct refusal refusal = {.door = "platform-door",
                              .source = "platform:stats",
                              .type = "user.updated",
                              .reason = "the message is not JSON",
                              .digest = "d1g",
                              .length = 7};
    const char *id;
    struct error err;

    append_one(s, "a", "{\"other\":1}");
    work_off(s, "trail");
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:dead")->integer, 1);
    assert_true(refusal_bury(s->settings, s->redis, &refusal, &err));
    id = arena_text(s->arena, scene_redis(s, "XREVRANGE crier:{q}:dead + - COUNT 1")->items[0].items[0].text);
    assert_int_equal(say(s, "platform-door refused", "dead", "retry", id, NULL), 1);
    assert_int_equal(say(s, "1 stay; the first: dead letter", "dead", "retry", "--all", NULL), 3);
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:dead")->integer, 1);
    assert_int_equal(say(s, "drop: 1", "dead", "drop", id, NULL), 0);
}

static void many_dead_letters_are_shown_where_all_are_asked_for(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 120; i++)
        scene_redis(s, "XADD crier:{q}:dead * type user.updated time 2026-11-20T10:00:00Z id e%d handler trail", i);
    assert_int_equal(say(s, "and 20 more", "dead", "list", NULL, NULL), 0);
    assert_int_equal(say(s, "e119", "dead", "list", "--all", NULL), 0);
    assert_int_equal(say(s, "drop: 120", "dead", "drop", "--all", NULL), 0);
}

static void what_is_not_understood_is_a_usage_error(void **state)
{
    struct scene *s = *state;

    assert_int_equal(say(s, "takes no arguments", "status", "--jsn", NULL, NULL), 2);
    assert_int_equal(say(s, "dead", "dead", "list", "--al", NULL), 2);
    assert_int_equal(say(s, "no such queue", "dead", "list", "--queue", "typo"), 2);
    assert_int_equal(say(s, "no handler", "run", "trial", NULL, NULL), 2);
    assert_int_equal(say(s, "no handler", "aggregations", "run", "trail", NULL), 2);
    assert_int_equal(say(s, "no option --al", "aggregations", "run", "--al", NULL), 2);
    assert_int_equal(say(s, "--month lacks", "statistics", "restate", "--month", NULL), 2);
}

static void a_handler_taken_out_holds_nothing_back_once_it_is_forgotten(void **state)
{
    struct scene *s = *state;
    size_t heads;

    append_one(s, "a", "{\"action\":\"x\"}");
    append_one(s, "b", "{\"action\":\"x\"}");
    scene_redis(s, "XGROUP CREATE crier:{q}:stream former 0");
    scene_redis(s, "XGROUP CREATE crier:{q}:head former 0 MKSTREAM");
    heads = scene_redis(s, "XINFO GROUPS crier:{q}:head")->count - 1;
    work_off(s, "trail");
    assert_int_equal(say(s, "1 group of former, with 2 events", "queues", "forget", "former", "--dry-run"), 0);
    assert_int_equal(scene_redis(s, "XINFO GROUPS crier:{q}:stream")->count, 2);
    assert_int_equal(say(s, "\"groups\":1", "queues", "forget", "former", "--json"), 0);
    assert_int_equal(scene_redis(s, "XINFO GROUPS crier:{q}:stream")->count, 1);
    assert_int_equal(scene_redis(s, "XINFO GROUPS crier:{q}:head")->count, heads);
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:stream")->integer, 3); /* the audit is told */
    assert_int_equal(say(s, "no queue has a group", "queues", "forget", "former", NULL), 2);
    assert_int_equal(say(s, "is configured", "queues", "forget", "trail", NULL), 2);
    assert_int_equal(scene_redis(s, "XINFO GROUPS crier:{q}:stream")->count, 1);
}

static int setup_with_broker(void **state)
{
    *state = scene_open("[redis]\nurl = REDIS\n[platform]\nurl = redis://127.0.0.1:1\n[queue q]\nevents = user.*\n");
    return 0;
}

static void a_broker_of_the_platform_that_is_away_is_named_by_check_online(void **state)
{
    assert_int_equal(say(*state, "platform: Redis at 127.0.0.1:1", "check", "--online", NULL, NULL), 69);
}

static int setup_with_what_nothing_takes(void **state)
{
    *state = scene_open(
        "[redis]\nurl = REDIS\n[platform]\nurl = redis://127.0.0.1:1\n"
        "queues = stats-file=file.downloaded stats-user=user.seen\n"
        "[audit]\nfile = /var/lib/crier/nobody.ndjson\n[url view]\npattern = ^/records/(?<recid>[a-z0-9-]+)\n"
        "event = record.viewed\n[queue q]\nevents = user.*\n");
    return 0;
}

static void check_names_what_nothing_takes_and_calls_the_file_good(void **state)
{
    assert_int_equal(
        say(*state, "note: [url view]: no queue takes events of type record.viewed", "check", NULL, NULL, NULL), 0);
    assert_int_equal(say(*state, "note: [platform] queues: no queue takes events of type file.downloaded", "check",
                         NULL, NULL, NULL),
                     0);
    assert_int_equal(say(*state, "nobody.ndjson stays empty", "check", NULL, NULL, NULL), 0);
}

static void check_has_no_note_on_what_is_taken(void **state)
{
    struct scene *s = *state;
    const char *words[] = {"check", "--config", s->config_path, NULL};
    char *out;

    assert_int_equal(crier_run(&out, words), 0);
    assert_null(strstr(out, "note:"));
    free(out);
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(a_dry_run_of_a_handler_says_what_waits_and_does_nothing),
        IN_SCENE(a_run_that_leaves_dead_letters_says_so_by_its_exit_code),
        IN_SCENE(a_dead_letter_is_not_retried_for_a_handler_that_is_gone),
        IN_SCENE(what_a_door_refused_is_not_retried_and_the_rest_is),
        IN_SCENE(many_dead_letters_are_shown_where_all_are_asked_for),
        IN_SCENE(what_is_not_understood_is_a_usage_error),
        IN_SCENE(a_handler_taken_out_holds_nothing_back_once_it_is_forgotten),
        cmocka_unit_test_setup_teardown(a_broker_of_the_platform_that_is_away_is_named_by_check_online,
                                        setup_with_broker, teardown),
        cmocka_unit_test_setup_teardown(check_names_what_nothing_takes_and_calls_the_file_good,
                                        setup_with_what_nothing_takes, teardown),
        IN_SCENE(check_has_no_note_on_what_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
