#include "notifier/door_look.h"

#include <string.h>
#include <strings.h>

#include "notifier/door_head.h"
#include "notifier/door_origin.h"
#include "notifier/door_peer.h"

void request_refuse(struct request *r, unsigned status, const char *reason)
{
    if (r->refusal)
        return;
    r->refusal = status;
    r->reason = reason;
}

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
    else if (strcasecmp(name, "expect") == 0)
        r->asks_first = true;
    else if (strcasecmp(name, "idempotency-key") == 0)
        note_once(r, &r->idempotency_key, value);
    else if (strcasecmp(name, "authorization") == 0)
        note_once(r, &r->authorization, value);
    else if (strcasecmp(name, "host") == 0)
        note_once(r, &r->host, value);
    else if (strcasecmp(name, "sec-fetch-site") == 0)
        r->cross_site = r->cross_site || strcasecmp(value, "cross-site") == 0;
    else if (strcasecmp(name, "origin") == 0)
        note_once(r, &r->origin, value);
    else if (strcasecmp(name, "last-event-id") == 0)
        note_once(r, &r->stream.last_event_id, value);
    else if (strcasecmp(name, "webhook-id") == 0)
        note_once(r, &r->claim.id, value);
    else if (strcasecmp(name, "webhook-timestamp") == 0)
        note_once(r, &r->claim.timestamp, value);
    else if (strcasecmp(name, "webhook-signature") == 0)
        note_once(r, &r->claim.signatures, value);
    return MHD_YES;
}

static enum MHD_Result note_argument(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct request *r = context;

    (void)kind;
    if (r->asked.argument_count == PAGE_ARGUMENTS_MOST)
        r->too_many_arguments = true;
    else
        r->arguments[r->asked.argument_count++] = (struct page_argument){name, value ? value : ""};
    return MHD_YES;
}

/* Whether the path is the page's; rest: what follows it, where the page stands for more than itself. */
static bool is_page(const struct door_page *p, const char *path, const char **rest)
{
    size_t length = strlen(p->path);
    bool stands_for_more = p->path[length - 1] == '/';

    *rest = path + (strlen(path) < length ? strlen(path) : length);
    return stands_for_more ? strncmp(p->path, path, length) == 0 && **rest : strcmp(p->path, path) == 0;
}

static const struct door_page *find_page(struct request *r, const char *path)
{
    for (const struct door_page *p = r->desk->pages; p && p->path; p++)
        if (is_page(p, path, &r->asked.rest))
            return p;
    return NULL;
}

static void check_encoding(struct request *r)
{
    if (r->content_encoding && strcasecmp(r->content_encoding, "gzip") != 0 &&
        strcasecmp(r->content_encoding, "identity") != 0)
        request_refuse(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Encoding must be gzip or none");
}

/* "application/json", with or without parameters. */
static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";

    return content_type && strncasecmp(content_type, json, sizeof json - 1) == 0 &&
           strchr("; \t", content_type[sizeof json - 1]);
}

/* Whether a list as "GET, POST" has the method; HEAD is a GET without the body of its answer. */
static bool has_method(const char *methods, const char *method)
{
    size_t length = strlen(method);

    for (const char *at = methods; *at; at += strcspn(at, ", "), at += strspn(at, ", "))
        if (strncmp(at, method, length) == 0 && strchr(", ", at[length]))
            return true;
    return false;
}

static void check_answer(struct request *r, const char *method)
{
    const char *methods = r->page->methods ? r->page->methods : "POST";
    bool head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    bool body = strcmp(method, MHD_HTTP_METHOD_POST) == 0 || strcmp(method, MHD_HTTP_METHOD_PUT) == 0;

    r->asked.method = head ? MHD_HTTP_METHOD_GET : method;
    if (!has_method(methods, r->asked.method)) {
        r->allow = methods;
        request_refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "this page is not asked by this method");
    }
    if (body && !r->page->any_body && !is_json(r->content_type))
        request_refuse(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json");
    if (r->too_many_arguments)
        request_refuse(r, MHD_HTTP_URI_TOO_LONG, "the query has too many members");
    check_encoding(r);
}

static void check_page(struct request *r, const char *method)
{
    if (r->page->answer) {
        check_answer(r, method);
    } else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        r->allow = "GET, HEAD";
        request_refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "this page is only to be read");
    }
}

