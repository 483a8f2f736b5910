/* Digests that are tried again, refused or cut off by a kill: nobody goes without one or gets it twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "handlers/mail/mail_preferences.h"
#include "notifier/dead.h"
#include "support/clock_ahead.h"
#include "support/digest_stage.h"
#include "support/mail_stage.h"
#include "support/pause.h"

static void a_digest_that_was_tried_is_closed_and_comes_again_as_it_was(void **state)
{
    struct digest_stage s = digest_stage_open("");
    json_t *all;

    (void)state;
    digest_prefer(s.scene, "d@example.org", MAIL_DAILY);
    digest_emit(&s, "a", "{\"to\":\"d@example.org\",\"name\":\"A\"}");
    mail_server_behave(s.server, "close");
    clock_ahead_by(DAY);
    digest_await_attempts(&s, 1);
    digest_emit(&s, "b", "{\"to\":\"d@example.org\",\"name\":\"B\"}");
    assert_int_equal(digest_due(&s), 2);
    mail_server_behave(s.server, "ok");
    clock_ahead_by(70 * US_PER_SECOND);
    all = mail_server_await(s.server, 2);
    digest_await_attempts(&s, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(strstr(mail_text_of(all, i), "News of A"));
        assert_null(strstr(mail_text_of(all, i), "News of B"));
    }
    {
        char *first = mail_header_of(all, 0, "Message-ID"), *second = mail_header_of(all, 1, "Message-ID");

        assert_string_equal(first, second);
        free(first);
        free(second);
    }
    json_decref(all);
    clock_ahead_by(DAY);
    all = mail_server_await(s.server, 3);
    assert_non_null(strstr(mail_text_of(all, 2), "News of B"));
    json_decref(all);
    digest_stage_close(&s);
}

/* A clock that is behind: the digest is claimed while an event still comes for its period. */
static void an_event_that_comes_too_late_for_a_digest_is_in_the_next(void **state)
{
    struct digest_stage s = digest_stage_open("");

    (void)state;
    digest_prefer(s.scene, "d@example.org", MAIL_DAILY);
    digest_emit(&s, "a", "{\"to\":\"d@example.org\",\"name\":\"A\"}");
    mail_server_behave(s.server, "450");
    clock_ahead_by(DAY);
    digest_await_attempts(&s, 1);
    clock_ahead_by(-DAY);
    digest_emit(&s, "b", "{\"to\":\"d@example.org\",\"name\":\"B\"}");
    assert_int_equal(digest_due(&s), 2);
    digest_stage_close(&s);
}

/* They go right after the attempt is noted. */
static void await_no_items(struct digest_stage *s)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (scene_redis(s->scene, "KEYS crier:{mail}:items:*")->count > 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(5);
    }
}

static void a_digest_refused_for_good_is_a_dead_letter_that_can_be_sent_anew(void **state)
{
    struct digest_stage s = digest_stage_open("");
    const struct dead_letter *letters;
    const char *words[] = {"dead", "--config", NULL, "retry", NULL, NULL};
    size_t count;
    json_t *all;
    char *out;

    (void)state;
    words[2] = s.scene->config_path;
    digest_prefer(s.scene, "d@example.org", MAIL_DAILY);
    digest_emit(&s, "a", "{\"to\":\"d@example.org\",\"name\":\"A\"}");
    digest_emit(&s, "b", "{\"to\":\"d@example.org\",\"name\":\"B\"}");
    mail_server_behave(s.server, "550");
    clock_ahead_by(DAY);
    digest_await_attempts(&s, 1);
    letters = digest_dead_letters(&s, &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(letters[0].reason, "d@example.org"));
    assert_non_null(strstr(letters[0].event.data.text, "News of B"));
    await_no_items(&s);
    mail_server_behave(s.server, "ok");
    words[4] = letters[0].id;
    assert_int_equal(crier_run(&out, words), 0);
    free(out);
    digest_pass(&s);
    all = mail_server_await(s.server, 1);
    assert_non_null(strstr(mail_text_of(all, 0), "* News of A\r\n* News of B\r\n"));
    json_decref(all);
    digest_stage_close(&s);
}

/* ------------------------------------------------------------------------------------------------------ kill -9 */

enum { KILLS = 5, CONCURRENCY = 4, AT_ONCE = 500 };

static void append_to(struct scene *scene, const char *name, int from, int to)
{
    struct buf data = BUF_INIT;
    struct event e;
    char id[40];

    buf_printf(&data, "{\"name\":\"%s\",\"to\":[", name);
    for (int i = from; i < to; i++)
        buf_printf(&data, "%s\"u%d@example.org\"", i > from ? "," : "", i);
    buf_add_text(&data, "]}");
    snprintf(id, sizeof id, "%s%d", name, from);
    e = scene_event(scene, "user.updated", id, "users/1", 3, data.data);
    scene_append(scene, &e, 1);
    buf_release(&data);
}

