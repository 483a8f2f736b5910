/* Change notifications as the platform sends them, by HTTP and by `crier emit`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "notifier/door_events.h"
#include "support/notification_stage.h"
#include "support/scene.h"

static unsigned post(struct notification_stage *f, enum event_form form, const char *body)
{
    struct events_door door;

    events_door_init(&door, f->scene->settings);
    buf_reset(&f->reply);
    return events_take(&door, f->intake, &(struct events_request){.form = form, .body = body, .length = strlen(body)},
                       &f->reply);
}

static void answers(struct notification_stage *f, enum event_form form, const char *body, unsigned status,
                    const char *with)
{
    assert_int_equal(post(f, form, body), status);
    if (!strstr(f->reply.data, with))
        fail_msg("%s: %s", body, f->reply.data);
}

static void each_record_becomes_an_event_with_its_revision_and_uuid(void **state)
{
    struct notification_stage *f = *state;
    const struct reply *e;

    answers(f, FORM_JSON, " [ \"users\" , [[\"1\",\"1\",5], [2, \"2\", 0]] ]", 202, "[{\"id\":\"");
    assert_int_equal(notification_stage_length(f, "stream"), 2);
    e = notification_stage_entry(f, "stream", 0);
    assert_string_equal(reply_field_text(e, "type"), "users.updated");
    assert_string_equal(reply_field_text(e, "subject"), "users/1");
    assert_string_equal(reply_field_text(e, "revision"), "5");
    assert_string_equal(reply_field_text(e, "data"), "{\"uuid\":\"1\"}");
    assert_int_equal(strlen(reply_field_text(e, "unique")), 32);
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 1), "subject"), "users/2");
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 1), "revision"), "0");
}

static void the_object_form_may_say_what_happened_and_carry_the_content(void **state)
{
    struct notification_stage *f = *state;

    answers(f, FORM_JSON,
            "{\"record_type\":\"groups\",\"action\":\"deleted\",\"records_info\":[{\"pid\":\"a/b\",\"uuid\":\"u\","
            "\"revision_id\":3,\"data\":{\"name\":\"A\"}}]}",
            202, "accepted");
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 0), "type"), "groups.deleted");
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 0), "subject"), "groups/a/b");
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 0), "data"),
                        "{\"name\":\"A\",\"uuid\":\"u\"}");
}

static void the_same_record_at_the_same_revision_is_a_duplicate_by_every_door(void **state)
{
    struct notification_stage *f = *state;
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
    struct notification_stage *f = *state;

    answers(f, FORM_LINES,
            "{\"event_type\":\"users.updated\",\"payload\":{}}\n[\"users\",[[\"1\",\"1\",5],[\"2\",\"2\",5]]]\n"
            "{\"record_type\":\"groups\",\"records_info\":[[\"g\",\"g\",1]]}\n",
            202, "accepted");
    assert_int_equal(notification_stage_length(f, "stream"), 4);
    answers(f, FORM_JSON, "[[\"users\",[[\"7\",\"7\",5]]],{\"event_type\":\"users.updated\",\"payload\":{}}]", 202,
            "accepted");
    assert_int_equal(notification_stage_length(f, "stream"), 6);
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
    struct notification_stage *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        answers(f, FORM_JSON, wrong[i].body, wrong[i].status, wrong[i].with);
    assert_int_equal(notification_stage_length(f, "stream"), 3);
}

static void an_unknown_type_is_counted_and_no_error(void **state)
{
    struct notification_stage *f = *state;

    answers(f, FORM_JSON, "[\"names\",[[\"1\",\"1\",5]]]", 202, "\"not_wanted\"");
    assert_int_equal(notification_stage_length(f, "stream"), 0);
}

static void emit_takes_records_as_arguments_and_notifications_as_lines(void **state)
{
    struct notification_stage *f = *state;
    const char *config = f->scene->config_path;
    char path[400], *out;
    FILE *file;

    assert_int_equal(crier_run(&out, (const char *const[]){"emit", "--config", config, "--notification", "groups",
                                                           "--action", "deleted", "doi:10.1/x:u-1:4", "b:u-2:0", NULL}),
                     0);
    free(out);
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 0), "subject"), "groups/doi:10.1/x");
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 0), "revision"), "4");
    assert_string_equal(reply_field_text(notification_stage_entry(f, "stream", 1), "type"), "groups.deleted");
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
    struct notification_stage *f = *state;
    struct buf body = BUF_INIT;

    buf_add_text(&body, "[\"users\",[");
    for (int i = 0; i < RECORDS; i++)
        buf_printf(&body, "%s[\"%d\",\"6d5a7c3e-0000-4000-8000-%012d\",3]", i ? "," : "", i, i);
    buf_add_text(&body, "]]");
    assert_int_equal(post(f, FORM_JSON, body.data), 202);
    assert_int_equal(notification_stage_length(f, "stream"), RECORDS);
    buf_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_record_becomes_an_event_with_its_revision_and_uuid,
                                        notification_stage_open, notification_stage_close),
        cmocka_unit_test_setup_teardown(the_object_form_may_say_what_happened_and_carry_the_content,
                                        notification_stage_open, notification_stage_close),
        cmocka_unit_test_setup_teardown(the_same_record_at_the_same_revision_is_a_duplicate_by_every_door,
                                        notification_stage_open, notification_stage_close),
        cmocka_unit_test_setup_teardown(events_and_notifications_may_come_in_one_body, notification_stage_open,
                                        notification_stage_close),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told_with_its_position_and_the_others_go_through,
                                        notification_stage_open, notification_stage_close),
        cmocka_unit_test_setup_teardown(an_unknown_type_is_counted_and_no_error, notification_stage_open,
                                        notification_stage_close),
        cmocka_unit_test_setup_teardown(emit_takes_records_as_arguments_and_notifications_as_lines,
                                        notification_stage_open, notification_stage_close),
        cmocka_unit_test_setup_teardown(ten_thousand_records_fit_into_one_notification, notification_stage_open,
                                        notification_stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
