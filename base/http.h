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
};

struct http_request {
    const char *method, *url;
    const char *content_type; /* NULL: application/json */
    const char *body;         /* NULL: none; lent until the reply is there */
    size_t length;
};

struct http_reply {
    long status;          /* 0: no reply came */
    struct buf body;      /* empty before the request; keeps its memory between requests */
    long retry_after_s;   /* from Retry-After; -1: not given */
    bool may_have_effect; /* where no whole reply came: the request may have been carried out all the same */
    bool too_long;        /* likewise: it went on beyond HTTP_REPLY_BYTES_MOST */
};

#define HTTP_REPLY_INIT                                                                                                \
    {                                                                                                                  \
        0, BUF_INIT, -1, false, false                                                                                  \
    }

enum { HTTP_REPLY_BYTES_MOST = 64 * 1024 * 1024 };

struct http;

void http_global_init(void); /* once, before the first thread */
struct http *http_new(const struct http_options *o);
void http_free(struct http *h);

/* True: a whole reply is there, whatever its status. False: ERROR_AGAIN, with libcurl's word and the address. */
bool http_send(struct http *h, const struct http_request *request, struct http_reply *reply,
               struct error *err) must_check;

/* Percent-encodes one path segment (RFC 3986 §2.1): everything but unreserved characters. */
void http_add_segment(struct buf *out, const char *text, size_t length);

#endif
