#include "race/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "race/actor.h"
#include "race/match.h"

struct model {
    char *index;
    json_t *created; /* with what body */
    struct store store;
    struct points *points;
    enum model_lie lie;
};

struct model *model_new(const char *index, const char *body)
{
    struct model *m = xcalloc(1, sizeof *m);

    m->index = xstrdup(index);
    m->created = json_loads(body, 0, NULL);
    if (!m->created)
        match_unknown("index body", NULL);
    store_init(&m->store);
    m->points = points_new();
    return m;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    free(m->index);
    json_decref(m->created);
    store_release(&m->store);
    points_free(m->points);
    free(m);
}

void model_clear(struct model *m)
{
    store_release(&m->store);
    points_free(m->points);
    m->points = points_new();
}

void model_lie(struct model *m, enum model_lie lie)
{
    m->lie = lie;
}

enum model_lie model_lies(const struct model *m)
{
    return m->lie;
}

struct store *model_store(struct model *m)
{
    return &m->store;
}

struct points *model_points(struct model *m)
{
    return m->points;
}

const char *model_index(const struct model *m)
{
    return m->index;
}

const json_t *model_properties(const struct model *m)
{
    return json_object_get(json_object_get(m->created, "mappings"), "properties");
}

struct answer model_missing_index(const char *index)
{
    return (struct answer){404, json_pack("{s:{s:s, s:s, s:s}, s:i}", "error", "type", "index_not_found_exception",
                                          "reason", "no such index", "index", index, "status", 404)};
}

/* --------------------------------------------------------------------------------------------- parts of a document */

static bool is_within(const char *path, const char *of)
{
    size_t length = strlen(of);

    return strncmp(path, of, length) == 0 && (path[length] == '\0' || path[length] == '.');
}

/* 2: all of what lies at the path is asked for, 1: something inside of it, 0: nothing. */
static int asked_for(const json_t *names, const char *path)
{
    const json_t *name;
    size_t i;
    int found = 0;

    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);

        if (strchr(text, '*'))
            match_unknown("wildcard in _source", names);
        if (is_within(path, text))
            return 2;
        if (is_within(text, path))
            found = 1;
    }
    return found;
}

static json_t *part_of(const json_t *value, const json_t *names, const char *path);

static json_t *part_of_array(const json_t *array, const json_t *names, const char *path)
{
    json_t *out = json_array(), *part;
    const json_t *member;
    size_t i;

    json_array_foreach(array, i, member)
    {
        part = part_of(member, names, path);
        if (part)
            json_array_append_new(out, part);
    }
    return out;
}

static json_t *part_of_object(const json_t *object, const json_t *names, const char *path)
{
    json_t *out = json_object(), *member;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)object, key, member)
    {
        struct buf inner = BUF_INIT;
        int asked;

        buf_printf(&inner, "%s%s%s", path, *path ? "." : "", key);
        asked = asked_for(names, inner.data);
        if (asked == 2)
            json_object_set(out, key, member);
        else if (asked == 1)
            json_object_set_new(out, key, part_of(member, names, inner.data)); /* NULL is not set */
        buf_release(&inner);
    }
    return out;
}

/* NULL: nothing that is asked for. */
static json_t *part_of(const json_t *value, const json_t *names, const char *path)
{
    json_t *part = json_is_array(value)    ? part_of_array(value, names, path)
                   : json_is_object(value) ? part_of_object(value, names, path)
                                           : NULL;

    if (part && json_object_size(part) + json_array_size(part) > 0)
        return part;
    json_decref(part);
    return NULL;
}

json_t *model_source(const json_t *source, const json_t *asked)
{
    json_t *one = json_is_string(asked) ? json_pack("[O]", asked) : NULL, *part;

    if (json_is_false(asked))
        return NULL;
    if (!asked || json_is_true(asked))
        return json_incref((json_t *)(uintptr_t)source);
    if (json_is_object(asked) && (json_object_size(asked) != 1 || !json_object_get(asked, "includes")))
        match_unknown("_source", asked);
    if (json_is_object(asked))
        asked = json_object_get(asked, "includes");
    part = part_of(source, one ? one : asked, "");
    json_decref(one);
    return part ? part : json_object();
}

/* ------------------------------------------------------------------------------------------------------- requests */

static struct answer refresh(struct model *m)
{
    if (m->lie != LIE_REFRESH || !actor_self())
        store_refresh(&m->store);
    return (struct answer){200, json_pack("{s:{s:i, s:i, s:i}}", "_shards", "total", 1, "successful", 1, "failed", 0)};
}

static struct answer describe(const struct model *m, const char *what)
{
    json_t *body = json_object();

