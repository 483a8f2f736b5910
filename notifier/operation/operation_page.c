#include "notifier/operation/operation_page.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "notifier/operation/operations.h"

enum { OK = 200, NOT_FOUND = 404, UNAVAILABLE = 503 };

struct operation_page {
    pthread_mutex_t mutex; /* of the link: answers take less time than a link of each would */
    struct redis *redis;
};

struct operation_page *operation_page_new(const struct settings *s)
{
    struct operation_page *p = xcalloc(1, sizeof *p);

    pthread_mutex_init(&p->mutex, NULL);
    p->redis = settings_redis(s);
    return p;
}

void operation_page_free(struct operation_page *p)
{
    if (!p)
        return;
    redis_free(p->redis);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

unsigned operation_page_answer(void *page, const struct page_request *request, struct buf *body)
{
    struct operation_page *p = page;
    enum operation_fate fate;
    struct error err;
    bool ok;

    pthread_mutex_lock(&p->mutex);
    ok = operation_show(p->redis, request->rest, request->caller, &fate, body, &err);
    pthread_mutex_unlock(&p->mutex);
    if (!ok)
        return page_refuse(body, UNAVAILABLE, "%s", err.text);
    if (fate == OPERATION_UNKNOWN)
        return page_refuse(body, NOT_FOUND, "no such operation is known, or not any more");
    return OK;
}
