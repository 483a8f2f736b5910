#include "handlers/audit/audit_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "handlers/audit/audit_reading.h"
#include "handlers/audit/audit_search.h"
#include "handlers/query/timeline.h"
#include "notifier/door_page.h"

enum { PATIENCE_MS = 15000 /* a person waits for the page */ };

struct audit_page {
    const struct settings *settings;
    struct opensearch_settings opensearch; /* with less patience than the handlers have */
    struct audit_trail trail;
};

struct audit_page *audit_page_new(const struct settings *s)
{
    struct audit_page *p = xcalloc(1, sizeof *p);
    struct error err;

    p->settings = s;
    p->opensearch = s->opensearch;
    if (p->opensearch.timeout_ms > PATIENCE_MS)
        p->opensearch.timeout_ms = PATIENCE_MS;
    if (audit_trail_find(s, NULL, &p->trail, &err)) {
        p->trail.page_bytes = TIMELINE_PAGE_BYTES;
        return p;
    }
    free(p);
    return NULL;
}

void audit_page_free(struct audit_page *p)
{
    if (!p)
        return;
    audit_trail_release(&p->trail);
    free(p);
}

static bool read_request(const struct page_request *r, struct audit_filter *f, size_t *limit, struct error *err)
{
    static const char *const known[] = {"actor", "action", "resource", "outcome", "from", "to", "limit", "after", NULL};

    *f = (struct audit_filter){.actor = page_argument(r, "actor"),
                               .action = page_argument(r, "action"),
                               .resource = page_argument(r, "resource"),
                               .outcome = page_argument(r, "outcome")};
    return timeline_arguments_check(r, known, err) && timeline_limit(r, limit, err) &&
           time_range_between(page_argument(r, "from"), page_argument(r, "to"), &f->range, err) &&
           audit_filter_check(f, err);
}

struct view {
    const struct audit_page *page;
    const struct caller *caller;
};

static bool may_see(const void *context, const json_t *entry)
{
    const struct view *v = context;
    struct buf type = BUF_INIT;
    bool may;

    audit_entry_say(&v->page->trail, entry, "type", &type);
    may = caller_may_see(v->caller, (struct span){type.data, type.length});
    buf_release(&type);
    return may;
}

static unsigned refuse(struct buf *body, const struct error *err)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    if (err->kind == ERROR_INPUT)
        return page_refuse(body, 400, "%s", err->text);
    log_limited(&limit, LOG_LEVEL_WARN, "GET /audit: %s", err->text);
    return page_refuse(body, 503, "the audit log cannot be read now");
}

/* Each page is one reading: who goes on from a place may have made it up. */
static struct deed *begin_reading(const struct audit_page *p, struct redis *r, const struct caller *caller,
                                  const struct audit_filter *f, struct error *err)
{
    struct buf actor = BUF_INIT;
    struct deed *d;

    buf_printf(&actor, *caller->id ? "tokens/%s" : "services/door", caller->id);
    d = audit_reading_begin(p->settings, r, &p->trail, f, actor.data, err);
    buf_release(&actor);
    return d;
}

static bool read_page(const struct audit_page *p, const struct page_request *request, const struct audit_filter *f,
                      size_t limit, struct buf *body, struct error *err)
{
    const char *place = page_argument(request, "after");
    struct client *c = client_new(&p->opensearch);
    struct buf after = BUF_INIT;
    json_t *entries = NULL;
    bool ok;

    buf_add_text(&after, place ? place : "");
    ok = audit_search_page(c, &p->trail, f, limit, &after, &entries, err);
    if (ok)
        timeline_answer("entries", entries, &after, may_see, &(struct view){p, request->caller}, body);
    client_free(c);
    json_decref(entries);
    buf_release(&after);
    return ok;
}

unsigned audit_page_answer(void *audit_page, const struct page_request *request, struct buf *body)
{
    const struct audit_page *p = audit_page;
    struct audit_filter filter;
    struct error err = ERROR_INIT;
    struct redis *r;
    struct deed *d;
    size_t limit;
    bool ok;

    if (!read_request(request, &filter, &limit, &err))
        return refuse(body, &err);
    r = settings_redis(p->settings);
    d = begin_reading(p, r, request->caller, &filter, &err);
    ok = d && deed_settle(d, r, read_page(p, request, &filter, limit, body, &err), &err);
    redis_free(r);
    return ok ? 200 : refuse(body, &err);
}
