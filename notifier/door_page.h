/*
 * notifier/door_page.h - a page of the door that others give: how it is asked, who may ask, what it answers.
 */
#ifndef NOTIFIER_DOOR_PAGE_H
#define NOTIFIER_DOOR_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "notifier/access/access.h"

/* A member of the query (?name=value), decoded. */
struct page_argument {
    const char *name, *value;
};

enum { PAGE_ARGUMENTS_MOST = 32 };

/* What is asked; all of it lent until the answer is made. */
struct page_request {
    const char *method; /* one of the page's; HEAD comes as GET */
    const char *rest;   /* what follows the path of a page that ends in "/" */
    const struct page_argument *arguments;
    size_t argument_count;
    const char *bytes; /* the body */
    size_t length;
    const struct caller *caller;
};

/*
 * Fills body, returns the HTTP status.
 *
 * render answers GET, at once, from the door's threads. answer, given instead of it, may take its time: a few threads
 * beside the door's call it, and events pass by meanwhile. A body, which is JSON but where any_body says that it may be
 * whatever a browser or a mail program sends, has at most body_bytes.
 */
struct door_page {
    const char *path; /* one that ends in "/" stands for all that begin so and go on */
    const char *content_type;
    const char *methods; /* of answer: "GET", "GET, POST, DELETE" ...; NULL: POST */
    enum scope scope;    /* that a caller must have; SCOPE_NONE: anybody may */
    unsigned (*render)(void *context, struct buf *body);
    unsigned (*answer)(void *context, const struct page_request *request, struct buf *body);
    void *context;
    int64_t body_bytes;
    bool any_body;
};

/* The first of that name; NULL: not given. */
const char *page_argument(const struct page_request *r, const char *name);

/* Makes body {"error": text}; returns status. */
unsigned page_refuse(struct buf *body, unsigned status, const char *format, ...) printf_like(3, 4);

/*
 * What went wrong on the page of that name: 503 for what time helps, whose words are a server's and so the operator's:
 * they go to the log; else 400 with the words.
 */
unsigned page_refuse_error(struct buf *body, const char *page, const struct error *err);

#endif
