/* What is asked at the door, and what the service does as a process. */
#include "support/service_deeds.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

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

static void revoke_token(struct service_stage *s)
{
    SAY(s, 0, "tokens", "revoke", s->token_id);
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
    {"audit.searched",      search_audit_at_the_door, "tokens/TOKEN", "handlers/trail", "success"},
    {"mail.preference_set",       set_preference_at_the_door, "tokens/TOKEN", "addresses/", "success"},
    {"webhook.created",            change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.paused", change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.resumed",       change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.tested",            change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.rotated",     change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.removed",       change_webhooks_at_the_door, "tokens/TOKEN", "webhooks/wh_", "success"},
    {"webhook.resent",            resend_in_vain_at_the_door, "tokens/TOKEN", "webhooks/hook", "failure"},
    {"token.revoked",      revoke_token, "operators/USER", "tokens/", "success"},
    {"lease.taken",       lead, "services/", "leases/clock", "success"},
    {"lease.lost",            lose_lease, "services/", "leases/clock", "success"},
    {"configuration.loaded",     reload, "operators/USER", "configurations/", "success"},
    {"configuration.refused",       reload_is_refused, "services/crier", "configurations/", "failure"},
    {0           },
};
