#include "notifier/door_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/text.h"
#include "notifier/door_body.h"

enum { CE_HEADERS_MOST = 64 };

struct request {
    struct desk *desk;
    struct body body;
    struct buf reply;
    const struct door_page *page; /* NULL: POST /events, or a refusal */
    struct errand errand;         /* of a page that takes its time */
    enum event_form form;
    const char *content_type, *content_encoding, *transfer_encoding, *content_length, *idempotency_key;
    struct header headers[CE_HEADERS_MOST + 1]; /* ce- headers, and Content-Type as the last */
    size_t header_count;
    bool is_binary, headers_doubtful, too_many_headers, too_late;
    unsigned refusal; /* an HTTP status known before the body; 0: none */
    const char *reason, *allow;
};

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
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, "Retry-After", "1");
    if (last)
        MHD_add_response_header(response, "Connection", "close");
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

static void refuse(struct request *r, unsigned status, const char *reason)
{
    if (r->refusal)
        return;
    r->refusal = status;
    r->reason = reason;
}

static enum MHD_Result take_events(struct request *r, struct MHD_Connection *c)
{
    struct events_request events = {.form = r->form,
                                    .headers = r->headers,
                                    .header_count = r->header_count,
                                    .idempotency_key = r->idempotency_key,
                                    .body = r->body.bytes.data,
                                    .length = r->body.bytes.length};
    struct intake *in = desk_borrow(r->desk);
    unsigned status = events_take(&r->desk->events, in, &events, &r->reply);

    desk_return(r->desk, in);
    return send_reply(r, c, status, "application/json", false);
}

/* Comes by twice: with the whole body, and when its answer is made. */
static enum MHD_Result run_errand(struct request *r, struct MHD_Connection *c)
{
    if (r->errand.status)
        return send_reply(r, c, r->errand.status, r->page->content_type, false);
    r->errand = (struct errand){.page = r->page,
                                .bytes = r->body.bytes.data,
                                .length = r->body.bytes.length,
                                .reply = &r->reply,
                                .connection = c};
    if (errands_give(r->desk->errands, &r->errand))
        return MHD_YES;
    refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too much is asked for at a time");
    return send_refusal(r, c, false);
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
        refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is longer than it may be");
        break;
    case BODY_BROKEN:
        refuse(r, MHD_HTTP_BAD_REQUEST, "the body is not gzip, or it is cut short");
        break;
    case BODY_NO_ROOM:
        refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too many large bodies are under way");
        break;
    }
    if (r->refusal)
        return send_refusal(r, c, false);
    return r->page ? run_errand(r, c) : take_events(r, c);
}

/* --------------------------------------------------------------------------------------- a request's first look */

static void note_once(struct request *r, const char **place, const char *value)
{
    r->headers_doubtful = r->headers_doubtful || *place;
    *place = value;
}

static void note_ce_header(struct request *r, const char *name, const char *value)
{
    r->is_binary = r->is_binary || strcasecmp(name, "ce-specversion") == 0;
    if (r->header_count == CE_HEADERS_MOST)
        r->too_many_headers = true;
    else
        r->headers[r->header_count++] = (struct header){name, value};
}

static enum MHD_Result note_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct request *r = context;

    (void)kind;
    if (!value)
        value = "";
    if (strncasecmp(name, "ce-", 3) == 0)
        note_ce_header(r, name, value);
    else if (strcasecmp(name, "content-type") == 0)
        note_once(r, &r->content_type, value);
    else if (strcasecmp(name, "content-encoding") == 0)
        note_once(r, &r->content_encoding, value);
    else if (strcasecmp(name, "content-length") == 0)
        note_once(r, &r->content_length, value);
    else if (strcasecmp(name, "transfer-encoding") == 0)
        note_once(r, &r->transfer_encoding, value);
    else if (strcasecmp(name, "idempotency-key") == 0)
        note_once(r, &r->idempotency_key, value);
    return MHD_YES;
}

static const struct door_page *find_page(const struct desk *d, const char *path)
{
    for (const struct door_page *p = d->pages; p && p->path; p++)
        if (strcmp(p->path, path) == 0)
            return p;
    return NULL;
}

static void check_encoding(struct request *r)
{
    if (r->content_encoding && strcasecmp(r->content_encoding, "gzip") != 0 &&
        strcasecmp(r->content_encoding, "identity") != 0)
        refuse(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Encoding must be gzip or none");
}

/* "application/json", with or without parameters. */
static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";

    return content_type && strncasecmp(content_type, json, sizeof json - 1) == 0 &&
           strchr("; \t", content_type[sizeof json - 1]);
}

