#include "handlers/post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/signature.h"
#include "config/check.h"
#include "handlers/outside/answer.h"
#include "handlers/outside/trial.h"

enum {
    MINUTE = 60 * 1000,
    ANSWER_BYTES_MOST = 4 * 1024 * 1024,
    BODY_KEEP_BYTES = 1024 * 1024,
    SHOWN_BYTES = 300,
    QUIET_S_MOST = 3600,
    EVENTS_FIRST = 1000,
};

enum form { FORM_OF_BATCH, FORM_OF_LINES };

struct options {
    char *url, *token, *secret, *ca_file;
    int form; /* enum form */
    int64_t connect_ms, timeout_ms;
};

static bool url_check(const char *url, struct error *err)
{
    if (strpbrk(url, " \t"))
        return error_set(err, ERROR_CONFIG, "must be one address");
    return check_http_urls(url, err);
}

/* clang-format off */
#define AT(field) offsetof(struct options, field)
static const struct config_key keys[] = {
    {"url", CONFIG_TEXT, AT(url), NULL, 0, 0, NULL, url_check,
     "address of the platform that events are posted to, several at a time; its answer may give each an outcome"},
    {"token", CONFIG_SECRET, AT(token), "", 0, 0, NULL, NULL,
     "bearer token; empty: none"},
    {"secret", CONFIG_SECRET, AT(secret), "", 0, 0, NULL, signature_signing_check,
     "whsec_ and base64: requests are signed as Standard Webhooks; several while one replaces the other; empty: none"},
    {"form", CONFIG_CHOICE, AT(form), "batch", 0, 0, "batch ndjson", NULL,
     "of a request: application/cloudevents-batch+json, or application/x-ndjson with an event a line"},
    {"connect", CONFIG_TIME, AT(connect_ms), "5s", 100, MINUTE, NULL, NULL,
     "longest wait for a connection"},
    {"timeout", CONFIG_TIME, AT(timeout_ms), "20s", 100, 20 * MINUTE, NULL, NULL,
     "longest wait for a whole answer; at most a third of the deadline"},
    {"ca_file", CONFIG_TEXT, AT(ca_file), "", 0, 0, NULL, NULL,
     "certificates to trust (PEM); empty: those of the system"},
    CONFIG_END,
};
#undef AT
/* clang-format on */

struct post {
    const struct options *options;
    struct http *http;
    struct http_reply reply;
    struct signer *signer; /* NULL: requests are not signed */
    struct digest *digest;
    struct trial trial;
    struct buf body, signatures;
    int64_t quiet_until_ms; /* before that the platform wants no request */
};

static bool post_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    const struct options *o = hs->own;

    (void)s;
    return 3 * o->timeout_ms <= hs->deadline_ms ||
           error_set(err, ERROR_CONFIG, "timeout: at most a third of the handler's deadline");
}

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

static bool post_open(struct handler *h, struct error *err)
{
    const struct options *o = h->options;
    struct post *p = h->state = xcalloc(1, sizeof *p);

    p->options = o;
    p->reply = (struct http_reply)HTTP_REPLY_INIT;
    buf_init(&p->body);
    buf_init(&p->signatures);
    p->digest = digest_new();
    trial_init(&p->trial, EVENTS_FIRST);
    p->http = http_new(&(struct http_options){
        .bearer = given(o->token),
        .ca_file = given(o->ca_file),
        .connect_ms = (int)o->connect_ms,
        .timeout_ms = (int)o->timeout_ms,
        .reply_most = ANSWER_BYTES_MOST,
    });
    if (*o->secret)
        p->signer = signer_new(o->secret, err);
    return !*o->secret || p->signer;
}

static void post_close(struct handler *h)
{
    struct post *p = h->state;

    if (!p)
        return;
    http_free(p->http);
    signer_free(p->signer);
    digest_free(p->digest);
    buf_release(&p->reply.body);
    buf_release(&p->body);
    buf_release(&p->signatures);
    free(p);
}

/* -------------------------------------------------------------------------------------------------- the request */

static void build_body(struct post *p, const struct parcel *parcel)
{
    bool lines = p->options->form == FORM_OF_LINES;

    buf_reset(&p->body);
    buf_trim(&p->body, BODY_KEEP_BYTES);
    for (size_t i = 0; i < parcel->count; i++) {
        if (!lines)
            buf_add_char(&p->body, i == 0 ? '[' : ',');
        event_add_json(&parcel->items[i]->event, &p->body);
        if (lines)
            buf_add_char(&p->body, '\n');
    }
    if (!lines)
        buf_add_char(&p->body, ']');
}

/* The same for the same events. */
static void name_parcel(struct post *p, const struct parcel *parcel, char out[ID_TEXT_BYTES])
{
    digest_start(p->digest);
    for (size_t i = 0; i < parcel->count; i++) {
        const struct event *e = &parcel->items[i]->event;

        digest_part(p->digest, e->source.text, e->source.length);
        digest_part(p->digest, e->id.text, e->id.length);
    }
    digest_end_id(p->digest, out);
}

static bool send_request(struct post *p, const struct parcel *parcel, struct error *err)
{
    bool lines = p->options->form == FORM_OF_LINES;
    char id[ID_TEXT_BYTES], timestamp[24];
    int64_t now_s = clock_wall_us() / US_PER_SECOND;
    struct http_header headers[] = {
        {"webhook-id",        id       },
        {"webhook-timestamp", timestamp},
        {"webhook-signature", NULL     },
    };
    struct http_request request = {
        .method = "POST",
        .url = p->options->url,
        .content_type = lines ? "application/x-ndjson" : "application/cloudevents-batch+json",
        .accept = "application/json",
        .headers = headers,
        .header_count = p->signer ? 3 : 2,
    };

    build_body(p, parcel);
    name_parcel(p, parcel, id);
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)now_s);
    buf_reset(&p->signatures);
    if (p->signer)
        signature_add(p->signer, id, now_s, p->body.data, p->body.length, &p->signatures);
    headers[2].value = p->signatures.data;
    request.body = p->body.data;
    request.length = p->body.length;
    return http_send(p->http, &request, &p->reply, err);
}

