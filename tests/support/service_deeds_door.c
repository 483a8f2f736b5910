/* What is asked at the door, and what the service does as a process. */
#include "support/service_deeds.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "notifier/deed.h"
#include "support/process.h"

enum { PATIENCE_MS = 60000 };

static void search_audit_at_the_door(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_ask(s, "GET", "/audit?limit=1", NULL, 200);
}

static void set_preference_at_the_door(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_ask(s, "PUT", "/mail/preferences/ada@example.org", "{\"mails\":\"off\"}", 200);
}

static void set_preference_in_vain_at_the_door(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_spoil_preferences(s);
    service_stage_ask(s, "PUT", "/mail/preferences/ada@example.org", "{\"mails\":\"weekly\"}", 400);
    service_stage_mend_preferences(s);
}

static void search_audit_in_vain_at_the_door(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_ask(s, "GET", "/audit?after=nowhere", NULL, 400);
}

static void test_webhook_in_vain_at_the_door(struct service_stage *s)
{
    service_stage_serve(s);
    hook_server_answer(s->target, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    service_stage_ask(s, "POST", "/webhooks/hook/test", "{}", 200);
    hook_server_answer(s->target, NULL);
}

static void change_webhooks_at_the_door(struct service_stage *s)
{
    static const char *const changes[] = {"pause", "resume", "test", "rotate"};
    const char *body, *id, *made;
    struct error err;
    json_t *answer;

    service_stage_serve(s);
    body = arena_printf(s->scene->arena, "{\"url\":\"%s\"}", service_stage_url(s));
    made = service_stage_ask(s, "POST", "/webhooks", body, 201);
    answer = json_text_parse(made, strlen(made), 4, &err);
    id = arena_text(s->scene->arena, json_member_text(answer, "id", ""));
    json_decref(answer);
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++)
        service_stage_ask(s, "POST", arena_printf(s->scene->arena, "/webhooks/%s/%s", id, changes[i]), "{}", 200);
    service_stage_ask(s, "DELETE", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL, 200);
}

static void resend_in_vain_at_the_door(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_ask(s, "POST", "/webhooks/hook/resend/none", "{}", 400);
}

static void revoke_in_vain(struct service_stage *s)
{
    SAY(s, 1, "tokens", "revoke", "nobody");
}

static void revoke_token(struct service_stage *s)
{
    SAY(s, 0, "tokens", "revoke", s->token_id);
}

/* Killed while the mail server keeps it waiting; long ago, as far as anybody can tell. */
static void test_mail_and_be_killed(struct service_stage *s)
{
    static const char long_ago[] = "for _, d in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do "
                                   "redis.call('ZADD', KEYS[1], 1, d) end";
    const char *const words[] = {"mail", "--config", s->scene->config_path, "test", "ada@example.org", NULL};
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct error err;
    pid_t verb;

    service_stage_halt(s);
    server_pause(s->mail_server);
    verb = crier_begin(words);
    while (scene_redis(s->scene, "ZCARD " DEEDS_UNDER_WAY)->integer == 0)
        service_stage_look_again(until_ms, "a deed under way");
    kill(verb, SIGKILL);
    waitpid(verb, NULL, 0);
    server_resume(s->mail_server);
    if (!redis_do(s->scene->redis, s->scene->arena, NULL, &err, "EVAL %s 1 " DEEDS_UNDER_WAY, long_ago))
        fail_msg("%s", err.text);
    service_stage_serve(s);
}

static void lead(struct service_stage *s)
{
    service_stage_halt(s);
    service_stage_serve(s);
}

static void lose_lease(struct service_stage *s)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    service_stage_serve(s);
    while (scene_redis(s->scene, "EXISTS crier:{lease:clock}:holder")->integer == 0)
        service_stage_look_again(until_ms, "a leader");
    scene_redis(s->scene, "SET crier:{lease:clock}:holder another PX 10000");
}

static void reload(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_configure(s, "[service]\nlog = warning\n");
    kill(server_pid(s->serve), SIGHUP);
}

/* What is wrong is said, and the service goes on with what it has. */
static void reload_is_refused(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_configure(s, "lg = debug\n");
    kill(server_pid(s->serve), SIGHUP);
}

const struct service_deed deeds_of_the_service[] = {
    {"mail.tested",         test_mail_and_be_killed, "operators/USER", "handlers/mails", "unknown"},
    {"audit.searched",     search_audit_in_vain_at_the_door, "tokens/TOKEN", "handlers/trail", "failure"},
    {"mail.preference_set",            set_preference_in_vain_at_the_door, "tokens/TOKEN", "addresses/", "failure"},
    {"webhook.tested",      test_webhook_in_vain_at_the_door, "tokens/TOKEN", "webhooks/hook", "failure"},
    {"audit.searched",       search_audit_at_the_door, "tokens/TOKEN", "handlers/trail", "success"},
    {"mail.preference_set",            set_preference_at_the_door, "tokens/TOKEN", "addresses/", "success"},
    {"webhook.created", change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.paused",       change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.resumed",            change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.tested",      change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.rotated",       change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.removed",            change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.resent",      resend_in_vain_at_the_door, "tokens/TOKEN", "webhooks/hook", "failure"},
    {"token.revoked",       revoke_in_vain, "operators/USER", "tokens/nobody", "failure"},
    {"token.revoked",            revoke_token, "operators/USER", "tokens/", "success"},
    {"lease.taken", lead, "services/", "leases/clock", "success"},
    {"lease.lost",       lose_lease, "services/", "leases/clock", "success"},
    {"configuration.loaded",            reload, "operators/USER", "configurations/", "success"},
    {"configuration.refused",     reload_is_refused, "services/crier", "configurations/", "failure"},
    {0      },
};
