#include "handlers/repair/pages.h"

#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "indexer/search.h"

enum { PAGE = 1000, PATIENCE_MS = 120000, PAUSE_MS = 1000 };

bool pages_next(struct search *search, struct clock_run *run, const json_t **hits, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!search_next(search, hits, err)) {
        if (err->kind != ERROR_AGAIN || clock_monotonic_ms() > until_ms || !run->may_go_on(run, err))
            return false;
        nanosleep(&(struct timespec){.tv_sec = PAUSE_MS / 1000}, NULL);
    }
    return true;
}

static bool fetch_alone(struct client *c, const json_t *hit, json_t *page, struct error *err)
{
    const json_t *const one[] = {hit};
    json_t *docs;
    bool ok = search_get(c, one, 1, &docs, err);

    if (!ok)
        return error_in(err, "document %s of %s cannot be read", json_member_text(hit, "_id", ""),
                        json_member_text(hit, "_index", ""));
    if (json_is_true(json_object_get(json_array_get(docs, 0), "found")))
        json_array_append(page, json_array_get(docs, 0));
    json_decref(docs);
    return true;
}

/* A page that was too much for one reply came without documents: each is fetched alone. */
static bool visit_one_by_one(struct client *c, const json_t *hits, page_visit *visit, void *context, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < json_array_size(hits); i++) {
        json_t *page = json_array();

        ok = fetch_alone(c, json_array_get(hits, i), page, err) &&
             (json_array_size(page) == 0 || visit(page, context, err));
        json_decref(page);
    }
    return ok;
}

static bool visit_page(struct client *c, const json_t *hits, page_visit *visit, void *context, struct error *err)
{
    return json_object_get(json_array_get(hits, 0), "_source") ? visit(hits, context, err)
                                                               : visit_one_by_one(c, hits, visit, context, err);
}

bool pages_each(struct client *c, const char *index, const json_t *query, struct clock_run *run, page_visit *visit,
                void *context, struct error *err)
{
    struct search *search = search_open(c, index, query, PAGE);
    const json_t *hits = NULL;
    bool ok;

    do {
        ok = run->may_go_on(run, err) && pages_next(search, run, &hits, err) &&
             (!hits || visit_page(c, hits, visit, context, err));
        if (ok && hits)
            run->did(run, (int64_t)json_array_size(hits));
    } while (ok && hits);
    search_close(search);
    return ok;
}
