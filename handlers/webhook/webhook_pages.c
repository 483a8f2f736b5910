#include "handlers/webhook/webhook_pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers/webhook.h"
#include "handlers/webhook/webhook_visit.h"

enum { LINKS_MOST = 3 /* also for those that are long under way: a thread of the door's is left */ };

struct webhook_pages *webhook_pages_new(const struct settings *s)
{
    struct webhook_pages *p;

    if (!handler_first(s, &webhook_handler))
        return NULL;
    p = xcalloc(1, sizeof *p);
    p->settings = s;
    p->links = page_links_new(s, LINKS_MOST);
    pthread_mutex_init(&p->mutex, NULL);
    return p;
}

void webhook_pages_free(struct webhook_pages *p)
{
    if (!p)
        return;
    page_links_free(p->links);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

unsigned webhook_visit_refuse(struct webhook_visit *v)
{
    return page_refuse_error(v->body, "/webhooks", &v->err);
}

bool webhook_visit_may(const struct webhook_visit *v, const struct webhook_named *n)
{
    const struct caller *c = v->request->caller;

    return c->scopes & SCOPE_ADMIN ||
           (n->subscription && *n->subscription->owner_id && strcmp(n->subscription->owner_id, c->id) == 0);
}

/* -------------------------------------------------------------------------------------------------------- routes */

/* /webhooks/NAME/WHAT/ID */
static const struct route {
    const char *method, *what; /* "" for nothing; NULL: about all of them */
    unsigned (*answer)(struct webhook_visit *v);
    bool has_id; /* that of a delivery follows */
} routes[] = {
    {"GET",    NULL,       webhook_page_list,     false},
    {"POST",   NULL,       webhook_page_add,      false},
    {"GET",    "",         webhook_page_show,     false},
    {"DELETE", "",         webhook_page_remove,   false},
    {"GET",    "attempts", webhook_page_attempts, false},
    {"POST",   "test",     webhook_page_test,     false},
    {"POST",   "pause",    webhook_page_pause,    false},
    {"POST",   "resume",   webhook_page_resume,   false},
    {"POST",   "rotate",   webhook_page_rotate,   false},
    {"POST",   "resend",   webhook_page_resend,   true },
};

/* Another's is not there, either: nobody learns which there are. */
static unsigned answer_one(struct webhook_visit *v, const struct route *route, const char *name)
{
    if (!webhook_named_find(v->pages->settings, v->redis, name, v->arena, &v->named, &v->err))
        return webhook_visit_refuse(v);
    if (!v->named.name || !webhook_visit_may(v, &v->named))
        return page_refuse(v->body, 404, "there is no such subscription");
    return route->answer(v);
}

/* The next part of a path, and what follows it. */
static const char *next_part(struct webhook_visit *v, const char **rest)
{
    size_t length = strcspn(*rest, "/");
    const char *part = arena_copy(v->arena, *rest, length);

    *rest += length + ((*rest)[length] == '/');
    return part;
}

static unsigned answer(struct webhook_visit *v)
{
    const char *rest = v->request->rest ? v->request->rest : "";
    bool all = *rest == '\0';
    const char *name = next_part(v, &rest), *what = next_part(v, &rest);

    v->id = rest;
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        const struct route *route = &routes[i];

        if (strcmp(v->request->method, route->method) != 0 || all != !route->what)
            continue;
        if (all)
            return route->answer(v);
        if (strcmp(what, route->what) == 0 && route->has_id == (*v->id != '\0'))
            return answer_one(v, route, name);
    }
    return page_refuse(v->body, 404, "there is no such page");
}

unsigned webhook_pages_answer(void *context, const struct page_request *request, struct buf *body)
{
    struct webhook_pages *p = context;
    struct webhook_visit v = {.pages = p, .request = request, .arena = arena_new(), .body = body, .err = ERROR_INIT};
    unsigned status;

    v.redis = page_links_take(p->links, &v.err);
    status = v.redis ? answer(&v) : webhook_visit_refuse(&v);
    if (v.redis)
        page_links_give_back(p->links, v.redis);
    arena_free(v.arena);
    return status;
}
