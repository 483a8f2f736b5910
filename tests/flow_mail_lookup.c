/* Mails to who a [source] says: events have ids, the platform has the addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "handlers/mail/mail_preferences.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/mail_stage.h"
#include "support/record_server.h"
#include "support/work.h"

struct stage {
    struct record_server *platform;
    struct mail_stage *mail;
    struct lane *lane;
};

static struct stage stage_open(const char *to)
{
    struct stage s = {.platform = record_server_start(NULL)};
    char more[400];

    snprintf(more, sizeof more,
             "to = %s\nsource = people\naddress = metadata.email\nrecipient_language = metadata.locale\n"
             "[source people]\ntype = http\nurl = %s/api/records/{id}\n",
             to, record_server_url(s.platform));
    s.mail = mail_stage_open(more);
    mail_stage_template(s.mail, "digest.en.txt", "Subject: News\n\n{each data.items}* {item.title}\n{end}");
    s.lane = work_open(s.mail->scene, "mails");
    record_server_put(s.platform, "7", 1, "{\"email\": \"ada@Example.org\"}");
    record_server_put(s.platform, "8", 1, "{\"email\": [\"bob@example.org\", \"bob@work.example\"]}");
    record_server_put(s.platform, "9", 1, "{\"email\": \"no address\"}");
    record_server_put(s.platform, "10", 1, "{\"email\": \"eva@example.org\", \"locale\": \"de-AT\"}");
    record_server_put(s.platform, "11", 1, "{\"email\": \"zoe@example.org\", \"locale\": \"xx\"}");
    record_server_put(s.platform, "12", 1, "{\"email\": \"max@example.org\", \"locale\": \"en\\r\\nBcc: x\"}");
    return s;
}

static void stage_close(struct stage *s)
{
    lane_leave(s->lane);
    lane_free(s->lane);
    mail_stage_close(s->mail);
    record_server_free(s->platform);
}

static void send(struct stage *s, const char *id, const char *subject, const char *data)
{
    struct event e = scene_event(s->mail->scene, "user.updated", id, subject, 3, data);

    scene_append(s->mail->scene, &e, 1);
}

/* One pass; whether the handler could do it. */
static bool pass(struct stage *s, size_t *taken, struct error *err)
{
    return lane_pass(s->lane, 0, taken, err);
}

static void pass_all(struct stage *s)
{
    struct error err;
    size_t taken = 1;

    while (taken > 0)
        if (!pass(s, &taken, &err))
            fail_msg("%s", err.text);
}

static const char *to_of(const json_t *all, size_t i)
{
    return json_string_value(json_array_get(json_object_get(json_array_get(all, i), "to"), 0));
}

static bool is_among(const json_t *all, const char *to)
{
    for (size_t i = 0; i < json_array_size(all); i++)
        if (strcmp(to_of(all, i), to) == 0)
            return true;
    return false;
}

static size_t dead_count(struct stage *s, const char **reason)
{
    struct scene *scene = s->mail->scene;
    struct dead_letter *letters;
    struct error err;
    size_t count;

    if (!dead_list(scene->redis, "q", NULL, 100, scene->arena, &letters, &count, &err))
        fail_msg("%s", err.text);
    *reason = count > 0 ? letters[0].reason : "";
    return count;
}

static void each_id_leads_to_the_addresses_that_the_source_has_for_it(void **state)
{
    struct stage s = stage_open("data.members.id");
    const char *reason;
    json_t *all;

    (void)state;
    send(&s, "e1", "users/1", "{\"name\": \"x\", \"members\": [{\"id\": 7}, {\"id\": \"8\"}, {\"id\": \"7\"}]}");
    pass_all(&s);
    all = mail_server_await(s.mail->server, 3);
    assert_true(is_among(all, "ada@example.org"));
    assert_true(is_among(all, "bob@example.org"));
    assert_true(is_among(all, "bob@work.example"));
    assert_int_equal(dead_count(&s, &reason), 0);
    assert_int_equal(record_server_requests(s.platform), 2);
    json_decref(all);
    stage_close(&s);
}