static int64_t script(struct scene *scene, const char *text)
{
    const struct reply *reply;
    struct error err;

    if (!redis_do(scene->redis, scene->arena, &reply, &err, "EVAL %s 0", text))
        fail_msg("%s", err.text);
    return reply->integer;
}

static int64_t waiting(struct scene *scene)
{
    return scene_redis(scene, "ZCARD crier:{mail}:digests:mails")->integer;
}

static void await_waiting(struct scene *scene, int64_t least, int64_t most)
{
    int64_t until_ms = clock_monotonic_ms() + 400000, now;

    while ((now = waiting(scene)) < least || now > most) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld digests wait, not %lld to %lld", (long long)now, (long long)least, (long long)most);
        pause_ms(20);
    }
}

/* How many mails each got, which all have one id and both items. */
static int count_mails(const json_t *all, int users)
{
    char **ids = xcalloc((size_t)users, sizeof *ids);
    int *got = xcalloc((size_t)users, sizeof *got), missing = 0;

    for (size_t i = 0; i < json_array_size(all); i++) {
        const char *to = json_string_value(json_array_get(json_object_get(json_array_get(all, i), "to"), 0));
        char *id = mail_header_of(all, i, "Message-ID");
        int user = atoi(to + 1);

        assert_in_range(user, 0, users - 1);
        assert_non_null(strstr(mail_text_of(all, i), "* News of A\r\n")); /* what was left behind comes later */
        assert_non_null(strstr(mail_text_of(all, i), "* News of B\r\n"));
        if (ids[user])
            assert_string_equal(ids[user], id);
        free(ids[user]);
        ids[user] = id;
        got[user]++;
    }
    for (int i = 0; i < users; i++) {
        missing += got[i] == 0;
        assert_in_range(got[i], 0, 1 + KILLS);
        free(ids[i]);
    }
    free(ids);
    free(got);
    return missing;
}

static void a_digest_reaches_each_though_the_service_is_killed_while_it_takes_and_sends_them(void **state)
{
    int users = getenv("CRIER_DIGESTS") ? atoi(getenv("CRIER_DIGESTS")) : 300;
    struct mail_stage *s = mail_stage_open("");
    struct server *serve;
    json_t *all;

    (void)state;
    digest_put_templates(s);
    for (int i = 0; i < users; i++) {
        char address[40];

        snprintf(address, sizeof address, "u%d@example.org", i);
        digest_prefer(s->scene, address, MAIL_DAILY);
    }
    serve = crier_serve_start(s->scene->config_path);
    for (int i = 0; i < users; i += AT_ONCE)
        append_to(s->scene, "A", i, i + AT_ONCE < users ? i + AT_ONCE : users);
    await_waiting(s->scene, 1, users);
    server_kill(serve); /* while it takes them, or just after */
    for (int i = 0; i < users; i += AT_ONCE)
        append_to(s->scene, "B", i, i + AT_ONCE < users ? i + AT_ONCE : users);
    server_restart(serve);
    await_waiting(s->scene, users, users);
    while (script(s->scene, "local n = 0 for _, k in ipairs(redis.call('KEYS', 'crier:{mail}:items:*')) do "
                            "n = n + redis.call('LLEN', k) end return n") < 2 * users)
        pause_ms(50);
    script(s->scene, "for _, id in ipairs(redis.call('ZRANGE', 'crier:{mail}:digests:mails', 0, -1)) do "
                     "redis.call('ZADD', 'crier:{mail}:digests:mails', 1, id) end return 0");
    for (int i = 1; i <= KILLS; i++) {
        await_waiting(s->scene, 0, users - users * i / (KILLS + 1));
        server_kill(serve);
        server_restart(serve);
    }
    await_waiting(s->scene, 0, 0);
    all = mail_server_messages(s->server);
    assert_int_equal(count_mails(all, users), 0);
    print_message("%d users, %d kills, %zu mails\n", users, KILLS, json_array_size(all));
    assert_in_range(json_array_size(all), (size_t)users, (size_t)users + KILLS * CONCURRENCY);
    json_decref(all);
    server_free(serve);
    mail_stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_that_was_tried_is_closed_and_comes_again_as_it_was),
        cmocka_unit_test(an_event_that_comes_too_late_for_a_digest_is_in_the_next),
        cmocka_unit_test(a_digest_refused_for_good_is_a_dead_letter_that_can_be_sent_anew),
        cmocka_unit_test(a_digest_reaches_each_though_the_service_is_killed_while_it_takes_and_sends_them),
    };

    http_global_init();
    return mail_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
