#include "support/serve_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "support/process.h"

enum { PATIENCE_MS = 60000, TRY_MS = 20, CONNECT_MS = 10000, ANSWER_MS = 30000, DEPTH_MOST = 8 };

static long request(const struct server *serve, const struct serve_request *r, struct buf *text, struct error *err)
{
    struct http *http = http_new(&(struct http_options){.bearer = r->token,
                                                        .ca_file = serve->ca_file[0] ? serve->ca_file : NULL,
                                                        .connect_ms = CONNECT_MS,
                                                        .timeout_ms = ANSWER_MS});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct buf url = BUF_INIT;
    long status;

    buf_printf(&url, "%s%s", serve->url, r->path);
    status = http_send(http,
                       &(struct http_request){.method = r->method ? r->method : "GET",
                                              .url = url.data,
                                              .content_type = r->content_type,
                                              .body = r->body,
                                              .length = r->body ? strlen(r->body) : 0,
                                              .headers = r->headers,
                                              .header_count = r->header_count},
                       &reply, err)
                 ? reply.status
                 : 0;
    if (text) {
        buf_reset(text);
        buf_add(text, reply.body.data, reply.body.length);
    }
    buf_release(&url);
    buf_release(&reply.body);
    http_free(http);
    return status;
}

long serve_ask(const struct server *serve, const struct serve_request *r, struct buf *text)
{
    struct error err;
    long status = request(serve, r, text, &err);

    if (status == 0)
        fail_msg("%s %s: %s", r->method ? r->method : "GET", r->path, err.text);
    return status;
}

long serve_try(const struct server *serve, const struct serve_request *r, struct buf *text)
{
    struct error err;

    return request(serve, r, text, &err);
}

void serve_expect(const struct server *serve, long status, const struct serve_request *r, struct buf *text)
{
    long answered = serve_ask(serve, r, text);

    if (answered != status)
        fail_msg("%s %s: %ld %s", r->method ? r->method : "GET", r->path, answered, text ? text->data : "");
}

json_t *serve_answer(const struct buf *text)
{
    struct error err;
    json_t *answer = json_text_parse(text->data, text->length, DEPTH_MOST, &err);

    if (!answer)
        fail_msg("%s: %s", text->data, err.text);
    return answer;
}

char *serve_member(const struct buf *text, const char *name)
{
    json_t *answer = serve_answer(text);
    char *value = xstrdup(json_member_text(answer, name, ""));

    json_decref(answer);
    return value;
}

long serve_get(const struct server *serve, const char *path, const char *token, struct buf *text)
{
    return serve_ask(serve, &(struct serve_request){.path = path, .token = token}, text);
}

char *serve_token(const char *config_path, const char *scope, const char *events)
{
    const char *words[] = {
        "tokens", "--config", config_path, "create", "ada", "--scope", scope, events ? "--events" : NULL, events, NULL};
    char *token;

    if (crier_run(&token, words) != 0)
        fail_msg("%s", token);
    token[strcspn(token, "\n")] = '\0';
    return token;
}

void serve_await_token(const struct server *serve, const char *token)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    for (long status; (status = serve_get(serve, "/metrics", token, NULL)) == 401 || status == 503;) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the token does not count");
        nanosleep(&(struct timespec){0, TRY_MS * 1000000L}, NULL);
    }
}

char *serve_token_known(const struct server *serve, const char *config_path, const char *scope, const char *events)
{
    char *token = serve_token(config_path, scope, events);

    serve_await_token(serve, token);
    return token;
}
