#include "notifier/door_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/text.h"
#include "notifier/door_look.h"
#include "notifier/door_origin.h"
#include "notifier/door_watch.h"

enum { PATIENCE_BYTES = 64 * 1024 };

/* ---------------------------------------------------------------------------------------------------- answers */

static enum MHD_Result send_reply(struct request *r, struct MHD_Connection *c, unsigned status, const char *type,
                                  bool last)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(r->reply.length, r->reply.data, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result queued;

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    if (r->allow)
        MHD_add_response_header(response, "Allow", r->allow);
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, "Retry-After", "1");
    if (last)
        MHD_add_response_header(response, "Connection", "close");
    origin_add_headers(response, r->desk->settings->http.origins, r->origin);
    queued = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result send_refusal(struct request *r, struct MHD_Connection *c, bool last)
{
    buf_reset(&r->reply);
    buf_add_text(&r->reply, "{\"error\":");
    buf_add_json_text(&r->reply, r->reason);
    buf_add_text(&r->reply, "}\n");
    return send_reply(r, c, r->refusal, "application/json", last);
}

/* Comes by twice where the answer waits for what becomes of the events. */
static enum MHD_Result take_events(struct request *r, struct MHD_Connection *c)
{
    struct events_request events = {.form = r->form,
                                    .headers = r->headers,
                                    .header_count = r->header_count,
                                    .idempotency_key = r->idempotency_key,
                                    .body = r->body.bytes.data,
                                    .length = r->body.bytes.length};
    struct signed_door *signatures = r->desk->signatures;
    unsigned status;
    struct intake *in;
    bool sleeps = false;

    if (r->wait.place.status)
        return send_reply(r, c, door_wait_end(&r->wait, &r->reply), "application/json", false);
    status = signed_check(signatures, &r->claim, r->form == FORM_BINARY, &r->body.bytes, &r->reply);
    if (status)
        return send_reply(r, c, status, "application/json", false);
    if (signatures)
        events.idempotency_key = r->claim.id;
    events.admitted = r->caller.events;
    events.operation = page_argument(&r->asked, "operation");
    events.hurries = r->wait.most_ms > 0;
    if (events.hurries && !events.operation)
        events.operation = "new";
    in = desk_borrow(r->desk);
    status = events_take(&r->desk->events, in, &events, &r->reply);
    if (status == MHD_HTTP_ACCEPTED) {
        signed_remember(signatures, &r->claim, &r->body.bytes);
        sleeps = door_wait_begin(&r->wait, r->desk->feed, in, &r->caller, c);
    }
    desk_return(r->desk, in);
    return sleeps ? MHD_YES : send_reply(r, c, status, "application/json", false);
}

/* Comes by twice: with the whole body, and when its answer is made. */
static enum MHD_Result run_errand(struct request *r, struct MHD_Connection *c)
{
    if (r->errand.status)
        return send_reply(r, c, r->errand.status, r->page->content_type, false);
    r->asked.bytes = r->body.bytes.data;
    r->asked.length = r->body.bytes.length;
    r->asked.caller = &r->caller;
    r->errand = (struct errand){.page = r->page, .request = &r->asked, .reply = &r->reply, .connection = c};
    if (errands_give(r->desk->errands, &r->errand))
        return MHD_YES;
    request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too much is asked for at a time");
    return send_refusal(r, c, false);
}

static enum MHD_Result open_stream(struct request *r, struct MHD_Connection *c)
{
    struct MHD_Response *response;
    enum MHD_Result queued;
    unsigned status;

