/* Change notifications as the platform sends them: by HTTP, by `crier emit`, and as calls of its own task. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/stop.h"
#include "notifier/door_events.h"
#include "notifier/notification.h"
#include "notifier/platform/platform_door.h"
#include "support/platform_broker.h"
#include "support/process.h"
#include "support/scene.h"

#define QUEUE "change-notifications"
#define TASK  "invenio_records_resources.tasks.send_change_notifications"

static const char ini[] = "[redis]\nurl = REDIS\ntimeout = 1s\n[http]\nlisten = 127.0.0.1:0\nevent = 4KiB\n"
                          "[queue statistics]\nevents = other\n[queue changes]\nevents = users.* groups.*\n"
                          "[handler members]\ntype = denormalize\nqueue = changes\nindex = m\nmatch = user.id\n"
                          "copy = user.name<-data.name\n"
                          "[platform]\nurl = %s\npoll = 20ms\nnotifications = " QUEUE "\n";

struct fixture {
    struct broker broker;
    struct scene *scene;
    struct intake *intake;
    struct stop *stop;
    struct platform_door *door;
    struct buf reply;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err;
    char text[1000];

    broker_start(&f->broker);
    snprintf(text, sizeof text, ini, redis_server_url(f->broker.server));
    f->scene = scene_open(text);
    f->intake = intake_new(f->scene->settings, &err);
    f->stop = stop_new();
    assert_non_null(f->intake);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop_raise(f->stop);
    platform_door_join(f->door);
    stop_free(f->stop);
    intake_free(f->intake);
    buf_release(&f->reply);
    scene_close(f->scene);
    broker_end(&f->broker);
    free(f);
    return 0;
}

static unsigned post(struct fixture *f, enum event_form form, const char *body)
{
    struct events_door door;

    events_door_init(&door, f->scene->settings);
    buf_reset(&f->reply);
    return events_take(&door, f->intake, &(struct events_request){.form = form, .body = body, .length = strlen(body)},
                       &f->reply);
}

static void answers(struct fixture *f, enum event_form form, const char *body, unsigned status, const char *with)
{
    assert_int_equal(post(f, form, body), status);
    if (!strstr(f->reply.data, with))
        fail_msg("%s: %s", body, f->reply.data);
}

static int64_t length_of(struct fixture *f, const char *key)
{
    return scene_redis(f->scene, "XLEN crier:{changes}:%s", key)->integer;
}

/* The fields of the i-th entry of the stream or of the dead letters. */
static const struct reply *entry(struct fixture *f, const char *key, size_t i)
{
    const struct reply *all = scene_redis(f->scene, "XRANGE crier:{changes}:%s - +", key);

    assert_true(i < all->count);
    return &all->items[i].items[1];
}

/* ------------------------------------------------------------------------------------------------- by HTTP, emit */

static void each_record_becomes_an_event_with_its_revision_and_uuid(void **state)
{
    struct fixture *f = *state;
    const struct reply *e;

    answers(f, FORM_JSON, " [ \"users\" , [[\"1\",\"1\",5], [2, \"2\", 0]] ]", 202, "[{\"id\":\"");
    assert_int_equal(length_of(f, "stream"), 2);
    e = entry(f, "stream", 0);
    assert_string_equal(reply_field_text(e, "type"), "users.updated");
    assert_string_equal(reply_field_text(e, "subject"), "users/1");
    assert_string_equal(reply_field_text(e, "revision"), "5");
    assert_string_equal(reply_field_text(e, "data"), "{\"uuid\":\"1\"}");
    assert_int_equal(strlen(reply_field_text(e, "unique")), 32);
    assert_string_equal(reply_field_text(entry(f, "stream", 1), "subject"), "users/2");
    assert_string_equal(reply_field_text(entry(f, "stream", 1), "revision"), "0");
}

static void the_object_form_may_say_what_happened_and_carry_the_content(void **state)
{
    struct fixture *f = *state;

    answers(f, FORM_JSON,
            "{\"record_type\":\"groups\",\"action\":\"deleted\",\"records_info\":[{\"pid\":\"a/b\",\"uuid\":\"u\","
            "\"revision_id\":3,\"data\":{\"name\":\"A\"}}]}",
            202, "accepted");
    assert_string_equal(reply_field_text(entry(f, "stream", 0), "type"), "groups.deleted");
    assert_string_equal(reply_field_text(entry(f, "stream", 0), "subject"), "groups/a/b");
    assert_string_equal(reply_field_text(entry(f, "stream", 0), "data"), "{\"name\":\"A\",\"uuid\":\"u\"}");
}

