#include "support/counting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "indexer/client.h"
#include "notifier/stream.h"
#include "support/pause.h"
#include "support/search_index.h"

enum { PATIENCE_MS = 120000, PAUSE_MS = 50, WORDS_MOST = 20, CONFIG_BYTES_MOST = 1024 * 1024 };

void counting_open(struct counting *c, const char *ini)
{
    *c = (struct counting){.scene = scene_open(ini)};
    index_delete(c->scene->settings, "*");
    c->http = http_new(&(struct http_options){.connect_ms = 2000, .timeout_ms = 20000});
}

void counting_give_salts(struct counting *c, int days)
{
    for (int day = 1; day <= days; day++)
        scene_redis(c->scene, "SET crier:{salt}:2026-11-%02d %064d EX 86400", day, day);
}

void counting_close(struct counting *c)
{
    for (size_t i = 0; i < c->service_count; i++)
        server_free(c->services[i]);
    index_delete(c->scene->settings, "*");
    http_free(c->http);
    scene_close(c->scene);
}

/* A file of its own for each: the port of its door is written into it. */
static struct server *serve(struct counting *c, size_t number)
{
    struct buf text = BUF_INIT;
    struct server *service;
    struct error err;
    char path[320];
    FILE *file;

    if (!file_read(c->scene->config_path, CONFIG_BYTES_MOST, &text, &err))
        fail_msg("%s", err.text);
    snprintf(path, sizeof path, "%s.%zu", c->scene->config_path, number);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text.data, file);
    fclose(file);
    service = crier_serve_start(path);
    buf_release(&text);
    return service;
}

void counting_serve(struct counting *c, size_t services)
{
    assert_in_range(services, 1, SERVICES_MOST);
    while (c->service_count < services) {
        c->services[c->service_count] = serve(c, c->service_count);
        c->service_count++;
    }
}

/* ------------------------------------------------------------------------------------------------------- the door */

static bool post(struct counting *c, size_t door, const char *path, const char *type, const char *body,
                 struct http_reply *reply, struct error *err)
{
    char url[100];

    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server_port(c->services[door]), path);
    return http_send(c->http,
                     &(struct http_request){
                         .method = "POST", .url = url, .content_type = type, .body = body, .length = strlen(body)},
                     reply, err);
}

void counting_send(struct counting *c, size_t door, const char *content_type, const char *body)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err = ERROR_INIT;

    while (!post(c, door++ % c->service_count, "/events", content_type, body, &reply, &err) || reply.status != 202) {
        if ((reply.status >= 400 && reply.status < 500) || clock_monotonic_ms() > until_ms)
            fail_msg("%ld %s %s", reply.status, reply.body.data, err.text);
        pause_ms(PAUSE_MS);
    }
    if (strstr(reply.body.data, "\"refused\"") || strstr(reply.body.data, "\"robot\""))
        fail_msg("%s", reply.body.data);
    buf_release(&reply.body);
}

json_t *counting_query(struct counting *c, size_t door, const char *body)
{
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;
    json_t *answer;

    if (!post(c, door, "/stats", "application/json", body, &reply, &err))
        fail_msg("%s", err.text);
    if (reply.status != 200)
        fail_msg("%ld %s", reply.status, reply.body.data);
    answer = json_text_parse(reply.body.data, reply.body.length, JSON_DEPTH_DEFAULT, &err);
    buf_release(&reply.body);
    return answer;
}

/* --------------------------------------------------------------------------------------------------- the waiting */

/* A group that is not made yet has all before it. */
static int64_t waiting_for(const struct queue_state *state, const char *handler)
{
    for (size_t g = 0; g < state->group_count; g++)
        if (strcmp(state->groups[g].name, handler) == 0)
            return state->groups[g].waiting + state->groups[g].pending;
    return state->length;
}

static int64_t events_left(struct counting *c)
{
    const struct settings *s = c->scene->settings;
    int64_t left = 0;

    for (size_t h = 0; h < s->handler_count; h++) {
        struct queue_state state;
        struct error err;

        if (strcmp(s->handlers[h].type, "statistics") != 0)
            continue;
        if (!stream_state(c->scene->redis, s->handlers[h].queue, c->scene->arena, &state, &err))
            fail_msg("%s", err.text);
        left += waiting_for(&state, s->handlers[h].name);
    }
    return left;
}

/* Marked for handlers of a type, in the slot of whatever queue. */
static int64_t keys_left(struct counting *c, const char *type)
{
    const struct settings *s = c->scene->settings;
    int64_t left = 0;

    for (size_t h = 0; h < s->handler_count; h++)
        for (size_t q = 0; q < s->queue_count && strcmp(s->handlers[h].type, type) == 0; q++)
            left += scene_redis(c->scene, "ZCARD crier:{%s}:dirty:%s", s->queues[q].name, s->handlers[h].name)->integer;
    return left;
}

/* Asked in the order in which work goes on, so that none passes unseen. */
static int64_t left_to_do(struct counting *c)
{
    int64_t left = events_left(c);

    left += keys_left(c, "aggregate");
    left += keys_left(c, "record-stats");
    arena_reset(c->scene->arena);
    return left;
}

static void wait_until_none(struct counting *c, int64_t (*left_of)(struct counting *c))
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS, left;

    while ((left = left_of(c)) != 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld events and keys are not done after %d s", (long long)left, PATIENCE_MS / 1000);
        pause_ms(PAUSE_MS);
    }
}

void counting_wait_for_events(struct counting *c)
{
    wait_until_none(c, events_left);
}

void counting_wait(struct counting *c)
{
    wait_until_none(c, left_to_do);
}

/* -------------------------------------------------------------------------------------------------- what there is */

json_t *counting_document(struct counting *c, const char *index, const char *id)
{
    struct client *client = client_new(&c->scene->settings->opensearch);
    struct buf path = BUF_INIT;
    json_t *answer = NULL;
    struct error err;
    bool missing;

    buf_printf(&path, "/%s%s/_doc/", c->scene->settings->opensearch.prefix, index);
    http_add_segment(&path, id, strlen(id));
    if (!client_json(client, "GET", path.data, NULL, &answer, &missing, &err))
        fail_msg("%s", err.text);
    if (missing) {
        json_decref(answer);
        answer = NULL;
    }
    buf_release(&path);
    client_free(client);
    return answer;
}

void counting_number_is(struct counting *c, const char *index, const char *id, const char *path, int64_t number)
{
    json_t *document = counting_document(c, index, id);
    const json_t *value = json_at(document, path);

    if (!json_is_number(value) || (int64_t)json_number_value(value) != number)
        fail_msg("%s/%s: %s is to be %lld: %s", index, id, path, (long long)number,
                 document ? json_dumps(document, JSON_COMPACT) : "it is not there");
    json_decref(document);
}

char *counting_crier(struct counting *c, const char *const words[])
{
    const char *all[WORDS_MOST + 3] = {words[0], "--config", c->scene->config_path};
    char *out;
    int code;

    for (size_t i = 1; words[i] && i < WORDS_MOST; i++)
        all[i + 2] = words[i];
    code = crier_run(&out, all);
    if (code != 0)
        fail_msg("crier %s ends with %d: %s", words[0], code, out);
    return out;
}

void counting_forget(struct counting *c, const char *pattern)
{
    const struct reply *keys = scene_redis(c->scene, "KEYS %s", pattern);

    if (keys->count == 0)
        fail_msg("there is no %s", pattern);
    for (size_t i = 0; i < keys->count; i++)
        scene_redis(c->scene, "DEL %s", keys->items[i].text);
}
