/* Change notifications as calls of the platform's own task, among calls of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "notifier/platform/platform_door.h"
#include "support/notification_stage.h"
#include "support/platform_broker.h"
#include "support/process.h"
#include "support/scene.h"

#define TASK "invenio_records_resources.tasks.send_change_notifications"

static void open_door(struct notification_stage *f)
{
    struct error err;

    f->door = platform_door_start(f->scene->settings, f->stop, &err);
    if (!f->door)
        fail_msg("%s", err.text);
}

/* As Celery 5 publishes a call; body: [arguments, named arguments, ...]. */
static void call(struct notification_stage *f, const char *task, const char *body)
{
    broker_push(&f->broker, QUEUE, broker_call(&f->broker, QUEUE, task, body));
}

#define EMBED ", {\"callbacks\": null, \"errbacks\": null, \"chain\": null, \"chord\": null}]"

static void a_call_of_the_task_becomes_events_and_leaves_its_queue(void **state)
{
    struct notification_stage *f = *state;

    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5], [\"2\", \"2\", 3]]], {}" EMBED);
    call(f, TASK, "[[], {\"records_info\": [[\"3\", \"3\", 7]], \"record_type\": \"users\"}" EMBED);
    call(f, TASK, "[[\"groups\"], {\"records_info\": [[\"4\", \"4\", 7]]}" EMBED);
    open_door(f);
    broker_until_left(&f->broker, QUEUE, 0);
    assert_int_equal(notification_stage_length(f, "stream"), 4);
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 0), "subject"), "users/1");
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 2), "subject"), "users/3");
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 3), "type"), "groups.updated");
    assert_int_equal(notification_stage_length(f, "dead"), 0);
}

static void calls_of_other_tasks_stay_for_whoever_they_are_for(void **state)
{
    struct notification_stage *f = *state;

    call(f, "invenio_indexer.tasks.process_bulk_queue", "[[], {}" EMBED);
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5]]], {}" EMBED);
    broker_push(&f->broker, QUEUE,
                "{\"body\": \"gAJ9\", \"content-type\": \"application/x-python-serialize\", "
                "\"headers\": {}, \"properties\": {}}");
    open_door(f);
    broker_until_left(&f->broker, QUEUE, 2);
    assert_int_equal(notification_stage_length(f, "stream"), 1);
    call(f, TASK, "[[\"users\", [[\"2\", \"2\", 5]]], {}" EMBED); /* they are in nobody's way */
    broker_until_left(&f->broker, QUEUE, 2);
    while (notification_stage_length(f, "stream") < 2)
        usleep(10000);
    assert_int_equal(notification_stage_length(f, "dead"), 0);
}

static void a_call_behind_many_of_other_tasks_is_taken_off_once(void **state)
{
    enum { OTHERS = 300 };
    struct notification_stage *f = *state;

    for (int i = 0; i < OTHERS; i++)
        call(f, "invenio_indexer.tasks.process_bulk_queue", "[[], {}" EMBED);
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5]]], {}" EMBED);
    open_door(f);
    broker_until_left(&f->broker, QUEUE, OTHERS);
    assert_int_equal(notification_stage_length(f, "stream"), 1);
}

static void calls_behind_more_of_other_tasks_than_a_batch_are_found(void **state)
{
    enum { OTHERS = 25, OURS = 12 }; /* a batch of 4 */
    struct notification_stage *f = *state;
    struct error err;

    for (int i = 0; i < OTHERS + OURS; i++)
        if (i >= 20 && i < 20 + OURS)
            call(f, TASK, arena_printf(f->scene->arena, "[[\"users\", [[\"%d\", \"1\", 5]]], {}" EMBED, i));
        else
            call(f, "invenio_indexer.tasks.process_bulk_queue", "[[], {}" EMBED);
    f->scene->settings->platform.batch = 4;
    open_door(f);
    broker_until_left(&f->broker, QUEUE, OTHERS);
    assert_int_equal(notification_stage_length(f, "stream"), OURS);
    assert_true(redis_do(f->broker.redis, f->broker.arena, NULL, &err, "DEL %s", QUEUE)); /* whoever it is for */
    call(f, TASK, "[[\"users\", [[\"99\", \"1\", 5]]], {}" EMBED);
    broker_until_left(&f->broker, QUEUE, 0);
    assert_int_equal(notification_stage_length(f, "stream"), OURS + 1);
}