static void the_same_record_at_the_same_revision_is_a_duplicate_by_every_door(void **state)
{
    struct fixture *f = *state;
    char *out;

    answers(f, FORM_JSON, "[\"users\",[[\"1\",\"1\",5]]]", 202, "accepted");
    answers(f, FORM_JSON, "{\"records_info\":[[1,\"1\",5]],\"record_type\":\"users\"}", 202, "\"duplicate\"");
    answers(f, FORM_LINES, "[\"users\",[[\"1\",\"1\",5]]]\n", 202, "\"duplicate\"");
    assert_int_equal(crier_run(&out, (const char *const[]){"emit", "--config", f->scene->config_path, "--notification",
                                                           "users", "1:1:5", NULL}),
                     0);
    assert_non_null(strstr(out, "accepted 0, duplicates 1"));
    free(out);
    for (int i = 0; i < 3; i++) {
        static const char *const others[] = {"[\"users\",[[\"1\",\"1\",6]]]", "[\"users\",[[\"1\",\"2\",5]]]",
                                             "[\"groups\",[[\"1\",\"1\",5]]]"};

        answers(f, FORM_JSON, others[i], 202, "accepted");
    }
}

static void events_and_notifications_may_come_in_one_body(void **state)
{
    struct fixture *f = *state;

    answers(f, FORM_LINES,
            "{\"event_type\":\"users.updated\",\"payload\":{}}\n[\"users\",[[\"1\",\"1\",5],[\"2\",\"2\",5]]]\n"
            "{\"record_type\":\"groups\",\"records_info\":[[\"g\",\"g\",1]]}\n",
            202, "accepted");
    assert_int_equal(length_of(f, "stream"), 4);
    answers(f, FORM_JSON, "[[\"users\",[[\"7\",\"7\",5]]],{\"event_type\":\"users.updated\",\"payload\":{}}]", 202,
            "accepted");
    assert_int_equal(length_of(f, "stream"), 6);
    /* an event that happens to speak of such things is an event */
    answers(f, FORM_JSON,
            "{\"event_type\":\"users.updated\",\"payload\":{\"record_type\":\"users\",\"records_info\":[]}}", 202,
            "{\"id\"");
}