    r->asked.caller = &r->caller;
    response = door_stream_open(&r->stream, r->desk->feed, &r->asked, c, &status, &r->reply);
    if (!response)
        return send_reply(r, c, status, "application/json", false);
    origin_add_headers(response, r->desk->settings->http.origins, r->origin);
    queued = MHD_queue_response(c, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

/* The whole request is there. */
static enum MHD_Result answer(struct request *r, struct MHD_Connection *c)
{
    if (!r->refusal && r->page && r->page->render) {
        unsigned status = r->page->render(r->page->context, &r->reply);

        return send_reply(r, c, status, r->page->content_type, false);
    }
    switch (body_end(&r->body)) {
    case BODY_WHOLE:
        break;
    case BODY_TOO_LONG:
        request_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is longer than it may be");
        break;
    case BODY_BROKEN:
        request_refuse(r, MHD_HTTP_BAD_REQUEST, "the body is not gzip, or it is cut short");
        break;
    case BODY_NO_ROOM:
        request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too many large bodies are under way");
        break;
    }
    if (r->refusal)
        return send_refusal(r, c, false);
    if (r->preflight)
        return send_reply(r, c, MHD_HTTP_NO_CONTENT, "text/plain", false);
    if (r->stream.asked)
        return open_stream(r, c);
    return r->page ? run_errand(r, c) : take_events(r, c);
}

/* --------------------------------------------------------------------------------- from its headers to its end */

static struct request *request_new(struct desk *d)
{
    struct request *r = xcalloc(1, sizeof *r);

    r->desk = d;
    buf_init(&r->reply);
    buf_init(&r->wait.known);
    r->too_late = !desk_enter(d);
    if (r->too_late)
        request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the service is about to stop");
    return r;
}

static int64_t bytes_most(const struct request *r)
{
    return r->page && r->page->answer ? r->page->body_bytes : r->desk->settings->http.batch_bytes;
}

/* What of a body is read at most, the part for nothing included. */
static int64_t patience_bytes(const struct request *r)
{
    return 2 * bytes_most(r) + PATIENCE_BYTES;
}

/*
 * A body a little too long is read to its end before it is refused: closed while it still sends, a connection is reset,
 * and the sender sees that instead of the answer. Who asks before sending, or wants to send far more, is refused at
 * once.
 */
static bool is_refused_unread(const struct request *r, int64_t length)
{
    return length > bytes_most(r) && (r->asks_first || length > patience_bytes(r));
}

/* Only what needs no body is answered here: libmicrohttpd closes a connection that is answered before its body. */
static enum MHD_Result first_look(struct request *r, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version)
{
    int64_t length = 0;
    bool keeps, gzip;

    request_look(r, c, path, method, version);
    keeps = !r->refusal && !r->preflight && !r->stream.asked; /* who needs no body takes no room from those who do */
    gzip = keeps && r->content_encoding && strcasecmp(r->content_encoding, "gzip") == 0;
    body_start(&r->body, gzip, keeps ? bytes_most(r) : 0, &r->desk->room);
    if (r->content_length &&
        (!text_int(r->content_length, strlen(r->content_length), &length) || is_refused_unread(r, length))) {
        request_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is longer than it may be");
        return send_refusal(r, c, true);
    }
    return r->headers_doubtful || r->too_late ? send_refusal(r, c, true) : MHD_YES;
}

/* A sender that goes on and on after the limit is cut off. */
static enum MHD_Result more_body(struct request *r, const char *bytes, size_t length)
{
    body_add(&r->body, bytes, length);
    return r->body.seen > patience_bytes(r) ? MHD_NO : MHD_YES;
}

enum MHD_Result request_handle(void *desk, struct MHD_Connection *c, const char *path, const char *method,
                               const char *version, const char *bytes, size_t *length, void **state)
{
    struct request *r = *state;
    enum MHD_Result result;

    if (!r) {
        *state = r = request_new(desk);
        watched_headers(watched_of(c));
        return first_look(r, c, path, method, version);
    }
    if (*length == 0) {
        watched_whole(watched_of(c));
        return answer(r, c);
    }
    watched_body(watched_of(c), (int64_t)*length);
    result = more_body(r, bytes, *length);
    *length = 0;
    return result;
}

void request_completed(void *desk, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
    struct request *r = *state;

    (void)why;
    watched_answered(watched_of(c));
    if (!r)
        return;
    body_release(&r->body);
    door_wait_release(&r->wait);
    door_stream_release(&r->stream);
    buf_release(&r->reply);
    free(r);
    *state = NULL;
    desk_leave(desk);
}
