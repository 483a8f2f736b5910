#include "handlers/aggregate/composite.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/http.h"

/* jansson counts references even of what is only lent. */
static json_t *shared(const json_t *value)
{
    return json_incref((json_t *)(uintptr_t)value);
}

json_t *composite_terms(const char *name, const char *field, bool with_missing)
{
    json_t *terms = json_pack("{s:s}", "field", field);

    if (with_missing)
        json_object_set_new(terms, "missing_bucket", json_true());
    return json_pack("{s:{s:o}}", name, "terms", terms);
}

bool search_once(struct client *c, const char *index, json_t *body, bool may_be_missing, json_t **answer,
                 struct error *err)
{
    struct buf path = BUF_INIT;
    bool missing = false, ok;

    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(&path, index, strlen(index));
    buf_add_text(&path, "/_search?allow_partial_search_results=false&request_cache=false");
    ok = client_json(c, "POST", path.data, body, answer, may_be_missing ? &missing : NULL, err) ||
         error_in(err, "search in %s", index);
    json_decref(body);
    buf_release(&path);
    return ok;
}

static json_t *page_body(const struct composite *what, const json_t *after)
{
    json_t *composite = json_pack("{s:I, s:o}", "size", (json_int_t)what->size, "sources", shared(what->sources));
    json_t *pages = json_pack("{s:o}", "composite", composite);

    if (after)
        json_object_set_new(composite, "after", shared(after));
    if (what->aggregations)
        json_object_set_new(pages, "aggs", shared(what->aggregations));
    return json_pack("{s:i, s:b, s:o, s:{s:o}}", "size", 0, "track_total_hits", 0, "query", shared(what->query), "aggs",
                     "pages", pages);
}

bool composite_each(struct client *c, const struct composite *what, composite_visit visit, void *context,
                    struct error *err)
{
    json_t *after = NULL;
    bool ok = true, more = true;

    while (ok && more) {
        const json_t *pages, *buckets;
        json_t *answer = NULL;

        ok = search_once(c, what->index, page_body(what, after), what->may_be_missing, &answer, err);
        if (!ok || !answer)
            break;
        pages = json_object_get(json_object_get(answer, "aggregations"), "pages");
        buckets = json_object_get(pages, "buckets");
        ok = json_is_array(buckets) || error_set(err, ERROR_AGAIN, "OpenSearch answers a search without buckets");
        ok = ok && (json_array_size(buckets) == 0 || visit(context, buckets, err));
        json_decref(after);
        after = ok ? json_incref(json_object_get(pages, "after_key")) : NULL;
        more = after && json_array_size(buckets) == what->size;
        json_decref(answer);
    }
    json_decref(after);
    return ok;
}
