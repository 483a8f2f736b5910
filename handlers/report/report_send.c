#include "handlers/report/report_send.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "base/stop.h"
#include "base/text.h"
#include "handlers/report/report_coprd.h"
#include "handlers/report/report_month.h"

enum {
    DATASETS_MOST = 50000,
    PLAIN_BYTES_MOST = 10 * 1000 * 1000, /* beyond that it goes compressed */
    TRIES_MOST = 6,
    WAIT_MS = 1000,
    WAIT_MOST_MS = 120 * 1000,
    CONNECT_MS = 10 * 1000,
    TIMEOUT_MS = 300 * 1000,
    WORDS_MOST = 300, /* of the hub's, in an error */
    ID_BYTES_MOST = 200,
};

struct delivery_to_hub {
    const struct report *report;
    struct http *plain, *packed;
    struct redis *redis;
    struct arena *arena;
    struct stop *stop; /* to sleep on; nobody raises it */
    const char *key;   /* where the id is kept */
    const char *url;
    size_t datasets_most;
    int64_t wait_ms;
    int tries;        /* that failed so far */
    struct buf id;    /* "": not known */
    bool created_new; /* the report that the hub shows is the one we sent */
    bool doubtful;    /* a part may be there twice: all of it must be replaced */
};

/* ------------------------------------------------------------------------------------------------ the id in Redis */

static const char *make_key(struct arena *arena, const struct report *r)
{
    char first[MONTH_TEXT_BYTES], last[MONTH_TEXT_BYTES];

    if (r->first == r->last)
        return arena_printf(arena, "crier:{report}:%s:%s", report_kind_name(r->kind), month_text(r->first, first));
    return arena_printf(arena, "crier:{report}:%s:%s..%s", report_kind_name(r->kind), month_text(r->first, first),
                        month_text(r->last, last));
}

static bool read_id(struct delivery_to_hub *d, struct error *err)
{
    const struct reply *reply;

    if (!redis_do(d->redis, d->arena, &reply, err, "GET %s", d->key))
        return false;
    if (reply->kind == REPLY_TEXT)
        buf_add(&d->id, reply->text, reply->length);
    return true;
}

static bool keep_id(struct delivery_to_hub *d, struct error *err)
{
    const struct reply *reply;

    return d->id.length == 0 ||
           redis_do(d->redis, d->arena, &reply, err, "SET %s %b", d->key, d->id.data, d->id.length);
}

/* -------------------------------------------------------------------------------------------------- one request */

/* The hub shows what it has: its id, and when that was created, so that an older report in its place is noticed. */
static void read_answer(struct delivery_to_hub *d, const struct http_reply *reply)
{
    struct error err;
    json_t *answer = json_text_parse(reply->body.data, reply->body.length, JSON_DEPTH_DEFAULT, &err);
    const json_t *report = json_object_get(answer, "report");
    const char *id = json_member_text(report ? report : answer, "id", "");
    const char *shown = json_member_text(json_object_get(report, "report-header"), "created", NULL);
    const char *sent = json_string_value(json_at(d->report->document, "report-header.created"));

    if (*id && strlen(id) <= ID_BYTES_MOST) {
        buf_reset(&d->id);
        buf_add_text(&d->id, id);
    }
    d->created_new = !shown || !sent || strcmp(shown, sent) == 0;
    json_decref(answer);
}

static bool refused(const struct http_reply *reply, struct error *err)
{
    struct buf words = BUF_INIT;
    bool again = reply->status == 429 || reply->status >= 500;

    text_add_escaped(&words, reply->body.data, reply->body.length, WORDS_MOST);
    error_set(err, again ? ERROR_AGAIN : ERROR_INPUT, "the hub answers %ld%s%s", reply->status,
              words.length ? ": " : "", words.data);
    buf_release(&words);
    return false;
}

/* *wait_ms: what the hub asks for; -1: nothing. */
static bool send_once(struct delivery_to_hub *d, const char *method, const char *url, const struct buf *body,
                      bool packed, int64_t *wait_ms, struct error *err)
{
    const struct http_request request = {
        .method = method,
        .url = url,
        .content_type = packed ? "application/gzip" : "application/json",
        .body = body->data,
        .length = body->length,
    };
    struct http_reply reply = HTTP_REPLY_INIT;
    bool ok = http_send(packed ? d->packed : d->plain, &request, &reply, err);

    *wait_ms = reply.retry_after_s >= 0 ? reply.retry_after_s * 1000 : -1;
    if (!ok)
        d->doubtful |= reply.may_have_effect;
    else if (reply.status == 200 || reply.status == 201 || reply.status == 202)
        read_answer(d, &reply);
    else
        ok = refused(&reply, err);
    d->doubtful |= reply.status >= 500;
    buf_release(&reply.body);
    return ok;
}

