/* The owner of a webhook that fails gets a mail before it is turned off, and one when it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/http.h"
#include "notifier/dead.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/mail_stage.h"
#include "support/pause.h"
#include "support/process.h"
#include "support/text_file.h"

#define HOUR (INT64_C(3600) * US_PER_SECOND)

enum { SKIPPED = 77 };

struct stage {
    struct scene *scene;
    struct server *smtp, *serve;
    struct hook_server *target;
    char id[40]; /* of the subscription */
};

static void add_subscription(struct stage *s, const char *owner_mail)
{
    const char *words[] = {"webhooks", "--config", s->scene->config_path, "add",      NULL,
                           "--owner",  "Ada",      "--owner-mail",        owner_mail, NULL};
    char url[100], *out;

    snprintf(url, sizeof url, "http://127.0.0.1:%d/" CANARY "-path", hook_server_port(s->target));
    words[4] = url;
    assert_int_equal(crier_run(&out, words), 0);
    snprintf(s->id, sizeof s->id, "%.*s", (int)strcspn(out, "\n"), out);
    free(out);
}

static struct stage *stage_open(void)
{
    struct stage *s = xcalloc(1, sizeof *s);
    struct buf ini = BUF_INIT;
    char folder[400];

    folder_make("templates", folder, sizeof folder);
    text_file_put(
        folder, "crier.webhook.failing.en.txt",
        "Subject: Your webhook fails\n\n{data.owner}: {data.host} is at {data.percent} percent: {data.reason}\n");
    text_file_put(folder, "crier.webhook.disabled.en.txt",
                  "Subject: Your webhook is off\n\n{data.owner}: {data.host} is off: {data.reason}\n");
    s->smtp = mail_server_start(&(struct mail_server_options){.tls = false});
    s->target = hook_server_start("127.0.0.1");
    hook_server_answer(s->target, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    buf_printf(
        &ini,
        "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue changes]\nevents = record.*\n"
        "[queue alerts]\nevents = crier.webhook.failing crier.webhook.disabled\n"
        "[handler users]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\nports = %d\n"
        "allow = 127.0.0.0/8\n"
        "[handler owners]\ntype = mail\nqueue = alerts\n"
        "events = crier.webhook.failing crier.webhook.disabled\nserver = %s\ntls = none\nschedule = every 100ms\n"
        "from = The Archive <a@example.org>\nto = data.owner_mail\ntemplates = %s\n",
        hook_server_port(s->target), mail_server_url(s->smtp), folder);
    s->scene = scene_open(ini.data);
    buf_release(&ini);
    add_subscription(s, "ada@example.org");
    s->serve = crier_serve_start(s->scene->config_path);
    return s;
}

static void stage_close(struct stage *s)
{
    server_free(s->serve);
    scene_close(s->scene);
    server_free(s->smtp);
    hook_server_free(s->target);
    free(s);
}

/* As if nothing had come through for so long, and an event that does not either. */
static void fail_for(struct stage *s, int64_t hours, const char *event_id)
{
    struct event e = scene_event(s->scene, "record.published", event_id, "records/1", 1, "{}");

    scene_redis(s->scene, "HSET crier:{webhooks}:target:%s failing_us %lld", s->id,
                (long long)(clock_wall_us() - hours * HOUR));
    scene_append(s->scene, &e, 1);
}

static void expect_mail(struct stage *s, size_t count, const char *subject, const char *text)
{
    json_t *all = mail_server_await(s->smtp, count), *to = json_object_get(json_array_get(all, count - 1), "to");
    char *header = mail_header_of(all, count - 1, "Subject");

    assert_int_equal(json_array_size(all), count);
    assert_string_equal(header, subject);
    assert_string_equal(json_string_value(json_is_array(to) ? json_array_get(to, 0) : to), "ada@example.org");
    if (!strstr(mail_text_of(all, count - 1), text))
        fail_msg("\"%s\" is not in %s", text, mail_text_of(all, count - 1));
    assert_null(strstr(mail_text_of(all, count - 1), CANARY));
    free(header);
    json_decref(all);
}

static void an_owner_is_told_by_mail_of_each_warning_and_of_the_end(void **state)
{
    struct stage *s = stage_open();

    (void)state;
    fail_for(s, 61, "a");
    expect_mail(s, 1, "Your webhook fails", "Ada: 127.0.0.1 is at 50 percent: the target answers 500");
    fail_for(s, 62, "b");
    fail_for(s, 85, "c");
    expect_mail(s, 2, "Your webhook fails", "is at 70 percent");
    fail_for(s, 109, "d");
    expect_mail(s, 3, "Your webhook fails", "is at 90 percent");
    fail_for(s, 121, "e");
    expect_mail(s, 4, "Your webhook is off", "Ada: 127.0.0.1 is off: nothing came through for 120 hours");
    stage_close(s);
}

static void an_owner_has_an_address_or_none(void **state)
{
    struct stage *s = stage_open();
    char url[100], *out;
    const char *words[] = {"webhooks", "--config",     s->scene->config_path, "add",
                           url,        "--owner-mail", "canary at home",      NULL};

    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", hook_server_port(s->target));
    assert_int_equal(crier_run(&out, words), 2);
    assert_non_null(strstr(out, "owner_mail: "));
    assert_null(strstr(out, "canary"));
    free(out);
    stage_close(s);
}

static void append_warning(struct stage *s, const char *id, const char *data)
{
    struct event e = scene_event(s->scene, "crier.webhook.failing", id, "webhooks/x", 1, data);

    scene_append(s->scene, &e, 1);
}

/* Events of crier's own that name nobody are no mistake; one that names no address is. */
static void a_warning_for_nobody_is_passed_over(void **state)
{
    static const char told[] = "{\"owner\":\"Ada\",\"host\":\"h\",\"percent\":50,\"reason\":\"r\"%s}";
    struct stage *s = stage_open();
    struct dead_letter *letters;
    struct error err;
    char data[200];
    size_t count;

    (void)state;
    snprintf(data, sizeof data, told, "");
    append_warning(s, "nobody", data);
    snprintf(data, sizeof data, told, ",\"owner_mail\":\"no address\"");
    append_warning(s, "wrong", data);
    snprintf(data, sizeof data, told, ",\"owner_mail\":\"ada@example.org\"");
    append_warning(s, "ada", data);
    expect_mail(s, 1, "Your webhook fails", "h is at 50 percent: r");
    while (scene_redis(s->scene, "XPENDING crier:{alerts}:stream owners")->items[0].integer > 0)
        pause_ms(10);
    if (!dead_list(s->scene->redis, "alerts", NULL, 10, s->scene->arena, &letters, &count, &err))
        fail_msg("%s", err.text);
    assert_int_equal(count, 1);
    assert_string_equal(letters[0].event.id.text, "wrong");
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_owner_is_told_by_mail_of_each_warning_and_of_the_end),
        cmocka_unit_test(an_owner_has_an_address_or_none),
        cmocka_unit_test(a_warning_for_nobody_is_passed_over),
    };

    if (!mail_server_there())
        return SKIPPED;
    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