    json_object_set(body, "mappings", json_object_get(m->created, "mappings"));
    if (!what)
        json_object_set_new(body, "aliases", json_object());
    return (struct answer){200, json_pack("{s:o}", m->index, body)};
}

static struct answer count_writes(const struct model *m)
{
    return (struct answer){200, json_pack("{s:{s:{s:{s:I, s:I}}}}", "_all", "primaries", "indexing", "index_total",
                                          (json_int_t)m->store.indexed, "delete_total", (json_int_t)m->store.deleted)};
}

static bool is_path(const char *path, size_t length, const char *wanted)
{
    return strlen(wanted) == length && strncmp(path, wanted, length) == 0;
}

/* Whether a name in a path, which may be percent-encoded, a list or a pattern, is the index. */
static bool names_index(const struct model *m, const char *name, size_t length)
{
    if (memchr(name, '%', length) || memchr(name, ',', length) || memchr(name, '*', length))
        match_unknown("index name in a path", NULL);
    return is_path(name, length, m->index);
}

static struct answer get_one(struct model *m, const char *id)
{
    json_t *asked = json_pack("{s:[{s:s, s:s}]}", "docs", "_index", m->index, "_id", id);
    struct answer many = model_get(m, asked), one = {200, NULL};

    one.body = json_incref(json_array_get(json_object_get(many.body, "docs"), 0));
    one.status = json_is_true(json_object_get(one.body, "found")) ? 200 : 404;
    json_decref(many.body);
    json_decref(asked);
    return one;
}

/* /INDEX/what or /INDEX */
static struct answer of_index(struct model *m, const char *method, const char *path, size_t length, const json_t *body)
{
    bool scrolls = strstr(path + length, "scroll=") != NULL;
    const char *name = path + 1, *slash = memchr(name, '/', length - 1);
    size_t name_length = slash ? (size_t)(slash - name) : length - 1;
    const char *what = slash ? slash : "";
    size_t what_length = length - 1 - name_length;

    if (!names_index(m, name, name_length))
        return model_missing_index("another");
    if (is_path(what, what_length, "/_refresh"))
        return refresh(m);
    if (is_path(what, what_length, "/_search/point_in_time") && strcmp(method, "POST") == 0)
        return model_open_point(m);
    if (is_path(what, what_length, "/_search"))
        return scrolls ? model_open_scroll(m, body) : model_search(m, m->index, body);
    if (is_path(what, what_length, "/_count")) {
        struct answer found = model_search(m, m->index, body);
        json_t *hits = json_object_get(found.body, "hits");
        json_t *total = json_incref(json_object_get(json_object_get(hits, "total"), "value"));

        json_decref(found.body);
        return (struct answer){200, json_pack("{s:o}", "count", total)};
    }
    if (is_path(what, what_length, "/_mapping") && strcmp(method, "GET") == 0)
        return describe(m, "mappings");
    if (is_path(what, what_length, "/_stats/indexing"))
        return count_writes(m);
    if (what_length == 0 && strcmp(method, "GET") == 0)
        return describe(m, NULL);
    if (what_length > 6 && strncmp(what, "/_doc/", 6) == 0 && strcmp(method, "GET") == 0) {
        char *id = xstrndup(what + 6, what_length - 6);
        struct answer one = get_one(m, id);

        free(id);
        return one;
    }
    match_unknown(path, body);
}

static struct answer answer_to(struct model *m, const struct http_request *r, const char *path)
{
    size_t length = strcspn(path, "?");
    const char *parameters = path[length] ? path + length + 1 : "";
    json_t *body = NULL;
    struct answer a;

    if (is_path(path, length, "/_bulk"))
        return model_bulk(m, r->body, r->length, parameters);
    if (r->body && r->length) {
        body = json_loadb(r->body, r->length, 0, NULL);
        if (!body)
            match_unknown(path, NULL);
    }
    if (is_path(path, length, "/_mget"))
        a = model_get(m, body);
    else if (is_path(path, length, "/_search"))
        a = model_search(m, NULL, body);
    else if (is_path(path, length, "/_search/point_in_time") && strcmp(r->method, "DELETE") == 0)
        a = model_close_points(m, body);
    else if (is_path(path, length, "/_search/scroll"))
        a = strcmp(r->method, "DELETE") == 0 ? model_close_points(m, body) : model_scroll(m, body);
    else
        a = of_index(m, r->method, path, length, body);
    json_decref(body);
    return a;
}

void model_serve(void *model, const struct http_request *request, const char *path, struct http_reply *reply)
{
    struct answer a = answer_to(model, request, path);

    reply->status = a.status;
    if (a.body)
        json_add(&reply->body, a.body);
    json_decref(a.body);
}
