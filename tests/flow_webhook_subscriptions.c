/* Webhooks that users subscribe to: exactly what they asked for, from the next event on, and no longer than they want.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "base/signature.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/pause.h"
#include "support/scene.h"

struct stage {
    struct scene *scene;
    struct hook_server *target, *other;
    struct server *serve;
    int events;
    char url[100], other_url[100];
};

static struct stage *stage_open(void)
{
    struct stage *s = xcalloc(1, sizeof *s);
    char ini[900];

    s->target = hook_server_start("127.0.0.1");
    s->other = hook_server_start("127.0.0.1");
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/" CANARY "-path", hook_server_port(s->target));
    snprintf(s->other_url, sizeof s->other_url, "http://127.0.0.1:%d/", hook_server_port(s->other));
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue changes]\nevents = record.* user.*\n"
             "[handler users]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\n"
             "ports = %d %d 443\nallow = 127.0.0.0/8\ntimeout = 10s\nconcurrency = 2\n",
             hook_server_port(s->target), hook_server_port(s->other));
    s->scene = scene_open(ini);
    s->serve = crier_serve_start(s->scene->config_path);
    return s;
}

static void stage_close(struct stage *s)
{
    server_free(s->serve);
    scene_close(s->scene);
    hook_server_free(s->target);
    hook_server_free(s->other);
    free(s);
}

/* Runs `crier webhooks` with words, NULL-ended, as --json; what it said is yours to free. */
static char *say(struct stage *s, int expected, const char *const words[])
{
    const char *all[24] = {"webhooks", "--config", s->scene->config_path, "--json"};
    char *out;
    int code;

    for (size_t i = 0; words[i]; i++)
        all[4 + i] = words[i];
    code = crier_run(&out, all);
    if (code != expected)
        fail_msg("crier webhooks %s ends with %d: %s", words[0], code, out);
    return out;
}

#define SAY(s, expected, ...) free(say(s, expected, (const char *const[]){__VA_ARGS__, NULL}))

struct made {
    char id[40], secret[80];
};

static struct made add(struct stage *s, const char *const words[])
{
    char *out = say(s, 0, words);
    struct error err;
    json_t *answer = json_text_parse(out, strcspn(out, "\n"), 4, &err);
    struct made made;

    if (!answer)
        fail_msg("%s: %s", out, err.text);
    snprintf(made.id, sizeof made.id, "%s", json_member_text(answer, "id", ""));
    snprintf(made.secret, sizeof made.secret, "%s", json_member_text(answer, "secret", ""));
    json_decref(answer);
    free(out);
    return made;
}

#define ADD(s, ...) add(s, (const char *const[]){"add", (s)->url, __VA_ARGS__, NULL})

static void emit(struct stage *s, const char *type, const char *data)
{
    struct event e;
    char id[16];

    snprintf(id, sizeof id, "e%03d", s->events++);
    e = scene_event(s->scene, type, id, "records/1", 1, data);
    scene_append(s->scene, &e, 1);
}

/* Until every event is done with: nothing more comes of them. */
static void await_done(struct stage *s)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    const struct reply *group, *keys;
    int64_t waiting;

    do {
        pause_ms(20);
        group = scene_redis(s->scene, "XINFO GROUPS crier:{changes}:stream");
        keys = scene_redis(s->scene, "KEYS crier:{webhooks}:delivery:*");
        waiting =
            group->count ? reply_field_int(&group->items[0], "pending") + reply_field_int(&group->items[0], "lag") : 1;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld events and %zu deliveries wait", (long long)waiting, keys->count);
    } while (waiting > 0 || keys->count > 0);
}

static bool is_signed_by(struct stage *s, size_t i, const char *secret)
{
    char *id = hook_server_header(s->target, i, "webhook-id"),
         *at = hook_server_header(s->target, i, "webhook-timestamp"),
         *signature = hook_server_header(s->target, i, "webhook-signature");
    const char *body = hook_server_body(s->target, i);
    struct error err;
    struct signer *signer = signer_new(secret, &err);
    bool ok;

    assert_non_null(signer);
    ok = signature_verify(signer, &(struct signature_claim){id, at, signature}, clock_wall_us() / US_PER_SECOND, body,
                          strlen(body), &err);
    signer_free(signer);
    free(id);
    free(at);
    free(signature);
    return ok;
}