/* Waits, at least as long as the hub asked. False: there were enough tries. */
static bool wait_to_retry(struct delivery_to_hub *d, int64_t asked_ms)
{
    int64_t wait_ms = d->wait_ms << d->tries;

    if (++d->tries >= TRIES_MOST || asked_ms > WAIT_MOST_MS)
        return false;
    if (wait_ms > WAIT_MOST_MS)
        wait_ms = WAIT_MOST_MS;
    wait_ms = wait_ms / 2 + (int64_t)random_below((uint64_t)wait_ms / 2 + 1);
    stop_sleep(d->stop, asked_ms > wait_ms ? asked_ms : wait_ms);
    return true;
}

static bool send_part(struct delivery_to_hub *d, const json_t *part, bool replace, bool packed, struct error *err)
{
    struct buf url = BUF_INIT, body = BUF_INIT;
    int64_t asked_ms;
    bool ok;

    buf_add_text(&url, d->url);
    if (replace) {
        buf_add_char(&url, '/');
        http_add_segment(&url, d->id.data, d->id.length);
    }
    json_add(&body, part);
    do
        ok = send_once(d, replace ? "PUT" : "POST", url.data, &body, packed, &asked_ms, err);
    while (!ok && err->kind == ERROR_AGAIN && wait_to_retry(d, asked_ms));
    buf_release(&url);
    buf_release(&body);
    return ok;
}

/* ---------------------------------------------------------------------------------------------- the whole report */

/* A report that fits goes as it is; of research data a large one in parts. */
static bool fits(const struct delivery_to_hub *d)
{
    struct buf text = BUF_INIT;
    bool yes;

    json_add(&text, d->report->document);
    yes = text.length <= PLAIN_BYTES_MOST;
    buf_release(&text);
    return yes && json_array_size(json_object_get(d->report->document, "report-datasets")) <= d->datasets_most;
}

static bool send_parts(struct delivery_to_hub *d, struct error *err)
{
    size_t count = json_array_size(json_object_get(d->report->document, "report-datasets"));
    bool ok = true;

    for (size_t at = 0; ok && at < count; at += d->datasets_most) {
        json_t *part = report_coprd_part(d->report->document, at, d->datasets_most);

        ok = send_part(d, part, at == 0 && d->id.length > 0, true, err);
        json_decref(part);
    }
    return ok;
}

static bool send_all(struct delivery_to_hub *d, struct error *err)
{
    d->doubtful = false;
    if (d->report->kind == REPORT_DSR && !fits(d))
        return send_parts(d, err);
    return send_part(d, d->report->document, d->id.length > 0, false, err);
}

/* Once it has an id, what may be there by halves or is an older one is replaced as a whole. */
static bool deliver(struct delivery_to_hub *d, struct error *err)
{
    if (!read_id(d, err))
        return false;
    do {
        bool known = d->id.length > 0;

        if (!send_all(d, err) || !keep_id(d, err))
            return false;
        if (d->id.length == 0 || (!d->doubtful && (known || d->created_new)))
            return true;
    } while (++d->tries < TRIES_MOST);
    return error_set(err, ERROR_AGAIN, "the hub did not take the report as a whole in %d tries", TRIES_MOST);
}

bool report_send(const struct report *r, struct redis *redis, const struct send_options *o, struct buf *id,
                 struct error *err)
{
    const char *token = *r->settings->hub_token ? r->settings->hub_token : NULL;
    struct http_options options = {.connect_ms = CONNECT_MS, .timeout_ms = TIMEOUT_MS, .bearer = token};
    struct delivery_to_hub d = {.report = r, .redis = redis, .id = BUF_INIT, .url = r->settings->hub_url};
    bool ok;

    if (!*d.url)
        return error_set(err, ERROR_CONFIG, "[report] hub_url: nowhere to send a report to");
    d.datasets_most = o->datasets_most ? o->datasets_most : DATASETS_MOST;
    d.wait_ms = o->wait_ms ? o->wait_ms : WAIT_MS;
    d.plain = http_new(&options);
    options.gzip = true;
    options.gzip_least = 1;
    d.packed = http_new(&options);
    d.stop = stop_new();
    d.arena = arena_new();
    d.key = make_key(d.arena, r);
    ok = deliver(&d, err);
    buf_add(id, d.id.data, d.id.length);
    buf_release(&d.id);
    arena_free(d.arena);
    stop_free(d.stop);
    http_free(d.packed);
    http_free(d.plain);
    return ok;
}
