/*
 * notifier/door_look.h - one HTTP request at the door, and the first look at it: what its headers and its query say,
 * where it goes, and whether it may. Only door_request.c looks inside.
 */
#ifndef NOTIFIER_DOOR_LOOK_H
#define NOTIFIER_DOOR_LOOK_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "notifier/door_body.h"
#include "notifier/door_desk.h"
#include "notifier/door_stream.h"
#include "notifier/door_wait.h"

enum { CE_HEADERS_MOST = 64 };

struct request {
    struct desk *desk;
    struct body body;
    struct buf reply;
    const struct door_page *page; /* NULL: POST /events, or a refusal */
    struct errand errand;         /* of a page that takes its time */
    struct page_request asked;    /* likewise */
    struct door_stream stream;
    struct error wait_error;
    struct door_wait wait; /* of POST /events, where it waits for what becomes of them */
    struct page_argument arguments[PAGE_ARGUMENTS_MOST];
    struct caller caller;
    struct signature_claim claim;
    enum event_form form;
    const char *content_type, *content_encoding, *content_length, *idempotency_key, *authorization, *host, *origin;
    struct header headers[CE_HEADERS_MOST + 1]; /* ce- headers, and Content-Type as the last */
    size_t header_count;
    bool is_binary, headers_doubtful, too_many_headers, too_many_arguments, too_late, preflight, asks_first, cross_site;
    unsigned refusal; /* an HTTP status known before the body; 0: none */
    const char *reason, *allow;
};

/* The first refusal stands. reason: lent as long as the request. */
void request_refuse(struct request *r, unsigned status, const char *reason);

/* Before the body. What is wrong becomes a refusal; libmicrohttpd lends the headers as long as the request. */
void request_look(struct request *r, struct MHD_Connection *c, const char *path, const char *method,
                  const char *version);

#endif
