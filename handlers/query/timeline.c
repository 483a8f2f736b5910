#include "handlers/query/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "indexer/indices.h"
#include "indexer/search.h"
#include "notifier/door_page.h"

#define KEEP_ALIVE "5m"

enum { LIMIT_DEFAULT = 50, PLACE_BYTES_MOST = TIMELINE_VALUE_MOST };

bool timeline_value_check(const char *name, const char *value, struct error *err)
{
    size_t length = value ? strlen(value) : 1;

    if (length == 0 || length > TIMELINE_VALUE_MOST)
        return error_set(err, ERROR_INPUT, "%s needs 1 to %d bytes", name, TIMELINE_VALUE_MOST);
    return !value || text_utf8_valid(value, length) == length || error_set(err, ERROR_INPUT, "%s is not UTF-8", name);
}

/* -------------------------------------------------------------------------------------------------------- the query */

void timeline_add_term(json_t *all, const char *field, const char *value, size_t length)
{
    json_array_append_new(all, json_pack("{s:{s:s%}}", "term", field, value, length));
}

static void add_bound(json_t *bounds, const char *name, int64_t us, int64_t none)
{
    char text[TIME_TEXT_BYTES];

    if (us != none)
        json_object_set_new(bounds, name, json_string(time_text(us, text)));
}

void timeline_add_range(json_t *all, const char *field, const struct time_range *range)
{
    json_t *bounds = json_object();

    add_bound(bounds, "gte", range->from_us, time_range_all.from_us);
    add_bound(bounds, "lt", range->to_us, time_range_all.to_us);
    if (json_object_size(bounds) > 0)
        json_array_append_new(all, json_pack("{s:{s:O}}", "range", field, bounds));
    json_decref(bounds);
}

/* ----------------------------------------------------------------------------------------------------------- a page */

static json_t *sort_by(const char *field, const char *type)
{
    return json_pack("{s:{s:s, s:s}}", field, "order", "desc", "unmapped_type", type);
}

/* "MILLISECONDS.ID": of the document that the page before ended with. */
static bool read_place(const char *text, json_t **out, struct error *err)
{
    const char *dot = strchr(text, '.');
    int64_t ms;

    *out = NULL;
    if (!*text)
        return true;
    if (dot && dot[1] && strlen(text) <= PLACE_BYTES_MOST && text_int(text, (size_t)(dot - text), &ms))
        *out = json_pack("[I, s]", (json_int_t)ms, dot + 1);
    return *out || error_set(err, ERROR_INPUT, "that is no place where a page ended");
}

static void add_place(const json_t *hit, struct buf *out)
{
    const json_t *sort = json_object_get(hit, "sort");
    const char *id = json_string_value(json_array_get(sort, 1));

    buf_reset(out);
    if (json_is_integer(json_array_get(sort, 0)) && id)
        buf_printf(out, "%lld.%s", (long long)json_integer_value(json_array_get(sort, 0)), id);
}

static json_t *take_documents(const json_t *answer, size_t limit, struct buf *after)
{
    const json_t *hits = json_object_get(json_object_get(answer, "hits"), "hits");
    json_t *documents = json_array();
    size_t count = json_array_size(hits);

    for (size_t i = 0; i < count && i < limit; i++)
        json_array_append(documents, json_object_get(json_array_get(hits, i), "_source"));
    buf_reset(after);
    if (count > limit)
        add_place(json_array_get(hits, limit - 1), after);
    return documents;
}

/* In the state that is held, or as it is now. */
static bool ask(struct client *c, const struct timeline *t, json_t *request, size_t limit, json_t **answer,
                struct error *err)
{
    static const char path[] = "/_search?allow_partial_search_results=false";
    bool missing = false;

    json_object_set_new(request, "size", json_integer((json_int_t)limit + 1));
    if (!t->point)
        return indices_ask(c, "POST", t->pattern, path, request, answer, &missing, err);
    json_object_set_new(request, "pit", json_pack("{s:s, s:s}", "id", t->point, "keep_alive", KEEP_ALIVE));
    return client_json(c, "POST", path, request, answer, &missing, err) &&
           (!missing || error_set(err, ERROR_AGAIN, "OpenSearch forgot the state that is searched: search again"));
}

