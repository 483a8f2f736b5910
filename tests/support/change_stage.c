#include "support/change_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "indexer/client.h"
#include "notifier/notification.h"
#include "support/platform_mapping.h"
#include "support/search_index.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000, POLL_MS = 20 };

static const char servers[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = %s\nprefix = PREFIX\ntimeout = 30s\n"
                              "[http]\nlisten = 127.0.0.1:0\n%s";

/* ------------------------------------------------------------------------------------------------- the stage */

/* The text with BROKER in it replaced. */
static char *with_broker(const char *ini, const char *url)
{
    const char *found = strstr(ini, "BROKER");
    struct buf text = BUF_INIT;

    buf_add(&text, ini, found ? (size_t)(found - ini) : strlen(ini));
    if (found) {
        buf_add_text(&text, url);
        buf_add_text(&text, found + strlen("BROKER"));
    }
    return buf_take(&text);
}

static void make_index(struct change_stage *st, const char *name, const char *mapping)
{
    char path[200];

    snprintf(path, sizeof path, "/%s%s", st->platform.opensearch.prefix, name);
    json_decref(index_ask(&st->platform, "PUT", path, mapping));
}

struct change_stage *change_stage_open(const char *ini)
{
    struct change_stage *st = xcalloc(1, sizeof *st);
    struct server *search = opensearch_server_start();
    struct buf text = BUF_INIT;
    const char *prefix;
    char *rest;

    broker_start(&st->broker);
    st->proxy = fault_proxy_start(server_port(search));
    rest = with_broker(ini, redis_server_url(st->broker.server));
    buf_printf(&text, servers, fault_proxy_url(st->proxy), rest);
    st->scene = scene_open(text.data);
    st->platform = *st->scene->settings;
    st->platform.opensearch.url = xstrdup(opensearch_server_url(search));
    prefix = st->platform.opensearch.prefix;
    make_index(st, "members", platform_members_mapping(st->scene->arena, prefix, "members"));
    buf_release(&text);
    free(rest);
    return st;
}

void change_stage_add_records(struct change_stage *st)
{
    const char *prefix = st->platform.opensearch.prefix;

    make_index(st, "archived", platform_members_mapping(st->scene->arena, prefix, "archivedinvitations"));
    make_index(st, "records", platform_records_mapping(st->scene->arena, prefix, "records"));
    make_index(st, "drafts", platform_records_mapping(st->scene->arena, prefix, "drafts"));
}

void change_stage_close(struct change_stage *st)
{
    server_free(st->serve);
    index_delete(&st->platform, "*");
    free(st->platform.opensearch.url);
    scene_close(st->scene);
    fault_proxy_free(st->proxy);
    broker_end(&st->broker);
    free(st);
}

/* -------------------------------------------------------------------------------------------- what is told */

size_t change_notify(struct change_stage *st, const char *notification)
{
    struct error err = ERROR_INIT;
    struct intake *in = intake_new(st->scene->settings, &err);
    const struct intake_result *results;
    struct notification n;
    size_t count;

    assert_non_null(in);
    intake_start(in);
    if (!notification_read(span_of(notification), JSON_DEPTH_DEFAULT, st->scene->arena, &n, &err))
        fail_msg("%s", err.text);
    while (notification_add(&n, in))
        continue;
    results = intake_send(in);
    count = intake_count(in);
    for (size_t i = 0; i < count; i++)
        if (results[i].outcome != INTAKE_ACCEPTED)
            fail_msg("record %zu: %s: %s", i + 1, intake_outcome_name(results[i].outcome), results[i].reason);
    intake_free(in);
    return count;
}

void change_tell(struct change_stage *st, const char *type, const char *id, const char *uuid, int revision,
                 const char *data)
{
    const char *dot = strrchr(type, '.');

    change_notify(st, arena_printf(st->scene->arena,
                                   "{\"record_type\":\"%.*s\",\"action\":\"%s\",\"records_info\":[{\"pid\":\"%s\","
                                   "\"uuid\":\"%s\",\"revision_id\":%d,\"data\":%s}]}",
                                   (int)(dot - type), type, dot + 1, id, uuid, revision, data ? data : "null"));
}

void change_work(struct change_stage *st, const char *handler)
{
    work_off(st->scene, handler);
}

/* ------------------------------------------------------------------------------------------- what the platform does */

static int ask(struct change_stage *st, const char *method, const char *path, const char *body, json_t **answer)
{
    struct client *c = client_new(&st->platform.opensearch);
    const struct http_reply *reply;
    struct error err;
    int status;

    if (!client_send(c, method, path, "application/json", body, body ? strlen(body) : 0, &reply, &err))
        fail_msg("%s %s: %s", method, path, err.text);
    status = (int)reply->status;
    if (answer)
        *answer = json_text_parse(reply->body.data, reply->body.length, JSON_DEPTH_DEFAULT, &err);
    client_free(c);
    return status;
}

int platform_put(struct change_stage *st, const char *index, const char *id, int64_t version, const char *document)
{
    return ask(st, "PUT",
               arena_printf(st->scene->arena, "/%s%s/_doc/%s?version=%lld&version_type=external_gte&refresh=true",
                            st->platform.opensearch.prefix, index, id, (long long)version),
               document, NULL);
}

const char *document_at(struct change_stage *st, const char *index, const char *id, const char *path)
{
    struct arena *arena = st->scene->arena;
    struct buf scratch = BUF_INIT;
    const char *text;
    const json_t *value;
    json_t *answer = NULL;

    ask(st, "GET", arena_printf(arena, "/%s%s/_doc/%s", st->platform.opensearch.prefix, index, id), NULL, &answer);
    value = json_at(answer, path);
    if (json_is_object(value) || json_is_array(value)) {
        json_add(&scratch, value);
        text = scratch.data;
    } else {
        text = value ? json_scalar_text(value, &scratch) : NULL;
    }
    text = arena_text(arena, text ? text : "");
    buf_release(&scratch);
    json_decref(answer);
    return text;
}

void document_becomes(struct change_stage *st, const char *index, const char *id, const char *path, const char *value,
                      int wait_ms)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    const char *now;

    while (strcmp(now = document_at(st, index, id, path), value) != 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s/%s %s is \"%s\", not \"%s\"", index, id, path, now, value);
        usleep(POLL_MS * 1000);
    }
}

