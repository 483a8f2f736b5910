#include "handlers/replay/replay_history.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "indexer/indices.h"
#include "indexer/search.h"

enum { PAGE = 200 /* also of the longest events some 50 MB */ };

/* A place is the unique id (path) and the time in milliseconds (line), which is what the index sorts by. */
struct replay_history {
    struct client *client;
    struct search *search;
    const json_t *page; /* lent by the search; NULL: none is read yet */
    size_t next;        /* of the page */
    json_t *alone;      /* the document that came without its text, and was read by itself */
};

static json_t *query_of(const struct replay_options *o)
{
    struct history_filter filter = o->filter;

    filter.range = o->range;
    filter.type = o->types;
    filter.subject = o->subject;
    return history_query(&filter);
}

/* Later than the place, or as late with a greater id. */
static void add_after(json_t *query, const struct replay_position *after)
{
    json_int_t ms = after->line;
    json_t *later = json_pack("{s:{s:{s:I, s:s}}}", "range", "time", "gt", ms, "format", "epoch_millis");
    json_t *same = json_pack("{s:{s:[{s:{s:{s:I, s:I, s:s}}}, {s:{s:{s:s}}}]}}", "bool", "filter", "range", "time",
                             "gte", ms, "lte", ms, "format", "epoch_millis", "range", "crierunique", "gt", after->path);

    json_array_append_new(json_object_get(json_object_get(query, "bool"), "filter"),
                          json_pack("{s:{s:[o, o], s:i}}", "bool", "should", later, same, "minimum_should_match", 1));
}

struct replay_history *replay_history_open(const struct replay_options *o, const struct replay_position *after)
{
    struct replay_history *h = xcalloc(1, sizeof *h);
    json_t *query = query_of(o), *sort = json_pack("[s, s]", "time", "crierunique");

    if (*after->path)
        add_after(query, after);
    h->client = client_new(&o->settings->opensearch);
    h->search = search_open(h->client, o->history->pattern.data, query, PAGE);
    search_sort(h->search, sort);
    json_decref(sort);
    json_decref(query);
    return h;
}

void replay_history_close(struct replay_history *h)
{
    if (!h)
        return;
    search_close(h->search);
    client_free(h->client);
    json_decref(h->alone);
    free(h);
}

/* A page that was too long to be read came without documents. One that is gone meanwhile is NULL. */
static bool read_alone(struct replay_history *h, const json_t *hit, const json_t **document, struct error *err)
{
    json_decref(h->alone);
    h->alone = NULL;
    if (!search_get(h->client, &hit, 1, &h->alone, err))
        return false;
    *document = json_object_get(json_array_get(h->alone, 0), "_source");
    return true;
}

bool replay_history_next(struct replay_history *h, const json_t **document, struct replay_position *at,
                         struct error *err)
{
    *document = NULL;
    while (!*document) {
        const json_t *hit, *sort;

        if (!h->page || h->next == json_array_size(h->page)) {
            h->next = 0;
            if (!search_next(h->search, &h->page, err))
                return false;
            if (!h->page)
                return true;
        }
        hit = json_array_get(h->page, h->next++);
        sort = json_object_get(hit, "sort");
        *at = (struct replay_position){.path = json_string_value(json_array_get(sort, 1)),
                                       .line = json_integer_value(json_array_get(sort, 0))};
        if (!at->path)
            return error_set(err, ERROR_INPUT, "document %s of the history has no unique id, so crier did not write it",
                             json_member_text(hit, "_id", ""));
        *document = json_object_get(hit, "_source");
        if (!*document && !read_alone(h, hit, document, err))
            return false;
    }
    return true;
}

bool replay_history_count(const struct replay_options *o, int64_t *count, struct error *err)
{
    struct client *c = client_new(&o->settings->opensearch);
    json_t *query = query_of(o);
    bool ok = indices_count(c, o->history->pattern.data, query, count, err);

    json_decref(query);
    client_free(c);
    return ok;
}
