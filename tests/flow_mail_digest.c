/* Mails of a day or a week in one: what is in it, when it comes, and who gets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/mail/mail_digest.h"
#include "handlers/mail/mail_preferences.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/clock_ahead.h"
#include "support/digest_stage.h"
#include "support/mail_stage.h"
#include "support/pause.h"
#include "support/work.h"

/* ------------------------------------------------------------------------------------------------- what is in it */

static void the_events_of_a_day_come_as_one_mail_at_its_hour(void **state)
{
    struct digest_stage s = digest_stage_open("");
    char *subject;
    json_t *all;

    (void)state;
    digest_prefer(s.scene, "d@example.org", MAIL_DAILY);
    digest_emit(&s, "a", "{\"to\":[\"D@example.org\",\"o@example.org\"],\"name\":\"A <b>\",\"url\":\"https://x/1\"}");
    digest_emit(&s, "b", "{\"to\":\"D@example.org\",\"name\":\"B\"}");
    digest_emit(&s, "a", "{\"to\":\"D@example.org\",\"name\":\"A <b>\"}"); /* again */
    json_decref(mail_server_await(s.server, 1));                           /* to who wants it at once */
    digest_await_attempts(&s, 1);    /* one that is not noted by the time that its claim ends is sent again */
    clock_ahead_by(18 * (DAY / 24)); /* six in the morning */
    pause_ms(700);
    assert_int_equal(digest_due(&s), 1);
    clock_ahead_by(2 * (DAY / 24));
    all = mail_server_await(s.server, 2);
    digest_await_attempts(&s, 2);
    assert_int_equal(digest_due(&s), 0);
    assert_string_equal(subject = mail_header_of(all, 1, "Subject"), "2 daily news");
    assert_non_null(strstr(mail_text_of(all, 1), "\r\n\r\n* News of A <b> at https://x/1\r\n* News of B\r\n"));
    assert_non_null(strstr(mail_text_of(all, 1), "<li>News of A &lt;b&gt;</li>"));
    free(subject);
    json_decref(all);
    digest_stage_close(&s);
}

static void an_event_is_in_one_digest_and_the_next_has_an_id_of_its_own(void **state)
{
    struct digest_stage s = digest_stage_open("");
    char *first, *second;
    json_t *all;

    (void)state;
    digest_prefer(s.scene, "d@example.org", MAIL_DAILY);
    digest_emit(&s, "a", "{\"to\":\"d@example.org\",\"name\":\"A\"}");
    clock_ahead_by(DAY);
    json_decref(mail_server_await(s.server, 1));
    digest_await_attempts(&s, 1);
    digest_emit(&s, "a", "{\"to\":\"d@example.org\",\"name\":\"A\"}");
    assert_int_equal(digest_due(&s), 0);
    digest_emit(&s, "b", "{\"to\":\"d@example.org\",\"name\":\"B\",\"language\":\"de-AT\"}");
    assert_int_equal(digest_due(&s), 1);
    clock_ahead_by(DAY);
    all = mail_server_await(s.server, 2);
    assert_null(strstr(mail_text_of(all, 1), "News of A"));
    assert_non_null(strstr(mail_text_of(all, 1), "Subject: Neues\r\n"));
    assert_non_null(strstr(mail_text_of(all, 1), "* Neues von B\r\n"));
    first = mail_header_of(all, 0, "Message-ID");
    second = mail_header_of(all, 1, "Message-ID");
    assert_memory_equal(first, "<digest_", 8);
    assert_string_not_equal(first, second);
    free(first);
    free(second);
    json_decref(all);
    digest_stage_close(&s);
}

static void weekly_ones_come_on_their_day(void **state)
{
    struct digest_stage s = digest_stage_open("digest_day = sunday\n");
    struct calendar c;
    json_t *all;
    int days;

    (void)state;
    time_calendar(clock_wall_us(), &c);
    days = 7 - c.weekday; /* noon of sunday: it is a whole week to the next */
    digest_prefer(s.scene, "w@example.org", MAIL_WEEKLY);
    digest_emit(&s, "a", "{\"to\":\"w@example.org\",\"name\":\"A\"}");
    clock_ahead_by((days - 1) * DAY + 18 * (DAY / 24));
    pause_ms(700);
    assert_int_equal(digest_due(&s), 1);
    clock_ahead_by(2 * (DAY / 24));
    all = mail_server_await(s.server, 1);
    assert_non_null(strstr(mail_text_of(all, 0), "Subject: 1 weekly news\r\n"));
    json_decref(all);
    digest_stage_close(&s);
}

static void more_than_it_lists_is_counted(void **state)
{
    struct digest_stage s = digest_stage_open("");
    json_t *all;

    (void)state;
    digest_prefer(s.scene, "d@example.org", MAIL_DAILY);
    for (int i = 0; i < MAIL_ITEMS_MOST + 7; i++) {
        char id[20];
        struct event e;

        snprintf(id, sizeof id, "e%d", i);
        e = scene_event(s.scene, "user.updated", id, "users/1", 3, "{\"to\":\"d@example.org\",\"name\":\"N\"}");
        scene_append(s.scene, &e, 1);
    }
    digest_pass(&s);
    clock_ahead_by(DAY);
    all = mail_server_await(s.server, 1);
    assert_non_null(strstr(mail_text_of(all, 0), "Subject: 107 daily news\r\n"));
    assert_non_null(strstr(mail_text_of(all, 0), "\r\nand 7 more\r\n"));
    json_decref(all);
    digest_stage_close(&s);
}

