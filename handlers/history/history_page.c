#include "handlers/history/history_page.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "handlers/history/history_search.h"
#include "notifier/door_page.h"

enum { PATIENCE_MS = 15000 /* a person waits for the page */ };

struct history_pages {
    struct opensearch_settings opensearch; /* with less patience than the handlers have */
    struct history_place place;
};

struct history_pages *history_pages_new(const struct settings *s)
{
    struct history_pages *p = xcalloc(1, sizeof *p);
    struct error err;

    p->opensearch = s->opensearch;
    if (p->opensearch.timeout_ms > PATIENCE_MS)
        p->opensearch.timeout_ms = PATIENCE_MS;
    if (history_find(s, NULL, &p->place, &err)) {
        p->place.page_bytes = TIMELINE_PAGE_BYTES;
        return p;
    }
    history_pages_free(p);
    return NULL;
}

void history_pages_free(struct history_pages *p)
{
    if (!p)
        return;
    history_place_release(&p->place);
    free(p);
}

static bool read_request(const struct page_request *r, struct history_filter *f, size_t *limit, struct error *err)
{
    static const char *const known[] = {"id",   "subject", "type",  "actor", "operation",
                                        "from", "to",      "limit", "after", NULL};

    *f = (struct history_filter){.id = page_argument(r, "id"),
                                 .subject = page_argument(r, "subject"),
                                 .actor = page_argument(r, "actor"),
                                 .type = page_argument(r, "type"),
                                 .operation = page_argument(r, "operation"),
                                 .also_type = r->caller->events};
    return timeline_arguments_check(r, known, err) && timeline_limit(r, limit, err) &&
           time_range_between(page_argument(r, "from"), page_argument(r, "to"), &f->range, err) &&
           history_filter_check(f, err);
}

/* The query asked for nothing else; this is the word that counts. */
static bool may_see(const void *caller, const json_t *event)
{
    return caller_may_see(caller, span_of(json_member_text(event, "type", "")));
}

static unsigned refuse(struct buf *body, const struct error *err)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    if (err->kind == ERROR_INPUT)
        return page_refuse(body, 400, "%s", err->text);
    log_limited(&limit, LOG_LEVEL_WARN, "GET /history: %s", err->text);
    return page_refuse(body, 503, "the history cannot be read now");
}

unsigned history_pages_answer(void *history_pages, const struct page_request *request, struct buf *body)
{
    const struct history_pages *p = history_pages;
    const char *place = page_argument(request, "after");
    struct buf after = BUF_INIT;
    struct history_filter filter;
    struct error err = ERROR_INIT;
    json_t *events = NULL;
    struct client *c;
    unsigned status = 200;
    size_t limit;

    if (!read_request(request, &filter, &limit, &err))
        return refuse(body, &err);
    buf_add_text(&after, place ? place : "");
    c = client_new(&p->opensearch);
    if (history_page(c, &p->place, &filter, limit, &after, &events, &err))
        timeline_answer("events", events, &after, may_see, request->caller, body);
    else
        status = refuse(body, &err);
    client_free(c);
    json_decref(events);
    buf_release(&after);
    return status;
}