int64_t documents_with(struct change_stage *st, const char *index, const char *field, const char *value)
{
    struct arena *arena = st->scene->arena;
    const char *prefix = st->platform.opensearch.prefix;
    json_t *answer;
    int64_t count;

    json_decref(index_ask(&st->platform, "POST", arena_printf(arena, "/%s%s/_refresh", prefix, index), NULL));
    answer = index_ask(&st->platform, "POST", arena_printf(arena, "/%s%s/_count", prefix, index),
                       arena_printf(arena, "{\"query\":{\"term\":{\"%s\":\"%s\"}}}", field, value));
    count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    return count;
}

void members_put(struct change_stage *st, int count, int users)
{
    enum { AT_A_TIME = 2000 };
    struct buf lines = BUF_INIT;

    for (int i = 0; i < count; i++) {
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m%d\",\"version\":3,\"version_type\":"
                   "\"external_gte\"}}\n{\"id\":\"m%d\",\"uuid\":\"m%d\",\"version_id\":4,\"indexed_at\":"
                   "\"2026-11-20T10:00:00.000000\",\"user_id\":\"%d\",\"user\":{\"id\":\"%d\",\"@v\":\"%d::1\","
                   "\"username\":\"old\",\"email\":\"u%d@example.org\"},\"role\":\"reader\",\"active\":true}\n",
                   st->platform.opensearch.prefix, i, i, i, i % users, i % users, i % users, i % users);
        if ((i + 1) % AT_A_TIME == 0 || i + 1 == count) {
            index_bulk(&st->platform, lines.data);
            buf_reset(&lines);
        }
    }
    buf_release(&lines);
}

/* ------------------------------------------------------------------------------------------------------- crier */

void change_serve(struct change_stage *st)
{
    if (st->serve)
        server_restart(st->serve);
    else
        st->serve = crier_serve_start(st->scene->config_path);
}

void change_serve_kill(struct change_stage *st)
{
    const struct reply *lives;

    server_kill(st->serve);
    lives = scene_redis(st->scene, "KEYS crier:{processes}:*");
    for (size_t i = 0; i < lives->count; i++)
        scene_redis(st->scene, "DEL %s", lives->items[i].text);
}

int64_t change_open_events(struct change_stage *st, const char *queue, const char *handler)
{
    const struct reply *groups = scene_redis(st->scene, "XINFO GROUPS crier:{%s}:stream", queue);

    for (size_t i = 0; i < groups->count; i++) {
        const struct reply *group = &groups->items[i], *lag = reply_field(group, "lag");

        if (strcmp(reply_field_text(group, "name"), handler) == 0)
            return reply_field(group, "pending")->integer + lag->integer;
    }
    return -1;
}

void change_until_open(struct change_stage *st, const char *queue, const char *handler, int64_t wanted)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS, now;

    while ((now = change_open_events(st, queue, handler)) != wanted) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s has %lld events open, not %lld", handler, (long long)now, (long long)wanted);
        usleep(POLL_MS * 1000);
    }
}

int64_t change_dead(struct change_stage *st, const char *queue)
{
    return scene_redis(st->scene, "XLEN crier:{%s}:dead", queue)->integer;
}

const char *change_dead_field(struct change_stage *st, const char *queue, const char *field)
{
    const struct reply *letters = scene_redis(st->scene, "XRANGE crier:{%s}:dead - +", queue);

    assert_int_equal(letters->count, 1);
    return reply_field_text(&letters->items[0].items[1], field);
}
