#include "handlers/webhook/webhook_sender.h"

#include <inttypes.h>

#include "base/clock.h"
#include "handlers/webhook/webhook_schedule.h"

enum { OWN_HEADERS = 4 };

static size_t header_count(const struct webhook_target *t)
{
    size_t count = 0;

    while (t->headers[count])
        count++;
    return count;
}

struct post_options webhook_post_options(const struct webhook_options *o, const struct address_guard *guard)
{
    return (struct post_options){
        .guard = guard,
        .ports = o->ports,
        .ca_file = *o->ca_file ? o->ca_file : NULL,
        .http_allowed = o->http,
        .timeout_ms = (int)o->timeout_ms,
    };
}

void webhook_add_body(const struct webhook_options *o, const struct event *e, struct buf *out)
{
    size_t start = out->length;
    struct event thin = *e;

    if (o->payload == PAYLOAD_CLOUDEVENTS) {
        event_add_json(e, out);
        if (out->length - start <= (size_t)o->largest_bytes)
            return;
        out->length = start;
    }
    thin.data = SPAN_NONE;
    event_add_json(&thin, out);
}

/* The body is the same at every try; the time and with it the signature are not. */
struct post_request webhook_request(const struct webhook_target *t, const struct delivery_claim *claim,
                                    int64_t started_us, struct arena *arena)
{
    const char **headers = arena_alloc(arena, (header_count(t) + OWN_HEADERS + 1) * sizeof *headers);
    struct post_request request = {.url = t->options->url, .headers = headers};
    struct buf body = BUF_INIT, signature = BUF_INIT;
    int64_t now_s = started_us / US_PER_SECOND;
    size_t count = 0;

    webhook_add_body(t->options, &claim->event, &body);
    signature_add(t->signer, claim->id, now_s, body.data, body.length, &signature);
    request.body = arena_copy(arena, body.data, body.length);
    request.length = body.length;
    headers[count++] = "Content-Type: application/cloudevents+json";
    headers[count++] = arena_printf(arena, "webhook-id: %s", claim->id);
    headers[count++] = arena_printf(arena, "webhook-timestamp: %" PRId64, now_s);
    headers[count++] = arena_printf(arena, "webhook-signature: %s", signature.data);
    for (char **header = t->headers; *header; header++)
        headers[count++] = *header;
    headers[count] = NULL;
    buf_release(&body);
    buf_release(&signature);
    return request;
}

static bool is_busy(long status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* Everything but 2xx is a failure, redirects too. One that is busy and says until when gets nothing at all till then.
 */
static void judge(const struct delivery_claim *claim, const struct post_reply *reply, struct delivery_attempt *a)
{
    int64_t now_us = clock_wall_us(), delay_us;

    a->status = reply->status;
    if (a->status >= 200 && a->status < 300) {
        a->fate = DELIVERY_DONE;
        return;
    }
    delay_us = webhook_delay_asked_us(claim->tries + 1, reply->retry_after_s);
    a->fate = delay_us < 0 ? DELIVERY_DEAD : DELIVERY_AGAIN;
    a->next_us = delay_us < 0 ? 0 : now_us + delay_us;
    if (is_busy(a->status) && reply->retry_after_s > 0)
        a->quiet_until_us = now_us + webhook_delay_asked_us(0, reply->retry_after_s);
}

void webhook_judge(const struct delivery_claim *claim, int64_t started_us, const struct post_reply *reply,
                   const struct error *failed, struct arena *arena, struct webhook_answer *out)
{
    size_t shown = reply->body.length < WEBHOOK_REPLY_BYTES ? reply->body.length : WEBHOOK_REPLY_BYTES;

    *out = (struct webhook_answer){
        .attempt = {.started_us = started_us, .error = failed ? arena_text(arena, failed->text) : ""},
        .gone = reply->status == 410,
        .blocked = reply->blocked,
    };
    out->attempt.reply = (struct span){arena_copy(arena, reply->body.data, shown), shown};
    judge(claim, reply, &out->attempt);
}

void webhook_try(const struct webhook_target *t, const struct delivery_claim *claim, struct arena *arena,
                 struct webhook_answer *out)
{
    int64_t started_us = clock_wall_us(), started_ms = clock_monotonic_ms();
    struct post_options options = webhook_post_options(t->options, t->guard);
    struct post_request request = webhook_request(t, claim, started_us, arena);
    struct guarded_post *post = guarded_post_new(&options);
    struct post_reply reply = POST_REPLY_INIT;
    struct error err = ERROR_INIT;
    bool ok = guarded_post_send(post, &request, &reply, &err);

    webhook_judge(claim, started_us, &reply, ok ? NULL : &err, arena, out);
    out->attempt.took_ms = clock_monotonic_ms() - started_ms;
    buf_release(&reply.body);
    guarded_post_free(post);
}