/* --------------------------------------------------------------------------------------------------- the answer */

/* The server's own words, for people; in the arena. */
static const char *words_of(const struct post *p, struct parcel *parcel)
{
    struct buf words = BUF_INIT;
    const char *text;

    buf_printf(&words, "%ld%s", p->reply.status, p->reply.body.length ? ": " : "");
    text_add_escaped(&words, p->reply.body.data, p->reply.body.length, SHOWN_BYTES);
    text = arena_copy(parcel->batch->arena, words.data, words.length);
    buf_release(&words);
    return text;
}

/* 2xx: what is said of each; what is no answer of ours at all is some gateway's word, and no event's fault. */
static bool read_outcomes(struct post *p, struct parcel *parcel, int64_t took_ms, struct error *err)
{
    const char *body = p->reply.body.data;
    size_t blanks = strspn(body, " \t\r\n");
    struct error why = ERROR_INIT;

    if (blanks == p->reply.body.length) {
        parcel_settle_open(parcel, OUTCOME_DONE, NULL, NULL);
    } else if (body[blanks] != '{' && body[blanks] != '[') {
        return error_set(err, ERROR_AGAIN, "its answer is neither empty nor JSON: %s", words_of(p, parcel));
    } else {
        if (!answer_all(parcel, body, p->reply.body.length, &why))
            error_in(&why, "its answer");
        parcel_settle_open(parcel, OUTCOME_RETRY, "the answer gives the event no outcome", why.text);
    }
    trial_passed(&p->trial, parcel->count, took_ms);
    return true;
}

/* All of it again, with the wait that the server asks for. */
static bool leave_alone(struct post *p, struct parcel *parcel, struct error *err)
{
    long wait_s = p->reply.retry_after_s < QUIET_S_MOST ? p->reply.retry_after_s : QUIET_S_MOST;

    if (wait_s > 0)
        p->quiet_until_ms = clock_monotonic_ms() + wait_s * 1000;
    return error_set(err, ERROR_AGAIN, "it answers %s", words_of(p, parcel));
}

static bool no_answer(struct post *p, struct parcel *parcel, const char *words, struct error *err)
{
    enum outcome outcome = trial_failed(&p->trial, parcel->count);

    if (outcome == OUTCOME_NONE)
        return leave_alone(p, parcel, err); /* a 500 may come with Retry-After, too */
    parcel_settle_open(parcel, outcome, "no answer came while it was handled alone", words);
    return true;
}

static bool refuse(struct post *p, struct parcel *parcel, int64_t took_ms)
{
    if (trial_divide(&p->trial, parcel->count))
        return true;
    parcel_settle_open(parcel, OUTCOME_DEAD, "the platform refuses the event", words_of(p, parcel));
    trial_passed(&p->trial, parcel->count, took_ms);
    return true;
}

static bool is_operators(long status)
{
    static const long all[] = {401, 403, 404, 405, 407, 410, 415, 426, 511};

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        if (status == all[i])
            return true;
    return status < 200 || (status >= 300 && status < 400);
}

static bool judge(struct post *p, struct parcel *parcel, int64_t took_ms, struct error *err)
{
    long status = p->reply.status;

    if (status >= 200 && status < 300)
        return read_outcomes(p, parcel, took_ms, err);
    if (is_operators(status))
        return error_set(err, ERROR_AGAIN, "it answers %s; are url, token and secret right?", words_of(p, parcel));
    if (status == 408 || status == 425 || status == 429 || status == 503)
        return leave_alone(p, parcel, err);
    if (status < 500)
        return refuse(p, parcel, took_ms);
    return no_answer(p, parcel, words_of(p, parcel), err);
}

/* Outcomes for all of the parcel, or fewer of them the next time. */
static bool post_parcel(struct post *p, struct parcel *parcel, struct error *err)
{
    int64_t began_ms = clock_monotonic_ms();
    struct error why;

    if (send_request(p, parcel, err))
        return judge(p, parcel, clock_monotonic_ms() - began_ms, err);
    if (!p->reply.may_have_effect)
        return false;
    why = *err;
    if (no_answer(p, parcel, why.text, err))
        return true;
    *err = why;
    return false;
}

static bool post_handle(struct handler *h, struct batch *in, struct error *err)
{
    int64_t now_ms = clock_monotonic_ms(), until_ms = now_ms + parcel_pass_ms(h->common->deadline_ms);
    struct post *p = h->state;
    struct parcel parcel;

    if (now_ms < p->quiet_until_ms)
        return error_set(err, ERROR_AGAIN, "the platform wants no request for %lld s more",
                         (long long)(p->quiet_until_ms - now_ms) / 1000 + 1);
    parcel_init(&parcel, in);
    while (parcel_fill(&parcel, p->trial.most)) {
        if (!post_parcel(p, &parcel, err))
            return false;
        if (clock_monotonic_ms() > until_ms)
            parcel_leave_rest(&parcel);
    }
    return true;
}

const struct handler_type post_handler = {
    .name = "post",
    .help = "events to an endpoint of the platform, which says what became of each",
    .keys = keys,
    .size = sizeof(struct options),
    .fits = post_fits,
    .open = post_open,
    .handle = post_handle,
    .close = post_close,
};