/* Fewer at a time where the page is too long; a document that is too long by itself is asked for all the same. */
static bool ask_bounded(struct client *c, const struct timeline *t, json_t *request, size_t *limit, json_t **answer,
                        struct error *err)
{
    bool ok;

    client_reply_most(c, t->page_bytes);
    while (!(ok = ask(c, t, request, *limit, answer, err)) && client_reply_too_long(c) && *limit > 1)
        *limit = *limit > 4 ? *limit / 4 : 1;
    client_reply_most(c, 0);
    return ok || (client_reply_too_long(c) && ask(c, t, request, *limit, answer, err));
}

/* One more is asked for than given: whether there is a next page. */
bool timeline_page(struct client *c, const struct timeline *t, const json_t *query, size_t limit, struct buf *after,
                   json_t **documents, struct error *err)
{
    json_t *request, *place, *answer = NULL;
    bool ok;

    *documents = NULL;
    if (!read_place(after->data, &place, err))
        return false;
    request = json_pack("{s:b, s:O, s:[o, o]}", "track_total_hits", 0, "query", query, "sort", sort_by(t->time, "date"),
                        sort_by(t->id, "keyword"));
    if (place)
        json_object_set_new(request, "search_after", place);
    ok = ask_bounded(c, t, request, &limit, &answer, err);
    if (ok)
        *documents = take_documents(answer, limit, after);
    json_decref(request);
    json_decref(answer);
    return ok;
}

/* ---------------------------------------------------------------------------------------------- a state for all */

bool timeline_hold(struct client *c, const char *pattern, char **point, struct error *err)
{
    bool missing;

    return search_point_open(c, pattern, KEEP_ALIVE, point, &missing, err);
}

/* What is not let go expires. */
void timeline_let_go(struct client *c, char *point)
{
    search_point_close(c, &point);
}

/* ---------------------------------------------------------------------------------------------- a page of the door */

static void list_names(const char *const *known, struct buf *out)
{
    for (size_t i = 0; known[i]; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : known[i + 1] ? ", " : " and ", known[i]);
}

bool timeline_arguments_check(const struct page_request *r, const char *const *known, struct error *err)
{
    struct buf names = BUF_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < r->argument_count; i++) {
        size_t k = 0;

        while (known[k] && strcmp(r->arguments[i].name, known[k]) != 0)
            k++;
        if (known[k])
            continue;
        list_names(known, &names);
        ok = error_set(err, ERROR_INPUT, "there is no argument \"%.40s\"; there are %s", r->arguments[i].name,
                       names.data);
    }
    buf_release(&names);
    return ok;
}

bool timeline_limit(const struct page_request *r, size_t *limit, struct error *err)
{
    const char *text = page_argument(r, "limit");
    int64_t number = LIMIT_DEFAULT;

    if (text && (!text_int(text, strlen(text), &number) || number < 1 || number > TIMELINE_PAGE_MOST))
        return error_set(err, ERROR_INPUT, "limit needs a number from 1 to %d", TIMELINE_PAGE_MOST);
    *limit = (size_t)number;
    return true;
}

void timeline_answer(const char *name, const json_t *documents, const struct buf *next,
                     bool (*may_see)(const void *context, const json_t *document), const void *context,
                     struct buf *body)
{
    bool first = true;

    buf_printf(body, "{\"%s\":[", name);
    for (size_t i = 0; i < json_array_size(documents); i++) {
        const json_t *document = json_array_get(documents, i);

        if (may_see && !may_see(context, document))
            continue;
        if (!first)
            buf_add_char(body, ',');
        json_add(body, document);
        first = false;
    }
    buf_add_text(body, "],\"next\":");
    if (next->length)
        buf_add_json(body, next->data, next->length);
    else
        buf_add_text(body, "null");
    buf_add_text(body, "}\n");
}
