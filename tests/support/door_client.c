#include "support/door_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"

static const char ini[] =
    "[redis]\nurl = REDIS\ntimeout = 3s\n"
    "[http]\nMORElisten = 127.0.0.1:0\nevent = 4KiB\nbatch = 64KiB\nbatch_events = 100\ndepth = 16\n"
    "[queue statistics]\nevents = record-view record-plain\n"
    "[queue changes]\nevents = user.* record.*\n"
    "[event record-view]\nprepare = robots machines visitor\nunique = data.recid visitor_id time/10s\n"
    "[handler views]\ntype = statistics\nqueue = statistics\nindex = stats-{type}\n";

static unsigned hello(void *context, struct buf *body)
{
    buf_add_text(body, context);
    return 200;
}

static char hello_text[] = "hello";
static const struct door_page pages[] = {
    {.path = "/hello", .content_type = "text/plain", .render = hello, .context = hello_text},
    {.path = NULL},
};

int client_door_open(void **state)
{
    return client_door_open_with(state, "");
}

int client_door_open_with(void **state, const char *lines)
{
    struct door_client *c = xcalloc(1, sizeof *c);
    char *text = scene_replaced(ini, "MORE", lines);
    struct error err;

    c->scene = scene_open(text);
    free(text);
    c->door = door_open(c->scene->settings, pages, &err);
    if (!c->door)
        fail_msg("%s", err.text);
    c->curl = curl_easy_init();
    buf_init(&c->body);
    *state = c;
    return 0;
}

int client_door_close(void **state)
{
    struct door_client *c = *state;

    curl_easy_cleanup(c->curl);
    door_close(c->door);
    scene_close(c->scene);
    json_decref(c->json);
    buf_release(&c->body);
    free(c);
    return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    buf_add(context, bytes, size * count);
    return size * count;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct door_client *c = context;
    char line[200];

    snprintf(line, sizeof line, "%.*s", (int)(size * count), bytes);
    sscanf(line, "Retry-After: %ld", &c->retry_after);
    sscanf(line, "Allow: %79[^\r]", c->allow);
    return size * count;
}

long client_request(struct door_client *c, const char *method, const char *path, const char *const headers[],
                    const char *bytes, size_t length)
{
    struct curl_slist *list = NULL;
    char url[100];
    CURLcode code;

    for (; headers && *headers; headers++)
        list = curl_slist_append(list, *headers);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", door_port(c->door), path);
    buf_reset(&c->body);
    json_decref(c->json);
    c->json = NULL;
    c->retry_after = -1;
    c->allow[0] = '\0';
    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(c->curl, CURLOPT_INTERFACE, c->from);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c->curl, CURLOPT_NOBODY, (long)(strcmp(method, "HEAD") == 0));
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &c->body);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 20L);
    if (bytes) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, bytes);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    }
    code = curl_easy_perform(c->curl);
    if (code != CURLE_OK)
        fail_msg("%s %s: %s", method, path, curl_easy_strerror(code));
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
    curl_slist_free_all(list);
    if (c->body.length > 0)
        c->json = json_loadb(c->body.data, c->body.length, 0, NULL);
    return c->status;
}

long client_post(struct door_client *c, const char *type, const char *text)
{
    return client_request(c, "POST", "/events", (const char *const[]){type, NULL}, text, strlen(text));
}

const char *client_outcome(const struct door_client *c, size_t i)
{
    const json_t *one = json_is_array(c->json) ? json_array_get(c->json, i) : c->json;

    return json_member_text(one, "outcome", "none");
}

const char *client_reason(const struct door_client *c, size_t i)
{
    const json_t *one = json_is_array(c->json) ? json_array_get(c->json, i) : c->json;

    return json_member_text(one, "error", "none");
}

int64_t client_stream_length(struct door_client *c, const char *queue)
{
    return scene_redis(c->scene, "XLEN crier:{%s}:stream", queue)->integer;
}

const char *client_field(struct door_client *c, const char *queue, const char *name)
{
    const struct reply *all = scene_redis(c->scene, "XRANGE crier:{%s}:stream - +", queue);
    const struct reply *value;

    assert_int_equal(all->count, 1);
    value = reply_field(&all->items[0].items[1], name);
    return value ? value->text : NULL;
}