static void what_is_wrong_is_told_with_its_position_and_the_others_go_through(void **state)
{
    static const struct {
        const char *body;
        unsigned status;
        const char *with;
    } wrong[] = {
        {"[\"users\",[[\"1\",\"1\",5],[\"2\",\"2\",-1],[\"3\",\"3\",1]]]", 202,
         "record 2: byte 23: revision_id must be"                                                                                       },
        {"[\"users\",[[\"1\",\"1\"]]]",                                    400, "record 1: byte 11: it must be [pid, uuid, revision_id]"},
        {"[\"users\",[[null,\"1\",1]]]",                                   400, "pid must be text or a whole number"                    },
        {"[\"users\",[[\"1\",\"\",1]]]",                                   400, "uuid must be text or a whole number"                   },
        {"[\"users\",[[\"1\",\"1\",1.5]]]",                                400, "revision_id must be a whole number"                    },
        {"[\"users\",[[\"1\",\"1\",1,1]]]",                                400, "it must be [pid, uuid, revision_id]"                   },
        {"[\"users\",[[\"4\",\"4\",5],[\"5\",]]]",                         202, "record 2: byte 23: line 1"                             },
        {"[\"users\",[[\"4\",\"4\",6]",                                    400, "the notification is cut short"                         },
        {"[\"users\",[[\"4\",\"4\",6]}]",                                  400, "is misplaced"                                          },
        {"[\"users\",[[\"4\",\"4\",6]]] x",                                400, "byte 25: 'x' is misplaced"                             },
        {"[\"users\"]",                                                    400, "records_info is missing"                               },
        {"[\"users\",{}]",                                                 400, "byte 10: records_info must be an array"                },
        {"[\"users\",[],[]]",                                              400, "byte 13: a notification has two elements"              },
        {"[\"\",[]]",                                                      400, "record_type must be text"                              },
        {"[\"us ers\",[[\"1\",\"1\",1]]]",                                 400, "type must be 1 to 8 parts"                             },
        {"{\"record_type\":7,\"records_info\":[]}",                        400, "record_type must be text"                              },
        {"{\"record_type\":\"users\",\"records_info\":[],\"more\":1}",     400, "has the members record_type"                           },
        {"{\"record_type\":\"crier\",\"records_info\":[[\"1\",\"1\",1]]}", 400, "the service's own"                                     },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        answers(f, FORM_JSON, wrong[i].body, wrong[i].status, wrong[i].with);
    assert_int_equal(length_of(f, "stream"), 3);
}

static void an_unknown_type_is_counted_and_no_error(void **state)
{
    struct fixture *f = *state;

    answers(f, FORM_JSON, "[\"names\",[[\"1\",\"1\",5]]]", 202, "\"not_wanted\"");
    assert_int_equal(length_of(f, "stream"), 0);
}

static void emit_takes_records_as_arguments_and_notifications_as_lines(void **state)
{
    struct fixture *f = *state;
    const char *config = f->scene->config_path;
    char path[400], *out;
    FILE *file;

    assert_int_equal(crier_run(&out, (const char *const[]){"emit", "--config", config, "--notification", "groups",
                                                           "--action", "deleted", "doi:10.1/x:u-1:4", "b:u-2:0", NULL}),
                     0);
    free(out);
    assert_string_equal(reply_field_text(entry(f, "stream", 0), "subject"), "groups/doi:10.1/x");
    assert_string_equal(reply_field_text(entry(f, "stream", 0), "revision"), "4");
    assert_string_equal(reply_field_text(entry(f, "stream", 1), "type"), "groups.deleted");
    assert_int_equal(crier_run(&out, (const char *const[]){"emit", "--config", config, "--notification", "groups",
                                                           "a:1:x", "b:1:1", "c", NULL}),
                     3);
    assert_non_null(strstr(out, "record 1: "));
    assert_non_null(strstr(out, "revision_id must be"));
    assert_non_null(strstr(out, "record 3: "));
    free(out);
    snprintf(path, sizeof path, "%s/notifications.ndjson", test_folder());
    file = fopen(path, "w");
    fputs("[\"users\",[", file);
    for (int i = 0; i < 1200; i++)
        fprintf(file, "%s[\"%d\",\"%d\",9]", i ? "," : "", i, i);
    fputs("]]\n[\"users\"]\n", file);
    fclose(file);
    assert_int_equal(crier_run(&out, (const char *const[]){"emit", "--config", config, path, NULL}), 3);
    assert_non_null(strstr(out, "notifications.ndjson:2: records_info is missing"));
    assert_non_null(strstr(out, "accepted 1200"));
    free(out);
    assert_int_equal(
        crier_run(&out, (const char *const[]){"emit", "--config", config, "--notification", "users", NULL}), 2);
    free(out);
}

static void ten_thousand_records_fit_into_one_notification(void **state)
{
    enum { RECORDS = 10000 };
    struct fixture *f = *state;
    struct buf body = BUF_INIT;

    buf_add_text(&body, "[\"users\",[");
    for (int i = 0; i < RECORDS; i++)
        buf_printf(&body, "%s[\"%d\",\"6d5a7c3e-0000-4000-8000-%012d\",3]", i ? "," : "", i, i);
    buf_add_text(&body, "]]");
    assert_int_equal(post(f, FORM_JSON, body.data), 202);
    assert_int_equal(length_of(f, "stream"), RECORDS);
    buf_release(&body);
}

/* ---------------------------------------------------------------------------------------- the platform's own task */

static void open_door(struct fixture *f)
{
    struct error err;

    f->door = platform_door_start(f->scene->settings, f->stop, &err);
    if (!f->door)
        fail_msg("%s", err.text);
}

/* As Celery 5 publishes a call; body: [arguments, named arguments, ...]. */
static void call(struct fixture *f, const char *task, const char *body)
{
    broker_push(&f->broker, QUEUE, broker_call(&f->broker, QUEUE, task, body));
}

#define EMBED ", {\"callbacks\": null, \"errbacks\": null, \"chain\": null, \"chord\": null}]"

static void a_call_of_the_task_becomes_events_and_leaves_its_queue(void **state)
{
    struct fixture *f = *state;

    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5], [\"2\", \"2\", 3]]], {}" EMBED);
    call(f, TASK, "[[], {\"records_info\": [[\"3\", \"3\", 7]], \"record_type\": \"users\"}" EMBED);
    call(f, TASK, "[[\"groups\"], {\"records_info\": [[\"4\", \"4\", 7]]}" EMBED);
    open_door(f);
    broker_until_left(&f->broker, QUEUE, 0);
    assert_int_equal(length_of(f, "stream"), 4);
    assert_string_equal(reply_field_text(entry(f, "stream", 0), "subject"), "users/1");
    assert_string_equal(reply_field_text(entry(f, "stream", 2), "subject"), "users/3");
    assert_string_equal(reply_field_text(entry(f, "stream", 3), "type"), "groups.updated");
    assert_int_equal(length_of(f, "dead"), 0);
}

static void calls_of_other_tasks_stay_for_whoever_they_are_for(void **state)
{
    struct fixture *f = *state;

    call(f, "invenio_indexer.tasks.process_bulk_queue", "[[], {}" EMBED);
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5]]], {}" EMBED);
    broker_push(&f->broker, QUEUE,
                "{\"body\": \"gAJ9\", \"content-type\": \"application/x-python-serialize\", "
                "\"headers\": {}, \"properties\": {}}");
    open_door(f);
    broker_until_left(&f->broker, QUEUE, 2);
    assert_int_equal(length_of(f, "stream"), 1);
    call(f, TASK, "[[\"users\", [[\"2\", \"2\", 5]]], {}" EMBED); /* they are in nobody's way */
    broker_until_left(&f->broker, QUEUE, 2);
    while (length_of(f, "stream") < 2)
        usleep(10000);
    assert_int_equal(length_of(f, "dead"), 0);
}

