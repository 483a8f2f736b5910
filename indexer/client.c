#include "indexer/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

enum {
    PASSED_OVER_MS = 10000, /* how long a host that did not answer is passed over */
    REPLY_KEEP_BYTES = 256 * 1024,
    WORDS_SHOWN_MOST = 300,
    WAIT_S_MOST = 3600,
};

struct host {
    char *url; /* without '/' at the end */
    int64_t away_until_ms;
    unsigned long tried_by; /* the last call that came here */
};

struct client {
    struct http *http;
    struct host *hosts;
    size_t count;
    char *prefix;
    int timeout_ms;
    unsigned long calls;
    struct buf url, body;
    struct http_reply reply;
};

static void add_host(struct client *c, const char *url, size_t length)
{
    while (length > 0 && url[length - 1] == '/')
        length--;
    c->hosts = xrealloc(c->hosts, (c->count + 1) * sizeof *c->hosts);
    c->hosts[c->count++] = (struct host){xstrndup(url, length), 0, 0};
}

static const char *given(const char *text)
{
    return text && text[0] ? text : NULL;
}

struct client *client_new(const struct opensearch_settings *o)
{
    struct client *c = xcalloc(1, sizeof *c);
    const char *at = o->url, *word;
    size_t length;

    while (text_word(&at, &word, &length))
        add_host(c, word, length);
    c->prefix = xstrdup(o->prefix ? o->prefix : "");
    c->timeout_ms = (int)o->timeout_ms;
    buf_init(&c->url);
    buf_init(&c->body);
    c->reply = (struct http_reply)HTTP_REPLY_INIT;
    c->http = http_new(&(struct http_options){
        .user = given(o->user),
        .password = given(o->password),
        .ca_file = given(o->ca_file),
        .connect_ms = (int)o->connect_ms,
        .timeout_ms = (int)o->timeout_ms,
        .gzip = o->gzip,
    });
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        free(c->hosts[i].url);
    free(c->hosts);
    free(c->prefix);
    buf_release(&c->url);
    buf_release(&c->body);
    buf_release(&c->reply.body);
    http_free(c->http);
    free(c);
}

const char *client_prefix(const struct client *c)
{
    return c->prefix;
}

void client_reply_most(struct client *c, size_t bytes)
{
    http_reply_most(c->http, bytes);
}

bool client_reply_too_long(const struct client *c)
{
    return c->reply.too_long;
}

int client_timeout_ms(const struct client *c)
{
    return c->timeout_ms;
}

/* --------------------------------------------------------------------------------------------- hosts in turn */

/* The first that this call has not tried and that is not passed over, else the one that has been away longest. */
static struct host *next_host(struct client *c)
{
    int64_t now_ms = clock_monotonic_ms();
    struct host *next = NULL;

    for (size_t i = 0; i < c->count; i++) {
        struct host *h = &c->hosts[i];

        if (h->tried_by == c->calls)
            continue;
        if (h->away_until_ms <= now_ms)
            return h;
        if (!next || h->away_until_ms < next->away_until_ms)
            next = h;
    }
    return next;
}

/*
 * A request that reached no host goes to the next one at once. One that may have been carried out is the caller's to
 * repeat or not, and the repetition goes to another host.
 */
bool client_send(struct client *c, const char *method, const char *path, const char *content_type, const char *body,
                 size_t length, const struct http_reply **reply, struct error *err)
{
    struct http_request request = {.method = method, .content_type = content_type, .body = body, .length = length};
    struct host *h;

    *reply = &c->reply;
    buf_reset(&c->reply.body);
    buf_trim(&c->reply.body, REPLY_KEEP_BYTES);
    c->calls++;
    c->reply.may_have_effect = false;
    error_set(err, ERROR_CONFIG, "no url is given");
    while (!c->reply.may_have_effect && (h = next_host(c))) {
        h->tried_by = c->calls;
        buf_reset(&c->url);
        buf_add_text(&c->url, h->url);
        buf_add_text(&c->url, path);
        request.url = c->url.data;
        if (http_send(c->http, &request, &c->reply, err)) {
            h->away_until_ms = 0;
            return true;
        }
        h->away_until_ms = clock_monotonic_ms() + PASSED_OVER_MS;
    }
    return error_in(err, "OpenSearch");
}

