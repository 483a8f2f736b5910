/* Who may ask, and what goes out: tokens, mails and webhooks. */
#include "support/service_deeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "support/search_index.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000 };

static void make_token(struct service_stage *s)
{
    SAY(s, 0, "tokens", "create", "other", "--scope", "stats:read");
}

static void test_mail(struct service_stage *s)
{
    SAY(s, 0, "mail", "test", "ada@example.org");
}

static void test_mail_in_vain(struct service_stage *s)
{
    server_stop(s->mail_server);
    SAY(s, 1, "mail", "test", "ada@example.org");
    server_restart(s->mail_server);
}

static void set_preference(struct service_stage *s)
{
    SAY(s, 0, "mail", "preferences", "ada@example.org", "daily");
}

static void set_preference_in_vain(struct service_stage *s)
{
    service_stage_spoil_preferences(s);
    SAY(s, 1, "mail", "preferences", "ada@example.org", "weekly");
    service_stage_mend_preferences(s);
}

static void add_webhook(struct service_stage *s)
{
    const char *said = SAY(s, 0, "webhooks", "add", service_stage_url(s), "--owner", "Ada");

    snprintf(s->subscription, sizeof s->subscription, "%.*s", (int)strcspn(said, "\n"), said);
}

static void pause_webhook(struct service_stage *s)
{
    SAY(s, 0, "webhooks", "pause", s->subscription);
}

static void resume_webhook(struct service_stage *s)
{
    SAY(s, 0, "webhooks", "resume", s->subscription);
}

static void rotate_webhook(struct service_stage *s)
{
    SAY(s, 0, "webhooks", "rotate", s->subscription);
}

/* What is there from before the key. */
static void seal_webhook(struct service_stage *s)
{
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s headers %s", s->subscription, "X-Key:value");
    SAY(s, 0, "webhooks", "seal");
}

static void remove_webhook(struct service_stage *s)
{
    SAY(s, 0, "webhooks", "remove", s->subscription);
}

static void test_webhook(struct service_stage *s)
{
    hook_server_answer(s->target, NULL);
    SAY(s, 0, "webhooks", "test", "hook");
}

static void test_webhook_in_vain(struct service_stage *s)
{
    hook_server_answer(s->target, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    SAY(s, 1, "webhooks", "test", "hook");
    hook_server_answer(s->target, NULL);
}

/* Attempts at the target so far; yours. */
static json_t *attempts_at(struct service_stage *s)
{
    const char *said = SAY(s, 0, "webhooks", "attempts", "hook", "--json");
    struct error err;
    json_t *attempts = json_text_parse(said, strlen(said), 8, &err);

    assert_non_null(attempts);
    return attempts;
}

/* An event for the target, until it was tried: a run may end while it is under way. */
static void deliver(struct service_stage *s)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    json_t *attempts = attempts_at(s);
    size_t before = json_array_size(attempts);

    service_stage_emit(s, "record.refused", 0);
    for (;;) {
        json_decref(attempts);
        SAY(s, 0, "run", "hook");
        attempts = attempts_at(s);
        if (json_array_size(attempts) > before)
            break;
        service_stage_look_again(until_ms, "an attempt");
    }
    json_decref(attempts);
}

static void resend_webhook(struct service_stage *s)
{
    json_t *attempts;

    deliver(s);
    work_off(s->scene, "past");
    index_count(s->scene->settings, "past-*");
    attempts = attempts_at(s);
    SAY(s, 0, "webhooks", "resend", "hook", json_member_text(json_array_get(attempts, 0), "id", ""));
    json_decref(attempts);
}

static void webhook_is_gone(struct service_stage *s)
{
    hook_server_answer(s->target, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    deliver(s);
    hook_server_answer(s->target, NULL);
}

/* For 61 of the 120 hours after which it would be turned off. */
static void webhook_fails(struct service_stage *s)
{
    hook_server_answer(s->target, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    scene_redis(s->scene, "HSET crier:{webhooks}:target:hook failing_us %lld",
                (long long)(clock_wall_us() - INT64_C(61) * 3600 * US_PER_SECOND));
    deliver(s);
    hook_server_answer(s->target, NULL);
}

const struct service_deed deeds_of_what_goes_out[] = {
    {"token.created",       make_token, "operators/USER", "tokens/", "success"},
    {"mail.tested",     test_mail, "operators/USER", "handlers/mails", "success"},
    {"mail.tested",            test_mail_in_vain, "operators/USER", "handlers/mails", "failure"},
    {"mail.preference_set",         set_preference, "operators/USER", "addresses/", "success"},
    {"mail.preference_set",     set_preference_in_vain, "operators/USER", "addresses/", "failure"},
    {"webhook.created",            add_webhook, "operators/USER", "webhooks/wh_", "success"},
    {"webhook.paused",         pause_webhook, "operators/USER", "webhooks/wh_", "success"},
    {"webhook.resumed",     resume_webhook, "operators/USER", "webhooks/wh_", "success"},
    {"webhook.rotated",            rotate_webhook, "operators/USER", "webhooks/wh_", "success"},
    {"webhook.sealed", seal_webhook, "operators/USER", "webhooks/wh_", "success"},
    {"webhook.removed",     remove_webhook, "operators/USER", "webhooks/wh_", "success"},
    {"webhook.tested",            test_webhook, "operators/USER", "webhooks/hook", "success"},
    {"webhook.tested", test_webhook_in_vain, "operators/USER", "webhooks/hook", "failure"},
    {"webhook.resent",     resend_webhook, "operators/USER", "webhooks/hook", "success"},
    {"webhook.failing",            webhook_fails, "services/crier", "webhooks/hook", "success"},
    {"webhook.disabled",     webhook_is_gone, "services/crier", "webhooks/hook", "success"},
    {0    },
};
