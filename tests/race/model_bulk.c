/* The model's writes: _bulk, and _mget beside it. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "race/links.h"
#include "race/match.h"
#include "race/model.h"

struct line_reader {
    const char *at, *end;
};

/* The next line as JSON; NULL at the end. */
static json_t *next_line(struct line_reader *r)
{
    const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    json_t *line;

    if (!stop)
        return NULL;
    line = json_loadb(r->at, (size_t)(stop - r->at), 0, NULL);
    if (!line)
        match_unknown("line of a bulk", NULL);
    r->at = stop + 1;
    return line;
}

static int64_t number_of(const json_t *object, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static struct write read_action(const char *name, const json_t *said)
{
    static const char *const known[] = {"_index",       "_id",       "routing",        "version",
                                        "version_type", "if_seq_no", "if_primary_term"};
    const char *type = json_member_text(said, "version_type", "");
    struct write w = {.action = WRITE_INDEX, .id = json_member_text(said, "_id", ""), .now_ms = links_time() / 1000};
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        count += json_object_get(said, known[i]) != NULL;
    if (count != json_object_size(said))
        match_unknown("bulk action", said);
    if (strcmp(name, "create") == 0)
        w.action = WRITE_CREATE;
    else if (strcmp(name, "delete") == 0)
        w.action = WRITE_DELETE;
    else if (strcmp(name, "index") != 0)
        match_unknown("bulk action", said);
    w.seq_no = number_of(said, "if_seq_no", -1);
    w.version = number_of(said, "version", -1);
    if (strcmp(type, "external") == 0)
        w.type = VERSION_EXTERNAL;
    else if (strcmp(type, "external_gte") == 0)
        w.type = VERSION_EXTERNAL_GTE;
    else if (*type || w.version >= 0)
        match_unknown("version type", said);
    if (w.seq_no >= 0 && w.type != VERSION_INTERNAL)
        match_unknown("if_seq_no with a version of its own: the real one refuses that as", said);
    return w;
}

/* As a lie: the version counts for nothing. */
static struct write_result write_it(struct model *m, struct write *w)
{
    struct write_result r = store_write(model_store(m), w);

    if (r.status == 409 && model_lies(m) == LIE_CONFLICT) {
        w->type = VERSION_INTERNAL;
        w->seq_no = -1;
        w->action = w->action == WRITE_CREATE ? WRITE_INDEX : w->action;
        r = store_write(model_store(m), w);
    }
    return r;
}

/* What an item is answered with; with parameters that ask for part of it, the rest is left out. */
static json_t *item_answer(const struct model *m, const struct write *w, const struct write_result *r,
                           const char *parameters)
{
    static const char *const results[] = {"updated", "created", "not_found", "deleted"};
    int result = r->status == 404 ? 2 : w->action == WRITE_DELETE ? 3 : r->status == 201;
    json_t *item = json_object();
    bool all = !strstr(parameters, "filter_path");

    if (all)
        json_object_update_new(item, json_pack("{s:s, s:s}", "_index", model_index(m), "_id", w->id));
    if (r->status != 409 && (all || strstr(parameters, "_version")))
        json_object_set_new(item, "_version", json_integer(r->version));
    if (r->status != 409 && (all || strstr(parameters, "result")))
        json_object_set_new(item, "result", json_string(results[result]));
    if (r->status != 409 && (all || strstr(parameters, "_seq_no")))
        json_object_set_new(item, "_seq_no", json_integer(r->seq_no));
    if (r->status != 409 && (all || strstr(parameters, "_primary_term")))
        json_object_set_new(item, "_primary_term", json_integer(1));
    json_object_set_new(item, "status", json_integer(r->status));
    if (r->status == 409)
        json_object_set_new(item, "error",
                            json_pack("{s:s, s:s}", "type", "version_conflict_engine_exception", "reason", r->reason));
    return item;
}

static json_t *missing_item(void)
{
    return json_pack("{s:i, s:{s:s, s:s}}", "status", 404, "error", "type", "index_not_found_exception", "reason",
                     "no such index");
}

struct answer model_bulk(struct model *m, const char *body, size_t length, const char *parameters)
{
    struct line_reader reader = {body, body + length};
    json_t *items = json_array(), *line;
    bool errors = false;

    while ((line = next_line(&reader))) {
        void *only = json_object_iter(line);
        const char *name = json_object_iter_key(only);
        const json_t *said = json_object_iter_value(only);
        struct write w = read_action(name, said);
        struct write_result r = {.status = 404};
        json_t *item;

        if (w.action != WRITE_DELETE)
            w.source = next_line(&reader);
        if (strcmp(json_member_text(said, "_index", ""), model_index(m)) == 0) {
            r = write_it(m, &w);
            item = item_answer(m, &w, &r, parameters);
        } else {
            item = missing_item();
        }
        errors = errors || json_object_get(item, "error");
        json_array_append_new(items, json_pack("{s:o}", name, item));
        json_decref(w.source);
        json_decref(line);
    }
    if (strstr(parameters, "refresh=true"))
        store_refresh(model_store(m));
    return (struct answer){200, json_pack("{s:b, s:o}", "errors", errors, "items", items)};
}

static json_t *get_document(struct model *m, const json_t *asked)
{
    const char *index = json_member_text(asked, "_index", model_index(m)), *id = json_member_text(asked, "_id", "");
    const struct document *d = store_find(model_store(m), id);
    json_t *doc = json_pack("{s:s, s:s}", "_index", index, "_id", id), *source;

    if (strcmp(index, model_index(m)) != 0) {
        json_object_set_new(doc, "error",
                            json_pack("{s:s, s:s}", "type", "index_not_found_exception", "reason", "no such index"));
        return doc;
    }
    if (!d || !d->known || !d->now.source) {
        json_object_set_new(doc, "found", json_false());
        return doc;
    }
    json_object_update_new(doc, json_pack("{s:I, s:I, s:i, s:b}", "_version", (json_int_t)d->now.version, "_seq_no",
                                          (json_int_t)d->now.seq_no, "_primary_term", 1, "found", 1));
    source = model_source(d->now.source, json_object_get(asked, "_source"));
    if (source)
        json_object_set_new(doc, "_source", source);
    return doc;
}

struct answer model_get(struct model *m, const json_t *body)
{
    json_t *docs = json_array();
    const json_t *asked;
    size_t i;

    json_array_foreach(json_object_get(body, "docs"), i, asked) json_array_append_new(docs, get_document(m, asked));
    return (struct answer){200, json_pack("{s:o}", "docs", docs)};
}