/* ---------------------------------------------------------------------------------------- the server's words */

static void add_type_and_reason(const json_t *error, struct buf *out)
{
    const char *type = json_member_text(error, "type", "");
    const char *reason = json_member_text(error, "reason", "");

    buf_add_text(out, type);
    if (type[0] && reason[0])
        buf_add_text(out, ": ");
    buf_add_text(out, reason);
}

static const json_t *deepest_cause(const json_t *error)
{
    const json_t *cause = json_object_get(error, "caused_by"), *deeper;

    if (!json_is_object(cause))
        return json_array_get(json_object_get(error, "root_cause"), 0);
    while (json_is_object(deeper = json_object_get(cause, "caused_by")))
        cause = deeper;
    return cause;
}

void client_add_reason(const json_t *error, struct buf *out)
{
    const json_t *cause = deepest_cause(error);
    struct buf more = BUF_INIT;
    size_t start = out->length;

    if (json_is_string(error)) /* what no action answers for */
        buf_add_text(out, json_string_value(error));
    add_type_and_reason(error, out);
    if (cause)
        add_type_and_reason(cause, &more);
    if (more.length > 0 && strcmp(more.data, out->data + start) != 0)
        buf_printf(out, "%s%s", out->length > start ? "; caused by " : "", more.data);
    buf_release(&more);
}

bool client_refused(const struct http_reply *reply, struct error *err)
{
    bool passing = reply->status == 401 || reply->status == 403 || reply->status == 429 || reply->status >= 500;
    enum error_kind kind = passing ? ERROR_AGAIN : ERROR_INPUT;
    json_t *said = json_loadb(reply->body.data, reply->body.length, 0, NULL);
    struct buf words = BUF_INIT;

    if (said)
        client_add_reason(json_object_get(said, "error"), &words);
    else
        text_add_escaped(&words, reply->body.data, reply->body.length, WORDS_SHOWN_MOST);
    error_set(err, kind, "OpenSearch answers %ld%s%s", reply->status, words.length ? ": " : "", words.data);
    if (passing && reply->retry_after_s > 0)
        err->wait_ms = (int64_t)(reply->retry_after_s < WAIT_S_MOST ? reply->retry_after_s : WAIT_S_MOST) * 1000;
    buf_release(&words);
    json_decref(said);
    return false;
}

/* --------------------------------------------------------------------------------------------- single requests */

/* Whether it would be the same another time: a reply that was cut off, or a gateway's page, would not. */
static bool is_for_good(const struct buf *body, const json_error_t *wrong)
{
    return json_error_code(wrong) != json_error_premature_end_of_input && body->data[0] == '{' &&
           body->data[body->length - 1] == '}';
}

/* Documents are their owner's: what OpenSearch took is not refused here for a NUL or its depth. */
static bool read_json(const struct http_reply *reply, json_t **out, struct error *err)
{
    json_error_t wrong;

    if (reply->body.length == 0)
        return true;
    *out = json_loadb(reply->body.data, reply->body.length, JSON_ALLOW_NUL, &wrong);
    if (!*out)
        return error_set(err, is_for_good(&reply->body, &wrong) ? ERROR_INPUT : ERROR_AGAIN,
                         "OpenSearch: the reply cannot be read: %s at byte %d", wrong.text, wrong.position);
    return true;
}

bool client_json(struct client *c, const char *method, const char *path, const json_t *body, json_t **out,
                 bool *missing, struct error *err)
{
    const struct http_reply *reply;

    *out = NULL;
    if (missing)
        *missing = false;
    buf_reset(&c->body);
    buf_trim(&c->body, REPLY_KEEP_BYTES);
    if (body)
        json_add(&c->body, body);
    if (!client_send(c, method, path, NULL, body ? c->body.data : NULL, c->body.length, &reply, err)) {
        if (reply->too_long)
            err->kind = ERROR_INPUT;
        return false;
    }
    if (missing && reply->status == 404) {
        *missing = true;
        return true;
    }
    return reply->status >= 300 ? client_refused(reply, err) : read_json(reply, out, err);
}

bool client_ready(struct client *c, struct error *err)
{
    json_t *answer;
    bool ok = client_json(c, "GET", "/", NULL, &answer, NULL, err);

    json_decref(answer);
    return ok;
}
