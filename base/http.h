/*
 * base/http.h - one keep-alive link to HTTP servers, over libcurl.
 *
 * Every request ends within its time limit. The reply says whether a failure came before or after the request's body
 * may have gone out, as only the first is known to be without effect. One thread at a time.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

struct http_options {
    const char *user, *password; /* NULL: none; basic authentication */
    const char *bearer;          /* a token instead; NULL: none */
    const char *ca_file;         /* NULL: the system's certificates */
    int connect_ms, timeout_ms;  /* to connect; the whole request */
    bool gzip;                   /* compress bodies of 1 KiB and more */
    size_t gzip_least;           /* of another size and more; 0: 1 KiB */
    size_t reply_most;           /* bytes of a reply's body; 0: HTTP_REPLY_BYTES_MOST, which is also the most */
};

struct http_header {
    const char *name, *value; /* without line ends */
};

struct http_request {
    const char *method, *url;
    const char *content_type; /* NULL: application/json */
    const char *body;         /* NULL: none; lent until the reply is there */
    size_t length;
    const char *accept;                /* what the reply may be; NULL: anything */
    const char *if_none_match;         /* an entity tag: 304 where the resource still has it; NULL: none */
    const struct http_header *headers; /* more of them, lent likewise */
    size_t header_count;
};

enum { HTTP_ETAG_BYTES = 128 };

struct http_reply {
    long status;                /* 0: no reply came */
    struct buf body;            /* empty before the request; keeps its memory between requests */
    long retry_after_s;         /* from Retry-After; -1: not given */
    bool may_have_effect;       /* where no whole reply came: the request may have been carried out all the same */
    bool too_long;              /* likewise: it went on beyond the most bytes of a reply */
    char etag[HTTP_ETAG_BYTES]; /* the entity tag with its quotes; "": none, or a longer one */
};

#define HTTP_REPLY_INIT                                                                                                \
    {                                                                                                                  \
        0, BUF_INIT, -1, false, false, ""                                                                              \
    }

enum { HTTP_REPLY_BYTES_MOST = 64 * 1024 * 1024 };

struct http;

void http_global_init(void); /* once, before the first thread */
struct http *http_new(const struct http_options *o);
void http_free(struct http *h);

/* From the next request on, as reply_most of its options. */
void http_reply_most(struct http *h, size_t bytes);

/* True: a whole reply is there, whatever its status. False: ERROR_AGAIN, with libcurl's word and the address. */
bool http_send(struct http *h, const struct http_request *request, struct http_reply *reply,
               struct error *err) must_check;

/* Percent-encodes one path segment (RFC 3986 §2.1): everything but unreserved characters. */
void http_add_segment(struct buf *out, const char *text, size_t length);

#endif
