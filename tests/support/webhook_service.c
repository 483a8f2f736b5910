#include "support/webhook_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/signature.h"
#include "support/serve_client.h"
#include "support/webhook_stage.h"

void webhook_service_expect(struct webhook_service *s, long status, const char *token, const char *method,
                            const char *path, const char *body)
{
    serve_expect(s->serve, status,
                 &(struct serve_request){.method = method, .path = path, .token = token, .body = body}, &s->text);
}

char *webhook_service_member(struct webhook_service *s, const char *name)
{
    return serve_member(&s->text, name);
}

char *webhook_service_token(struct webhook_service *s, const char *scope)
{
    return serve_token_known(s->serve, s->scene->config_path, scope, NULL);
}

struct webhook_service *webhook_service_open(const char *more)
{
    struct webhook_service *s = xcalloc(1, sizeof *s);
    struct buf ini = BUF_INIT;
    char body[200];

    s->target = hook_server_start("127.0.0.1");
    buf_printf(
        &ini,
        "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\naccess = tokens\n"
        "[queue changes]\nevents = record.* user.*\n"
        "[handler users]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\nports = %d\n"
        "allow = 127.0.0.0/8\ntimeout = %ds\n"
        "[handler partner]\ntype = webhook\nqueue = changes\nevents = user.*\nschedule = every 100ms\nhttp = yes\n"
        "ports = %d\nallow = 127.0.0.0/8\ntimeout = %ds\nurl = http://127.0.0.1:%d/partner\n"
        "secret = " WEBHOOK_SECRET "\n%s",
        hook_server_port(s->target), TIMEOUT_S, hook_server_port(s->target), TIMEOUT_S, hook_server_port(s->target),
        more);
    s->scene = scene_open(ini.data);
    buf_release(&ini);
    buf_init(&s->text);
    s->serve = crier_serve_start(s->scene->config_path);
    s->ada = webhook_service_token(s, "webhooks");
    s->ben = webhook_service_token(s, "webhooks");
    s->admin = webhook_service_token(s, "admin");
    snprintf(body, sizeof body, "{\"url\":\"http://127.0.0.1:%d/secret-path\",\"events\":\"record.*\"%s}",
             hook_server_port(s->target), *more ? ",\"handler\":\"users\"" : "");
    webhook_service_expect(s, 201, s->ada, "POST", "/webhooks", body);
    s->id = webhook_service_member(s, "id");
    s->secret = webhook_service_member(s, "secret");
    return s;
}

void webhook_service_close(struct webhook_service *s)
{
    server_free(s->serve);
    scene_close(s->scene);
    hook_server_free(s->target);
    buf_release(&s->text);
    free(s->ada);
    free(s->ben);
    free(s->admin);
    free(s->id);
    free(s->secret);
    free(s);
}

const char *webhook_service_path(struct webhook_service *s, const char *name, const char *what)
{
    return arena_printf(s->scene->arena, "/webhooks/%s%s", name, what);
}

void webhook_service_signed(struct webhook_service *s, size_t i, const char *secret)
{
    char *id = hook_server_header(s->target, i, "webhook-id"),
         *at = hook_server_header(s->target, i, "webhook-timestamp"),
         *signature = hook_server_header(s->target, i, "webhook-signature");
    const char *body = hook_server_body(s->target, i);
    struct error err;
    struct signer *signer = signer_new(secret, &err);

    assert_non_null(signer);
    if (!signature_verify(signer, &(struct signature_claim){id, at, signature}, strtoll(at, NULL, 10), body,
                          strlen(body), &err))
        fail_msg("%s", err.text);
    signer_free(signer);
    free(id);
    free(at);
    free(signature);
}
