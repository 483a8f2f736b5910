/* handlers/webhook/webhook_visit.h - one request for a page about webhooks; for the files webhook_pages*.c. */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_VISIT_H
#define HANDLERS_WEBHOOK_WEBHOOK_VISIT_H

#include <pthread.h>

#include "handlers/webhook/webhook_named.h"
#include "handlers/webhook/webhook_pages.h"
#include "notifier/page_links.h"

struct webhook_pages {
    const struct settings *settings;
    struct page_links *links;
    pthread_mutex_t mutex;
    int long_visits; /* that ask others than Redis; under the mutex */
};

struct webhook_visit {
    struct webhook_pages *pages;
    const struct page_request *request;
    struct redis *redis;
    struct arena *arena;
    struct buf *body;
    struct webhook_named named; /* the one that is asked for; name NULL: all of them */
    const char *id;             /* of the delivery that is asked for; "": none */
    struct deed *deed;          /* between its beginning and its end */
    struct error err;
};

unsigned webhook_visit_refuse(struct webhook_visit *v); /* by v->err */

/* Whether the caller may see and change it. */
bool webhook_visit_may(const struct webhook_visit *v, const struct webhook_named *n);

/* What is answered: an HTTP status, and the body. webhook_pages_show.c: */
unsigned webhook_page_list(struct webhook_visit *v);
unsigned webhook_page_show(struct webhook_visit *v);
unsigned webhook_page_attempts(struct webhook_visit *v);
unsigned webhook_page_tested(struct webhook_visit *v, const struct webhook_answer *answer);

/* webhook_pages_change.c: */
unsigned webhook_page_add(struct webhook_visit *v);
unsigned webhook_page_remove(struct webhook_visit *v);
unsigned webhook_page_rotate(struct webhook_visit *v);
unsigned webhook_page_pause(struct webhook_visit *v);
unsigned webhook_page_resume(struct webhook_visit *v);
unsigned webhook_page_test(struct webhook_visit *v);
unsigned webhook_page_resend(struct webhook_visit *v);

#endif