static void a_call_behind_many_of_other_tasks_is_taken_off_once(void **state)
{
    enum { OTHERS = 300 };
    struct fixture *f = *state;

    for (int i = 0; i < OTHERS; i++)
        call(f, "invenio_indexer.tasks.process_bulk_queue", "[[], {}" EMBED);
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5]]], {}" EMBED);
    open_door(f);
    broker_until_left(&f->broker, QUEUE, OTHERS);
    assert_int_equal(length_of(f, "stream"), 1);
}

static void calls_behind_more_of_other_tasks_than_a_batch_are_found(void **state)
{
    enum { OTHERS = 25, OURS = 12 }; /* a batch of 4 */
    struct fixture *f = *state;
    struct error err;

    for (int i = 0; i < OTHERS + OURS; i++)
        if (i >= 20 && i < 20 + OURS)
            call(f, TASK, arena_printf(f->scene->arena, "[[\"users\", [[\"%d\", \"1\", 5]]], {}" EMBED, i));
        else
            call(f, "invenio_indexer.tasks.process_bulk_queue", "[[], {}" EMBED);
    f->scene->settings->platform.batch = 4;
    open_door(f);
    broker_until_left(&f->broker, QUEUE, OTHERS);
    assert_int_equal(length_of(f, "stream"), OURS);
    assert_true(redis_do(f->broker.redis, f->broker.arena, NULL, &err, "DEL %s", QUEUE)); /* whoever it is for */
    call(f, TASK, "[[\"users\", [[\"99\", \"1\", 5]]], {}" EMBED);
    broker_until_left(&f->broker, QUEUE, 0);
    assert_int_equal(length_of(f, "stream"), OURS + 1);
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
    struct fixture *f = *state;
    size_t letters = ARRAY_LENGTH(bad) + 1;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        call(f, TASK, bad[i].body);
    broker_push(&f->broker, QUEUE, "no message at all");
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5]]], {}" EMBED);
    open_door(f);
    broker_until_left(&f->broker, QUEUE, 0);
    assert_int_equal(length_of(f, "stream"), 1);
    assert_int_equal(length_of(f, "dead"), letters);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (!strstr(reply_field_text(entry(f, "dead", i), "reason"), bad[i].reason))
            fail_msg("%s: %s", bad[i].body, reply_field_text(entry(f, "dead", i), "reason"));
        assert_string_equal(reply_field_text(entry(f, "dead", i), "type"), bad[i].type);
        assert_string_equal(reply_field_text(entry(f, "dead", i), "handler"), "platform-door");
    }
}

static void calls_stay_while_our_own_redis_is_away(void **state)
{
    struct fixture *f = *state;

    open_door(f);
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 5]]], {}" EMBED);
    broker_until_left(&f->broker, QUEUE, 0);
    server_stop(f->scene->redis_server);
    call(f, TASK, "[[\"users\", [[\"1\", \"1\", 6]]], {}" EMBED);
    usleep(300000);
    broker_until_left(&f->broker, QUEUE, 1);
    server_restart(f->scene->redis_server);
    broker_until_left(&f->broker, QUEUE, 0);
    assert_int_equal(length_of(f, "stream"), 2);
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
    struct fixture *f = *state;
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
    assert_int_equal(length_of(f, "stream"), 100);
    assert_int_equal(length_of(f, "dead"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_record_becomes_an_event_with_its_revision_and_uuid, setup, teardown),
        cmocka_unit_test_setup_teardown(the_object_form_may_say_what_happened_and_carry_the_content, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_record_at_the_same_revision_is_a_duplicate_by_every_door, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(events_and_notifications_may_come_in_one_body, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told_with_its_position_and_the_others_go_through, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_unknown_type_is_counted_and_no_error, setup, teardown),
        cmocka_unit_test_setup_teardown(emit_takes_records_as_arguments_and_notifications_as_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(ten_thousand_records_fit_into_one_notification, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_of_the_task_becomes_events_and_leaves_its_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_of_other_tasks_stay_for_whoever_they_are_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_behind_many_of_other_tasks_is_taken_off_once, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_behind_more_of_other_tasks_than_a_batch_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_calls_are_dead_letters_with_position_and_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_stay_while_our_own_redis_is_away, setup, teardown),
        cmocka_unit_test_setup_teardown(what_celery_itself_publishes_comes_in_whole, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