static void what_the_template_of_digests_cannot_take_is_a_dead_letter_at_once(void **state)
{
    struct digest_stage s = {.mail = NULL};
    size_t count;

    (void)state;
    s = digest_stage_open("");
    lane_leave(s.lane);
    lane_free(s.lane);
    mail_stage_template(s.mail, "digest.en.txt", "Subject: x\n\n{each data.items}{item.data.url}{end}\n");
    s.lane = work_open(s.scene, "mails");
    digest_prefer(s.scene, "d@example.org", MAIL_DAILY);
    digest_emit(&s, "a", "{\"to\":\"d@example.org\",\"name\":\"A\"}");
    assert_non_null(strstr(digest_dead_letters(&s, &count)[0].reason, "item.data.url is missing"));
    assert_int_equal(count, 1);
    assert_int_equal(digest_due(&s), 0);
    digest_stage_close(&s);
}

/* --------------------------------------------------------------------------------------------------- preferences */

static void a_handlers_own_word_comes_before_that_for_all_but_for_off(void **state)
{
    static const struct {
        const char *all, *own, *counts;
    } cases[] = {
        {"daily",   NULL,      "daily"  },
        {"daily",   "at-once", "at-once"},
        {"on",      "weekly",  "weekly" },
        {"off",     "daily",   "off"    },
        {"at-once", "off",     "off"    },
    };
    struct digest_stage s = digest_stage_open("");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *words[] = {"mail", "--config", s.scene->config_path, "preferences", NULL, NULL, NULL, NULL};
        char address[30], *out;

        snprintf(address, sizeof address, "p%zu@example.org", i);
        words[4] = address;
        words[5] = cases[i].all;
        assert_int_equal(crier_run(&out, words), 0);
        free(out);
        words[5] = cases[i].own;
        words[6] = "--handler=mails";
        if (cases[i].own) {
            assert_int_equal(crier_run(&out, words), 0);
            free(out);
        }
        words[5] = "--json";
        words[6] = NULL;
        assert_int_equal(crier_run(&out, words), 0);
        if (!strstr(out, cases[i].counts))
            fail_msg("case %zu: %s", i, out);
        free(out);
    }
    digest_stage_close(&s);
}

static void who_turns_mails_off_gets_no_digest_either(void **state)
{
    struct digest_stage s = digest_stage_open("");
    json_t *all;

    (void)state;
    digest_prefer(s.scene, "d@example.org", MAIL_DAILY);
    digest_emit(&s, "a", "{\"to\":\"d@example.org\",\"name\":\"A\"}");
    digest_prefer(s.scene, "d@example.org", MAIL_OFF);
    clock_ahead_by(DAY);
    digest_await_attempts(&s, 1);
    all = mail_server_messages(s.server);
    assert_int_equal(json_array_size(all), 0);
    assert_int_equal(digest_due(&s), 0);
    json_decref(all);
    digest_stage_close(&s);
}

/* So many others that are not due for long; in parts, as Redis does nothing else meanwhile. */
static void let_digests_wait(struct scene *scene, int count)
{
    static const char text[] =
        "for i = ARGV[1], ARGV[1] + ARGV[2] - 1 do redis.call('ZADD', KEYS[1], 9e15, 'other' .. i) end";
    enum { PART = 10000 };
    const struct reply *reply;
    struct error err;

    for (int from = 0; from < count; from += PART)
        if (!redis_do(scene->redis, scene->arena, &reply, &err, "EVAL %s 1 crier:{mail}:digests:mails %d %d", text,
                      from, PART) ||
            !reply_ok(reply, &err))
            fail_msg("%s", err.text);
}

static void where_too_many_digests_wait_only_events_for_others_wait(void **state)
{
    struct digest_stage s = digest_stage_open("");
    int64_t until_ms;
    size_t count;
    json_t *all;

    (void)state;
    digest_prefer(s.scene, "d@example.org", MAIL_DAILY);
    let_digests_wait(s.scene, MAIL_DIGESTS_MOST);
    digest_emit(&s, "a", "{\"to\":[\"d@example.org\",\"v@example.org\"],\"name\":\"A\"}");
    digest_emit(&s, "b", "{\"to\":\"w@example.org\",\"name\":\"B\"}");
    json_decref(mail_server_await(s.server, 2));
    digest_await_attempts(&s, 2);
    assert_int_equal(digest_due(&s), MAIL_DIGESTS_MOST);
    assert_int_equal(scene_redis(s.scene, "XPENDING crier:{q}:stream mails")->items[0].integer, 1);
    digest_dead_letters(&s, &count);
    assert_int_equal(count, 0);
    scene_redis(s.scene, "DEL crier:{mail}:digests:mails");
    until_ms = clock_monotonic_ms() + 60000;
    while (digest_due(&s) == 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        digest_pass(&s);
        pause_ms(20);
    }
    clock_ahead_by(DAY);
    digest_await_attempts(&s, 3);
    all = mail_server_await(s.server, 3);
    assert_int_equal(json_array_size(all), 3); /* v got its own but once */
    assert_non_null(strstr(mail_text_of(all, 2), "To: d@example.org\r\n"));
    json_decref(all);
    digest_stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_events_of_a_day_come_as_one_mail_at_its_hour),
        cmocka_unit_test(an_event_is_in_one_digest_and_the_next_has_an_id_of_its_own),
        cmocka_unit_test(weekly_ones_come_on_their_day),
        cmocka_unit_test(more_than_it_lists_is_counted),
        cmocka_unit_test(what_the_template_of_digests_cannot_take_is_a_dead_letter_at_once),
        cmocka_unit_test(a_handlers_own_word_comes_before_that_for_all_but_for_off),
        cmocka_unit_test(who_turns_mails_off_gets_no_digest_either),
        cmocka_unit_test(where_too_many_digests_wait_only_events_for_others_wait),
    };

    http_global_init();
    return mail_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