static void the_subject_itself_may_be_the_id(void **state)
{
    struct stage s = stage_open("subject");
    json_t *all;

    (void)state;
    send(&s, "e1", "users/7", "{\"name\": \"x\"}");
    pass_all(&s);
    all = mail_server_await(s.mail->server, 1);
    assert_string_equal(to_of(all, 0), "ada@example.org");
    json_decref(all);
    stage_close(&s);
}

static void ids_that_lead_to_no_address_are_a_dead_letter_and_the_others_get_their_mail(void **state)
{
    struct stage s = stage_open("data.ids");
    const char *reason;
    json_t *all;

    (void)state;
    send(&s, "e1", "users/1", "{\"name\": \"x\", \"ids\": [9, 7, 404]}");
    pass_all(&s);
    all = mail_server_await(s.mail->server, 1);
    assert_string_equal(to_of(all, 0), "ada@example.org");
    assert_int_equal(dead_count(&s, &reason), 1);
    assert_non_null(strstr(reason, "2 of 3 values at data.ids are missing, lead to no mail address at the source"));
    json_decref(all);
    stage_close(&s);
}

static void a_source_that_is_away_holds_the_event_and_costs_it_nothing(void **state)
{
    struct stage s = stage_open("subject");
    const char *reason;
    struct error err;
    size_t taken;
    json_t *all;

    (void)state;
    record_server_stop(s.platform);
    send(&s, "e1", "users/7", "{\"name\": \"x\"}");
    assert_false(pass(&s, &taken, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_int_equal(dead_count(&s, &reason), 0);
    all = mail_server_messages(s.mail->server);
    assert_int_equal(json_array_size(all), 0);
    json_decref(all);

    record_server_resume(s.platform);
    pass_all(&s);
    all = mail_server_await(s.mail->server, 1);
    assert_string_equal(to_of(all, 0), "ada@example.org");
    json_decref(all);
    stage_close(&s);
}

static void expect_subject(const json_t *all, const char *to, const char *expected)
{
    for (size_t i = 0; i < json_array_size(all); i++) {
        char *subject;

        if (strcmp(to_of(all, i), to) != 0)
            continue;
        subject = mail_header_of(all, i, "Subject");
        if (strcmp(subject, expected) != 0)
            fail_msg("%s gets \"%s\"", to, subject);
        free(subject);
        return;
    }
    fail_msg("%s gets nothing", to);
}

/* Else in that of the event, where there is no own, and in the one that stands in, where there is no template. */
static void each_gets_it_in_the_language_that_the_source_has_for_it(void **state)
{
    struct stage s = stage_open("data.ids");
    const char *reason;
    json_t *all;

    (void)state;
    send(&s, "e1", "users/1", "{\"name\": \"x\", \"ids\": [7, 10, 11, 12]}");
    send(&s, "e2", "users/1", "{\"name\": \"y\", \"language\": \"de\", \"ids\": [8]}");
    pass_all(&s);
    all = mail_server_await(s.mail->server, 6);
    expect_subject(all, "ada@example.org", "News of x");
    expect_subject(all, "eva@example.org", "Neues von x");
    expect_subject(all, "zoe@example.org", "News of x");
    expect_subject(all, "max@example.org", "News of x");
    expect_subject(all, "bob@example.org", "Neues von y");
    assert_int_equal(dead_count(&s, &reason), 0);
    json_decref(all);
    stage_close(&s);
}

static void prefer_daily(struct scene *scene, const char *address)
{
    struct error err;

    if (!mail_preference_set(scene->redis, NULL, address, MAIL_DAILY, scene->arena, &err))
        fail_msg("%s", err.text);
}

static bool any_item_has(struct scene *scene, const char *text)
{
    const struct reply *keys = scene_redis(scene, "KEYS crier:{mail}:items:mails:*");

    for (size_t i = 0; i < keys->count; i++)
        if (strstr(scene_redis(scene, "LINDEX %s 0", keys->items[i].text)->text, text))
            return true;
    return false;
}

static void a_digest_lists_each_event_in_its_readers_language(void **state)
{
    struct stage s = stage_open("data.ids");
    struct scene *scene = s.mail->scene;

    (void)state;
    prefer_daily(scene, "ada@example.org");
    prefer_daily(scene, "eva@example.org");
    send(&s, "e1", "users/1", "{\"name\": \"x\", \"ids\": [7, 10]}");
    pass_all(&s);
    assert_int_equal(scene_redis(scene, "ZCARD crier:{mail}:digests:mails")->integer, 2);
    assert_true(any_item_has(scene, "\"title\":\"News of x\""));
    assert_true(any_item_has(scene, "\"title\":\"Neues von x\",\"language\":\"de-AT\""));
    stage_close(&s);
}

/* Who changes is asked for anew. */
static void those_of_all_events_of_a_pass_are_asked_for_once(void **state)
{
    struct stage s = stage_open("data.ids");
    const char *reason;
    json_t *all;

    (void)state;
    for (int i = 0; i < 20; i++) {
        char id[8];

        snprintf(id, sizeof id, "e%d", i);
        send(&s, id, "users/1", i % 2 ? "{\"name\": \"x\", \"ids\": [7, 10]}" : "{\"name\": \"x\", \"ids\": [7, 404]}");
    }
    pass_all(&s);
    json_decref(mail_server_await(s.mail->server, 30));
    assert_int_equal(record_server_requests(s.platform), 3);
    assert_int_equal(dead_count(&s, &reason), 10);
    record_server_put(s.platform, "7", 2, "{\"email\": \"new@example.org\"}");
    send(&s, "last", "users/1", "{\"name\": \"x\", \"ids\": [7]}");
    pass_all(&s);
    all = mail_server_await(s.mail->server, 31);
    assert_true(is_among(all, "new@example.org"));
    assert_int_equal(record_server_requests(s.platform), 4);
    json_decref(all);
    stage_close(&s);
}

/* More than are asked for at a time. */
static void many_people_of_one_event_are_all_found(void **state)
{
    enum { PEOPLE = 450 };
    struct stage s = stage_open("data.ids");
    struct buf data = BUF_INIT;
    const char *reason;

    (void)state;
    buf_add_text(&data, "{\"name\": \"x\", \"ids\": [404");
    for (int i = 0; i < PEOPLE; i++) {
        char id[12], metadata[60];

        snprintf(id, sizeof id, "%d", 1000 + i);
        snprintf(metadata, sizeof metadata, "{\"email\": \"u%d@example.org\"}", i);
        record_server_put(s.platform, id, 1, metadata);
        buf_printf(&data, ",%s", id);
    }
    buf_add_text(&data, "]}");
    send(&s, "e1", "users/1", data.data);
    pass_all(&s);
    json_decref(mail_server_await(s.mail->server, PEOPLE));
    assert_int_equal(record_server_requests(s.platform), PEOPLE + 1);
    assert_int_equal(dead_count(&s, &reason), 1);
    assert_non_null(strstr(reason, "1 of 451 values at data.ids"));
    buf_release(&data);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_id_leads_to_the_addresses_that_the_source_has_for_it),
        cmocka_unit_test(the_subject_itself_may_be_the_id),
        cmocka_unit_test(ids_that_lead_to_no_address_are_a_dead_letter_and_the_others_get_their_mail),
        cmocka_unit_test(each_gets_it_in_the_language_that_the_source_has_for_it),
        cmocka_unit_test(a_digest_lists_each_event_in_its_readers_language),
        cmocka_unit_test(those_of_all_events_of_a_pass_are_asked_for_once),
        cmocka_unit_test(many_people_of_one_event_are_all_found),
        cmocka_unit_test(a_source_that_is_away_holds_the_event_and_costs_it_nothing),
    };

    http_global_init();
    return mail_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