static void malformed_calls_are_dead_letters_with_position_and_reason(void **state)
{
    static const struct {
        const char *body, *reason, *type;
    } bad[] = {
        {"not json",                                        "the body is no call of a task",         "notification" },
        {"{}",                                              "the body is no call of a task",         "notification" },
        {"[[\"users\"], {}" EMBED,                          "records_info is missing",               "notification" },
        {"[[\"users\", [[\"1\", \"1\", \"x\"]]], {}" EMBED, "record 1: byte 2: revision_id must be", "users.updated"},
    };
    struct notification_stage *f = *state;
    size_t letters = ARRAY_LENGTH(bad) + 1;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        call(f, TASK, bad[i].body);
    broker_push(&f->broker, QUEUE, "no message at all");
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5]]], {}" EMBED);
    open_door(f);
    broker_until_left(&f->broker, QUEUE, 0);
    assert_int_equal(notification_stage_length(f, "stream"), 1);
    assert_int_equal(notification_stage_length(f, "dead"), letters);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (!strstr(reply_field_text(notification_stage_entry(f, "dead", i), "reason"), bad[i].reason))
            fail_msg("%s: %s", bad[i].body, reply_field_text(notification_stage_entry(f, "dead", i), "reason"));
        assert_string_equal(reply_field_text(notification_stage_entry(f, "dead", i), "type"), bad[i].type);
        assert_string_equal(reply_field_text(notification_stage_entry(f, "dead", i), "handler"), "platform-door");
    }
}

static void calls_stay_while_our_own_redis_is_away(void **state)
{
    struct notification_stage *f = *state;

    open_door(f);
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5]]], {}" EMBED);
    broker_until_left(&f->broker, QUEUE, 0);
    server_stop(f->scene->redis_server);
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 6]]], {}" EMBED);
    usleep(300000);
    broker_until_left(&f->broker, QUEUE, 1);
    server_restart(f->scene->redis_server);
    broker_until_left(&f->broker, QUEUE, 0);
    assert_int_equal(notification_stage_length(f, "stream"), 2);
}

/* Publishes with the real thing where there is a Python that has it; argument 1 is the broker. */
static const char publish_py[] =
    "import sys\n"
    "from celery import Celery\n"
    "app = Celery(broker=sys.argv[1])\n"
    "app.conf.task_routes = {'" TASK "': {'queue': '" QUEUE "'}}\n"
    "@app.task(name='" TASK "', ignore_result=True)\n"
    "def send_change_notifications(record_type, records_info): pass\n"
    "@app.task(name='another.task')\n"
    "def another(): pass\n"
    "for i in range(50):\n"
    "    send_change_notifications.delay('users', [(str(2 * i), str(2 * i), i), (2 * i + 1, str(2 * i + 1), i)])\n"
    "another.apply_async(queue='" QUEUE "')\n";

static void what_celery_itself_publishes_comes_in_whole(void **state)
{
    struct notification_stage *f = *state;
    const char *python = getenv("CRIER_TEST_PYTHON");
    struct arena *arena = f->broker.arena;
    char *out;

    if (!python || program_run(&out, (char *[]){arena_text(arena, python), arena_text(arena, "-c"),
                                                arena_text(arena, "import celery"), NULL}) != 0) {
        skip();
        return;
    }
    free(out);
    if (program_run(&out, (char *[]){arena_text(arena, python), arena_text(arena, "-c"), arena_text(arena, publish_py),
                                     arena_text(arena, redis_server_url(f->broker.server)), NULL}) != 0)
        fail_msg("%s", out);
    free(out);
    open_door(f);
    broker_until_left(&f->broker, QUEUE, 1);
    assert_int_equal(notification_stage_length(f, "stream"), 100);
    assert_int_equal(notification_stage_length(f, "dead"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_of_the_task_becomes_events_and_leaves_its_queue, notification_stage_open,
                                        notification_stage_close),
        cmocka_unit_test_setup_teardown(calls_of_other_tasks_stay_for_whoever_they_are_for, notification_stage_open,
                                        notification_stage_close),
        cmocka_unit_test_setup_teardown(a_call_behind_many_of_other_tasks_is_taken_off_once, notification_stage_open,
                                        notification_stage_close),
        cmocka_unit_test_setup_teardown(calls_behind_more_of_other_tasks_than_a_batch_are_found,
                                        notification_stage_open, notification_stage_close),
        cmocka_unit_test_setup_teardown(malformed_calls_are_dead_letters_with_position_and_reason,
                                        notification_stage_open, notification_stage_close),
        cmocka_unit_test_setup_teardown(calls_stay_while_our_own_redis_is_away, notification_stage_open,
                                        notification_stage_close),
        cmocka_unit_test_setup_teardown(what_celery_itself_publishes_comes_in_whole, notification_stage_open,
                                        notification_stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