static void check_events_headers(struct request *r)
{
    if (r->too_many_headers)
        request_refuse(r, MHD_HTTP_BAD_REQUEST, "too many ce- headers");
    r->form = events_form(r->content_type, r->is_binary);
    if (r->form == FORM_UNKNOWN)
        request_refuse(
            r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
            "Content-Type must be application/cloudevents+json, application/cloudevents-batch+json, application/json "
            "or application/x-ndjson, or JSON with ce- headers");
    check_encoding(r);
    if (!door_wait_read(&r->wait, page_argument(&r->asked, "wait"), &r->wait_error)) {
        request_refuse(r, MHD_HTTP_BAD_REQUEST, r->wait_error.text);
    }
    if (r->is_binary && r->content_type)
        r->headers[r->header_count++] = (struct header){"Content-Type", r->content_type};
}

/* Besides framing: a header that is given twice is one of two. */
static void check_head(struct request *r, struct MHD_Connection *c, const char *path, const char *version)
{
    const char *reason;

    r->headers_doubtful = !head_is_clear(c, path, version, &reason) || r->headers_doubtful;
    if (r->headers_doubtful)
        request_refuse(r, MHD_HTTP_BAD_REQUEST, reason ? reason : "the headers contradict each other");
}

static void check_stream(struct request *r, const char *method)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0) {
        r->allow = "GET";
        request_refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "a stream is only to be read");
    }
}

static void check_route(struct request *r, const char *path, const char *method)
{
    bool events = strcmp(path, "/events") == 0;

    if (strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0 && origin_is_allowed(r->desk->settings->http.origins, r->origin)) {
        r->preflight = true; /* a browser's own question, whether its page may ask */
        return;
    }
    if (r->desk->feed && door_stream_is(&r->stream, path)) {
        check_stream(r, method);
        return;
    }
    r->page = events ? NULL : find_page(r, path);
    if (!events && !r->page) {
        request_refuse(r, MHD_HTTP_NOT_FOUND, "nothing is here; events go to POST /events");
    } else if (events && strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
        r->allow = "POST";
        request_refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "events are sent by POST");
    } else if (r->page) {
        check_page(r, method);
    } else if (events) {
        check_events_headers(r);
    }
}

/* Before what may be wrong besides: who may not ask is not told how to. */
static void deny(struct request *r, unsigned status, const char *reason)
{
    r->refusal = status;
    r->reason = reason;
    r->allow = NULL;
}

static enum asked_from asked_from(const struct request *r, struct MHD_Connection *c)
{
    if (!peer_is_loopback(c))
        return FROM_ELSEWHERE;
    return host_is_of_this_machine(r->host) ? FROM_THIS_MACHINE : FROM_THIS_MACHINE_BY_A_NAME;
}

/*
 * A browser keeps the answer from a page that is not on the list, but what was asked for is done by then, and a stream
 * holds a listener's place. Sec-Fetch-Site counts where there is no Origin; there a link that somebody follows to look
 * at a page of the door says cross-site, too.
 */
static bool is_of_foreign_page(const struct request *r, const char *method)
{
    bool reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;

    if (r->origin)
        return !origin_is_allowed(r->desk->settings->http.origins, r->origin) && !origin_is_of_host(r->origin, r->host);
    return r->cross_site && (!reads || r->stream.asked);
}

/* A page that anybody may ask, as the link of a mail, is asked from other origins, and knows by itself whom it serves.
 */
static void check_access(struct request *r, struct MHD_Connection *c, const char *method)
{
    enum scope needed = r->page ? r->page->scope : r->stream.asked ? SCOPE_EVENTS_READ : SCOPE_EMIT;
    const char *reason = NULL;
    unsigned status;

    if (r->preflight || r->refusal == MHD_HTTP_NOT_FOUND || r->refusal == MHD_HTTP_BAD_REQUEST)
        return;
    status = access_check(r->desk->access, r->authorization, asked_from(r, c), needed, &r->caller, &reason);
    if (status)
        deny(r, status, reason);
    else if (needed != SCOPE_NONE && r->refusal != MHD_HTTP_METHOD_NOT_ALLOWED && is_of_foreign_page(r, method))
        deny(r, MHD_HTTP_FORBIDDEN,
             "web pages of this origin may not ask (Origin, Sec-Fetch-Site): [http] origins has those that may");
}

void request_look(struct request *r, struct MHD_Connection *c, const char *path, const char *method,
                  const char *version)
{
    MHD_get_connection_values(c, MHD_HEADER_KIND, note_header, r);
    check_head(r, c, path, version);
    MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, note_argument, r);
    r->asked.arguments = r->arguments;
    check_route(r, path, method);
    check_access(r, c, method);
}