static void check_page(struct request *r, const char *method)
{
    if (r->page->answer && strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
        r->allow = "POST";
        refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "this page is asked by POST");
    } else if (r->page->answer) {
        if (!is_json(r->content_type))
            refuse(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json");
        check_encoding(r);
    } else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        r->allow = "GET, HEAD";
        refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "this page is only to be read");
    }
}

static void check_events_headers(struct request *r)
{
    if (r->too_many_headers)
        refuse(r, MHD_HTTP_BAD_REQUEST, "too many ce- headers");
    r->form = events_form(r->content_type, r->is_binary);
    if (r->form == FORM_UNKNOWN)
        refuse(
            r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
            "Content-Type must be application/cloudevents+json, application/cloudevents-batch+json, application/json "
            "or application/x-ndjson, or JSON with ce- headers");
    check_encoding(r);
    if (r->is_binary && r->content_type)
        r->headers[r->header_count++] = (struct header){"Content-Type", r->content_type};
}

/*
 * What another program on the way may have read differently ends the connection: two lengths, a length beside chunks,
 * an encoding of the transfer other than chunks.
 */
static void check_framing(struct request *r)
{
    if (r->headers_doubtful || (r->transfer_encoding && r->content_length) ||
        (r->transfer_encoding && strcasecmp(r->transfer_encoding, "chunked") != 0)) {
        r->headers_doubtful = true;
        refuse(r, MHD_HTTP_BAD_REQUEST, "the headers contradict each other");
    }
}

static void check_route(struct request *r, const char *path, const char *method)
{
    bool events = strcmp(path, "/events") == 0;

    r->page = events ? NULL : find_page(r->desk, path);
    if (!events && !r->page) {
        refuse(r, MHD_HTTP_NOT_FOUND, "nothing is here; events go to POST /events");
    } else if (events && strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
        r->allow = "POST";
        refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "events are sent by POST");
    } else if (r->page) {
        check_page(r, method);
    } else if (events) {
        check_events_headers(r);
    }
}

static struct request *request_new(struct desk *d)
{
    struct request *r = xcalloc(1, sizeof *r);

    r->desk = d;
    buf_init(&r->reply);
    r->too_late = !desk_enter(d);
    if (r->too_late)
        refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the service is about to stop");
    return r;
}

static int64_t bytes_most(const struct request *r)
{
    return r->page && r->page->answer ? r->page->body_bytes : r->desk->settings->http.batch_bytes;
}

/* Only what needs no body is answered here: libmicrohttpd closes a connection that is answered before its body. */
static enum MHD_Result first_look(struct request *r, struct MHD_Connection *c, const char *path, const char *method)
{
    int64_t most, length = 0;
    bool gzip;

    MHD_get_connection_values(c, MHD_HEADER_KIND, note_header, r);
    check_framing(r);
    check_route(r, path, method);
    most = bytes_most(r);
    gzip = !r->refusal && r->content_encoding && strcasecmp(r->content_encoding, "gzip") == 0;
    body_start(&r->body, gzip, r->refusal ? 0 : most, &r->desk->room);
    if (r->content_length && (!text_int(r->content_length, strlen(r->content_length), &length) || length > most)) {
        refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is longer than it may be");
        return send_refusal(r, c, true);
    }
    return r->headers_doubtful || r->too_late ? send_refusal(r, c, true) : MHD_YES;
}

/* A sender that goes on and on after the limit is cut off. */
static enum MHD_Result more_body(struct request *r, const char *bytes, size_t length)
{
    body_add(&r->body, bytes, length);
    return r->body.seen > 2 * bytes_most(r) ? MHD_NO : MHD_YES;
}

enum MHD_Result request_handle(void *desk, struct MHD_Connection *c, const char *path, const char *method,
                               const char *version, const char *bytes, size_t *length, void **state)
{
    struct request *r = *state;
    enum MHD_Result result;

    (void)version;
    if (!r) {
        *state = r = request_new(desk);
        return first_look(r, c, path, method);
    }
    if (*length == 0)
        return answer(r, c);
    result = more_body(r, bytes, *length);
    *length = 0;
    return result;
}

void request_completed(void *desk, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
    struct request *r = *state;

    (void)c;
    (void)why;
    if (!r)
        return;
    body_release(&r->body);
    buf_release(&r->reply);
    free(r);
    *state = NULL;
    desk_leave(desk);
}