static void software_added_to_astronomy_is_sent_and_nothing_else(void **state)
{
    static const struct {
        const char *type, *data;
        bool wanted;
    } events[] = {
        {"record.published", "{\"resource_type\":\"software\",\"community\":\"astronomy\",\"n\":0}",         true },
        {"record.published", "{\"resource_type\":\"dataset\",\"community\":\"astronomy\",\"n\":1}",          false},
        {"record.published", "{\"resource_type\":\"software\",\"community\":\"physics\",\"n\":2}",           false},
        {"record.deleted",   "{\"resource_type\":\"software\",\"community\":\"astronomy\",\"n\":3}",         false},
        {"user.updated",     "{\"resource_type\":\"software\",\"community\":\"astronomy\",\"n\":4}",         false},
        {"record.published", "{\"community\":\"astronomy\",\"n\":5}",                                        false},
        {"record.published", "{\"resource_type\":\"software\",\"community\":[\"x\",\"astronomy\"],\"n\":6}", true },
        {"record.published", NULL,                                                                           false},
    };
    struct stage *s = stage_open();
    struct made made = ADD(s, "--events", "record.published", "--condition",
                           "data.resource_type = software and data.community = astronomy");
    size_t came = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(events); i++)
        emit(s, events[i].type, events[i].data);
    await_done(s);
    for (size_t i = 0; i < ARRAY_LENGTH(events); i++)
        came += events[i].wanted;
    assert_int_equal(hook_server_count(s->target), came);
    for (size_t i = 0; i < came; i++) {
        assert_true(is_signed_by(s, i, made.secret));
        assert_true(strstr(hook_server_body(s->target, i), "\"n\":0") ||
                    strstr(hook_server_body(s->target, i), "\"n\":6"));
    }
    stage_close(s);
}

static void a_change_counts_for_the_next_event(void **state)
{
    struct stage *s = stage_open();
    struct made one, other;

    (void)state;
    emit(s, "record.published", "{}");
    await_done(s);
    one = ADD(s, "--owner", "ada@example.org");
    emit(s, "record.published", "{}");
    hook_server_await(s->target, 1);
    other = ADD(s, "--payload", "thin");
    emit(s, "record.published", "{\"title\":\"T\"}");
    hook_server_await(s->target, 3);
    SAY(s, 0, "remove", one.id);
    await_done(s);
    emit(s, "record.published", "{\"title\":\"T\"}");
    hook_server_await(s->target, 4);
    await_done(s);
    assert_int_equal(hook_server_count(s->target), 4);
    assert_true(is_signed_by(s, 3, other.secret));
    assert_false(is_signed_by(s, 3, one.secret));
    assert_null(strstr(hook_server_body(s->target, 3), "title"));
    SAY(s, 2, "remove", one.id);
    stage_close(s);
}

/* 20 events for both: the good one has all of them, whatever the bad one does. */
static void expect_undelayed(enum hook_manner manner)
{
    struct stage *s = stage_open();
    const char *const words[] = {"add", s->other_url, "--events", "record.*", NULL};
    struct made bad = add(s, words);

    ADD(s, "--events", "record.*");
    hook_server_behave(s->other, manner);
    for (int i = 0; i < 20; i++)
        emit(s, "record.published", "{}");
    hook_server_await(s->target, 20);
    hook_server_await(s->other, 1);
    if (manner == HOOK_HANG) { /* it is still at its first ones: as many as its concurrency */
        hook_server_await(s->other, 2);
        assert_int_equal(scene_redis(s->scene, "XLEN crier:{webhooks}:attempts:%s", bad.id)->integer, 0);
        assert_int_equal(hook_server_count(s->other), 2);
    }
    stage_close(s);
}

static void one_that_misbehaves_delays_none_of_the_others(void **state)
{
    (void)state;
    expect_undelayed(HOOK_HANG);
    expect_undelayed(HOOK_FLOOD);
    expect_undelayed(HOOK_RESET);
    expect_undelayed(HOOK_ENDLESS_HEAD);
}

