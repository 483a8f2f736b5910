#include "support/sealed_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "support/serve_client.h"

void sealed_stage_configure(struct sealed_stage *s, const char *keys)
{
    struct buf ini = BUF_INIT;
    struct error err;

    buf_printf(&ini, "[redis]\nurl = redis://127.0.0.1:%d/0\n", server_port(s->scene->redis_server));
    if (*keys)
        buf_printf(&ini, "sealing_key = %s\n", keys);
    buf_printf(&ini,
               "[http]\nlisten = 127.0.0.1:0\n[queue changes]\nevents = record.*\n"
               "[handler users]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\nports = %d\n"
               "allow = 127.0.0.0/8\ntimeout = 10s\n",
               hook_server_port(s->target));
    if (!file_replace(s->scene->config_path, 0600, ini.data, ini.length, &err))
        fail_msg("%s", err.text);
    buf_release(&ini);
}

void sealed_stage_serve(struct sealed_stage *s, const char *keys)
{
    server_free(s->serve);
    sealed_stage_configure(s, keys);
    s->serve = crier_serve_start(s->scene->config_path);
}

struct sealed_stage *sealed_stage_open(const char *keys)
{
    struct sealed_stage *s = xcalloc(1, sizeof *s);

    buf_init(&s->text);
    s->target = hook_server_start("127.0.0.1");
    s->scene = scene_open("[redis]\nurl = REDIS\n[queue changes]\nevents = record.*\n");
    scene_redis(s->scene, "CONFIG SET rdbcompression no");
    sealed_stage_serve(s, keys);
    return s;
}

void sealed_stage_close(struct sealed_stage *s)
{
    server_free(s->serve);
    scene_close(s->scene);
    hook_server_free(s->target);
    buf_release(&s->text);
    free(s);
}

void sealed_stage_expect(struct sealed_stage *s, long status, const char *method, const char *path, const char *body)
{
    serve_expect(s->serve, status, &(struct serve_request){.method = method, .path = path, .body = body}, &s->text);
}

const char *sealed_stage_subscribe(struct sealed_stage *s, const char *name)
{
    const char *id;
    json_t *answer;

    sealed_stage_expect(s, 201, "POST", "/webhooks",
                        arena_printf(s->scene->arena,
                                     "{\"url\":\"http://127.0.0.1:%d/" CANARY "-path/%s\",\"secret\":\"" WHSEC
                                     "\",\"headers\":\"X-Key: " CANARY "-header\"}",
                                     hook_server_port(s->target), name));
    answer = serve_answer(&s->text);
    id = arena_text(s->scene->arena, json_member_text(answer, "id", ""));
    json_decref(answer);
    return id;
}

void sealed_stage_emit(struct sealed_stage *s, const char *id)
{
    struct event e = scene_event(s->scene, "record.published", id, "records/1", 1, "{}");

    scene_append(s->scene, &e, 1);
}

void sealed_stage_delivered(struct sealed_stage *s, const char *event, size_t count)
{
    char *header;

    sealed_stage_emit(s, event);
    hook_server_await(s->target, count);
    assert_non_null(strstr(hook_server_head(s->target, count - 1), "POST /" CANARY "-path/"));
    header = hook_server_header(s->target, count - 1, "X-Key");
    assert_string_equal(header, CANARY "-header");
    free(header);
}

int sealed_stage_crier(struct sealed_stage *s, const char *says, const char *const words[])
{
    const char *all[12] = {words[0], "--config", s->scene->config_path};
    char *out;
    int code;

    for (size_t i = 1; words[i]; i++)
        all[2 + i] = words[i];
    code = crier_run(&out, all);
    if (!strstr(out, says))
        fail_msg("%s ends with %d: %s", words[0], code, out);
    free(out);
    return code;
}
