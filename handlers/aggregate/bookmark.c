#include "handlers/aggregate/bookmark.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/http.h"
#include "handlers/aggregate/composite.h"
#include "indexer/search.h"

#define INDEX "stats-bookmarks"

static json_t *newest_body(const char *name, int64_t until_us, size_t most)
{
    json_t *filter = json_pack("[{s:{s:s}}]", "term", "aggregation_type", name);

    if (until_us != INT64_MAX)
        json_array_append_new(filter, json_pack("{s:{s:{s:I, s:s}}}", "range", "date", "lte",
                                                (json_int_t)(until_us / 1000), "format", "epoch_millis"));
    return json_pack("{s:I, s:{s:{s:o}}, s:[{s:s}]}", "size", (json_int_t)most, "query", "bool", "filter", filter,
                     "sort", "date", "desc");
}

/* The date of the first hit, by what OpenSearch sorts it by: it may be written in many ways. */
static bool newest_until(struct client *c, const char *name, int64_t until_us, int64_t *date_us, struct error *err)
{
    json_t *answer = NULL;
    const json_t *hit, *sort;

    *date_us = BOOKMARK_NONE;
    if (!search_once(c, INDEX, newest_body(name, until_us, 1), true, &answer, err))
        return false;
    hit = json_array_get(json_object_get(json_object_get(answer, "hits"), "hits"), 0);
    sort = json_array_get(json_object_get(hit, "sort"), 0);
    if (json_is_integer(sort))
        *date_us = json_integer_value(sort) * 1000;
    json_decref(answer);
    return true;
}

bool bookmark_newest(struct client *c, const char *name, int64_t now_us, int64_t *date_us, bool *ahead,
                     struct error *err)
{
    *ahead = false;
    if (!search_refresh(c, INDEX, err) || !newest_until(c, name, INT64_MAX, date_us, err))
        return error_in(err, "bookmarks");
    *ahead = *date_us > now_us;
    return !*ahead || newest_until(c, name, now_us, date_us, err) || error_in(err, "bookmarks");
}

static void add_path(struct client *c, const char *verb, struct buf *path)
{
    buf_add_char(path, '/');
    http_add_segment(path, client_prefix(c), strlen(client_prefix(c)));
    buf_add_text(path, INDEX);
    buf_add_text(path, verb);
}

/* Two processes may find it missing at the same time: that it exists is then as good. */
static bool make_index(struct client *c, struct error *err)
{
    static const char mapping[] = "{\"mappings\":{\"dynamic\":\"strict\",\"properties\":{"
                                  "\"date\":{\"type\":\"date\",\"format\":\"date_optional_time\"},"
                                  "\"aggregation_type\":{\"type\":\"keyword\"}}}}";
    const struct http_reply *reply;
    struct buf path = BUF_INIT;
    json_t *answer = NULL;
    bool missing, ok;

    add_path(c, "", &path);
    ok = client_json(c, "GET", path.data, NULL, &answer, &missing, err);
    if (ok && missing) {
        ok = client_send(c, "PUT", path.data, NULL, mapping, sizeof mapping - 1, &reply, err);
        if (ok && reply->status >= 300 && !strstr(reply->body.data, "resource_already_exists_exception"))
            ok = client_refused(reply, err);
    }
    json_decref(answer);
    buf_release(&path);
    return ok;
}

bool bookmark_add(struct client *c, const char *name, int64_t date_us, struct error *err)
{
    struct buf path = BUF_INIT, date = BUF_INIT;
    char seconds[TIME_TEXT_BYTES] = "";
    json_t *body, *answer = NULL;
    bool ok;

    time_format(date_us, "%Y-%m-%dT%H:%M:%S", seconds, sizeof seconds);
    buf_printf(&date, "%s.%06d+00:00", seconds, (int)(date_us % US_PER_SECOND));
    body = json_pack("{s:s, s:s}", "date", date.data, "aggregation_type", name);
    add_path(c, "/_doc", &path);
    ok = (make_index(c, err) && client_json(c, "POST", path.data, body, &answer, NULL, err)) ||
         error_in(err, "bookmarks");
    json_decref(answer);
    json_decref(body);
    buf_release(&date);
    buf_release(&path);
    return ok;
}

bool bookmark_list(struct client *c, const char *name, size_t most, json_t **dates, struct error *err)
{
    json_t *answer = NULL, *hit;
    size_t i;

    *dates = NULL;
    if (!search_refresh(c, INDEX, err) ||
        !search_once(c, INDEX, newest_body(name, INT64_MAX, most), true, &answer, err))
        return error_in(err, "bookmarks");
    *dates = json_array();
    json_array_foreach(json_object_get(json_object_get(answer, "hits"), "hits"), i, hit)
    {
        json_array_append(*dates, json_object_get(json_object_get(hit, "_source"), "date"));
    }
    json_decref(answer);
    return true;
}