static void a_secret_is_replaced_with_an_overlap(void **state)
{
    struct stage *s = stage_open();
    struct made old = ADD(s, "--events", "record.*");
    struct made new = add(s, (const char *const[]){"rotate", old.id, NULL});

    (void)state;
    assert_string_equal(new.id, old.id);
    emit(s, "record.published", "{}");
    hook_server_await(s->target, 1);
    assert_true(is_signed_by(s, 0, old.secret));
    assert_true(is_signed_by(s, 0, new.secret));
    SAY(s, 0, "rotate", old.id, "--over");
    emit(s, "record.published", "{}");
    hook_server_await(s->target, 2);
    assert_false(is_signed_by(s, 1, old.secret));
    assert_true(is_signed_by(s, 1, new.secret));
    stage_close(s);
}

static void what_waits_goes_out_after_a_restart_without_any_event(void **state)
{
    struct stage *s = stage_open();
    struct made made = ADD(s, "--events", "record.*");

    (void)state;
    SAY(s, 0, "pause", made.id);
    emit(s, "record.published", "{}");
    while (scene_redis(s->scene, "KEYS crier:{webhooks}:delivery:*")->count == 0)
        pause_ms(10);
    server_stop(s->serve);
    SAY(s, 0, "resume", made.id);
    server_restart(s->serve);
    hook_server_await(s->target, 1);
    stage_close(s);
}

static void no_listing_shows_a_secret_or_the_path(void **state)
{
    static const char *const actions[] = {"show", "attempts", "test", "pause", "resume"};
    struct stage *s = stage_open();
    struct made made = ADD(s, "--headers", "X-Key: " CANARY "-in-a-header");
    char *out = say(s, 0, (const char *const[]){"list", NULL});

    (void)state;
    assert_non_null(strstr(out, made.id));
    assert_non_null(strstr(out, "127.0.0.1"));
    for (size_t i = 0;; i++) {
        assert_null(strstr(out, made.secret + 6));
        assert_null(strstr(out, CANARY));
        assert_null(strstr(out, "canary"));
        free(out);
        if (i == ARRAY_LENGTH(actions))
            break;
        out = say(s, 0, (const char *const[]){actions[i], made.id, NULL});
    }
    assert_non_null(strstr(hook_server_head(s->target, 0), CANARY "-in-a-header"));
    stage_close(s);
}

static void what_the_section_does_not_allow_is_no_subscription(void **state)
{
    static const char *const urls[] = {"http://169.254.169.254:443/",
                                       "http://10.0.0.1:443/",
                                       "http://[::1]:443/",
                                       "http://0x7f.1:80/",
                                       "https://example.org:25/",
                                       "ftp://example.org/",
                                       "https://a:" CANARY "@example.org/",
                                       "https://0xa9fea9fe/",
                                       "https://[fd00::1]/"};
    struct stage *s = stage_open();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++)
        SAY(s, 2, "add", urls[i]);
    SAY(s, 2, "add", s->url, "--condition", "data.x ==");
    SAY(s, 2, "add", s->url, "--events", "a..b");
    SAY(s, 2, "add", s->url, "--headers", "Host: elsewhere");
    SAY(s, 2, "add", s->url, "--payload", "fat");
    SAY(s, 2, "add", s->url, "--handler", "nobody");
    assert_int_equal(scene_redis(s->scene, "KEYS crier:{webhooks}:subscription*")->count, 0);
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(software_added_to_astronomy_is_sent_and_nothing_else),
        cmocka_unit_test(a_change_counts_for_the_next_event),
        cmocka_unit_test(one_that_misbehaves_delays_none_of_the_others),
        cmocka_unit_test(a_secret_is_replaced_with_an_overlap),
        cmocka_unit_test(what_waits_goes_out_after_a_restart_without_any_event),
        cmocka_unit_test(no_listing_shows_a_secret_or_the_path),
        cmocka_unit_test(what_the_section_does_not_allow_is_no_subscription),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
