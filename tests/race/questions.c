#include "race/questions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "race/match.h"

enum { DOCUMENTS = 5, IDS = 4, REVISIONS = 4 };

const char questions_index[] =
    "{\"settings\":{\"index.refresh_interval\":\"-1\",\"number_of_shards\":1,\"number_of_replicas\":0,\"index.translog."
    "durability\":\"async\"},\"mappings\":"
    "{\"dynamic\":false,\"properties\":{\"n\":{\"type\":\"long\"},\"user\":{\"properties\":{\"id\":{\"type\":"
    "\"keyword\"},"
    "\"@v\":{\"type\":\"keyword\"}}},\"people\":{\"type\":\"nested\",\"properties\":{\"id\":{\"type\":\"keyword\"},"
    "\"@v\":{\"type\":\"keyword\"}}}}}}";

static const char *text(struct choice *c, const char *prefix, size_t below, char out[20])
{
    snprintf(out, 20, "%s%zu", prefix, choose(c, below));
    return out;
}

/* ------------------------------------------------------------------------------------------------------- queries */

static json_t *leaf(struct choice *c, const char *object)
{
    char id[20], revision[20], field[40];
    const char *name = choose(c, 2) ? "id" : "@v";

    snprintf(field, sizeof field, "%s.%s", object, name);
    text(c, "u", IDS, id);
    text(c, "", REVISIONS, revision);
    switch (choose(c, 5)) {
    case 0:
        return json_pack("{s:{s:s}}", "term", field, strcmp(name, "id") == 0 ? id : revision);
    case 1:
        return json_pack("{s:{s:[s,s]}}", "terms", field, id, revision);
    case 2:
        return json_pack("{s:{s:s}}", "exists", "field", field);
    case 3:
        return json_pack("{s:{s:{s:s}}}", "range", field, choose(c, 2) ? "lt" : "gte", revision);
    default:
        return json_pack("{s:{s:s}}", "prefix", field, "u");
    }
}

static json_t *other_leaf(struct choice *c)
{
    char id[20];

    switch (choose(c, 4)) {
    case 0:
        return json_pack("{s:{}}", "match_all");
    case 1:
        return json_pack("{s:{s:[s]}}", "ids", "values", text(c, "d", DOCUMENTS, id));
    case 2:
        return json_pack("{s:{s:{s:i}}}", "range", "n", choose(c, 2) ? "lte" : "gt", (int)choose(c, 10));
    default:
        return json_pack("{s:{s:i}}", "term", "n", (int)choose(c, 10));
    }
}

static json_t *clauses(struct choice *c, int depth)
{
    json_t *list = json_array();

    for (size_t i = 1 + choose(c, 2); i > 0; i--)
        json_array_append_new(list, question_query(c, depth));
    return list;
}

static json_t *bool_query(struct choice *c, int depth)
{
    static const char *const names[] = {"must", "filter", "must_not", "should"};
    json_t *body = json_object();

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (choose(c, 2))
            json_object_set_new(body, names[i], clauses(c, depth));
    if (json_object_get(body, "should") && choose(c, 2))
        json_object_set_new(body, "minimum_should_match", json_integer(1));
    return json_pack("{s:o}", "bool", body);
}

static json_t *nested_query(struct choice *c)
{
    json_t *inner = choose(c, 2) ? leaf(c, "people")
                                 : json_pack("{s:{s:[o], s:[o]}}", "bool", "must", leaf(c, "people"), "must_not",
                                             leaf(c, "people"));

    return json_pack("{s:{s:s, s:o}}", "nested", "path", "people", "query", inner);
}

json_t *question_query(struct choice *c, int depth)
{
    switch (choose(c, depth > 0 ? 6 : 4)) {
    case 0:
        return other_leaf(c);
    case 1:
        return nested_query(c);
    case 2:
        return leaf(c, "people"); /* finds nothing, from outside */
    case 3:
        return leaf(c, "user");
    case 4:
        return json_pack("{s:{s:o}}", "constant_score", "filter", question_query(c, depth - 1));
    default:
        return bool_query(c, depth - 1);
    }
}

json_t *question_search(struct choice *c)
{
    static const char *const parts[] = {"user", "user.id", "people.@v", "n"};
    json_t *search = json_pack("{s:b, s:b, s:o, s:[{s:s}]}", "version", 1, "seq_no_primary_term", 1, "query",
                               question_query(c, 2), "sort", "_seq_no", "asc");

    if (choose(c, 2))
        json_object_set_new(search, "track_total_hits", choose(c, 2) ? json_true() : json_integer(2));
    switch (choose(c, 4)) {
    case 0:
        json_object_set_new(search, "_source", json_false());
        break;
    case 1:
        json_object_set_new(search, "_source", json_pack("[s]", parts[choose(c, ARRAY_LENGTH(parts))]));
        break;
    default:
        break;
    }
    return search;
}

/* -------------------------------------------------------------------------------------------------------- writes */

static void add_copy(struct choice *c, struct buf *out)
{
    buf_printf(out, "{\"id\":\"u%zu\",\"@v\":\"%zu\"}", choose(c, IDS), choose(c, REVISIONS));
}

static void add_copies(struct choice *c, const char *name, struct buf *out)
{
    size_t count = choose(c, 3);

    buf_printf(out, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i ? "," : "");
        add_copy(c, out);
    }
    buf_add_char(out, ']');
}

static void add_document(struct choice *c, struct buf *out)
{
    buf_printf(out, "{\"n\":%zu,", choose(c, 10));
    if (choose(c, 2)) {
        buf_add_text(out, "\"user\":");
        add_copy(c, out);
    } else {
        add_copies(c, "user", out);
    }
    buf_add_char(out, ',');
    add_copies(c, "people", out);
    buf_add_text(out, "}\n");
}

/* How it is guarded against other writes. */
static void add_guard(struct choice *c, bool creates, int64_t seq_no, struct buf *out)
{
    switch (creates ? 0 : choose(c, 4)) {
    case 1:
        buf_printf(out, ",\"version\":%zu,\"version_type\":\"external\"", 1 + choose(c, 12));
        break;
    case 2:
        buf_printf(out, ",\"version\":%zu,\"version_type\":\"external_gte\"", 1 + choose(c, 12));
        break;
    case 3:
        buf_printf(out, ",\"if_seq_no\":%" PRId64 ",\"if_primary_term\":1",
                   seq_no - (int64_t)choose(c, (size_t)(seq_no < 3 ? seq_no + 1 : 4)));
        break;
    default:
        break;
    }
}

void question_writes(struct choice *c, const char *index, int64_t seq_no, struct buf *out)
{
    static const char *const actions[] = {"index", "index", "index", "create", "delete"};

    for (size_t i = 1 + choose(c, 3); i > 0; i--) {
        const char *action = actions[choose(c, ARRAY_LENGTH(actions))];

        buf_printf(out, "{\"%s\":{\"_index\":\"%s\",\"_id\":\"d%zu\"", action, index, choose(c, DOCUMENTS));
        add_guard(c, strcmp(action, "create") == 0, seq_no, out);
        buf_add_text(out, "}}\n");
        if (strcmp(action, "delete") != 0)
            add_document(c, out);
    }
}

json_t *question_documents(struct choice *c, const char *index)
{
    json_t *docs = json_array();
    char id[20];

    for (size_t i = 1 + choose(c, 3); i > 0; i--)
        json_array_append_new(docs, json_pack("{s:s, s:s}", "_index", index, "_id", text(c, "d", DOCUMENTS, id)));
    return json_pack("{s:o}", "docs", docs);
}

/* ------------------------------------------------------------------------------------------------------ answers */

/* These members of an object, where it has them. */
static json_t *members(const json_t *object, const char *const *names, size_t count)
{
    json_t *out = json_object();

    for (size_t i = 0; i < count; i++)
        json_object_set(out, names[i], json_object_get(object, names[i])); /* NULL is not set */
    return out;
}

static int by_document(const void *a, const void *b)
{
    return strcmp(json_member_text(*(json_t *const *)a, "_id", ""), json_member_text(*(json_t *const *)b, "_id", ""));
}

static json_t *sorted(json_t *list)
{
    json_t *items[100], *out = json_array();
    size_t count = json_array_size(list);

    for (size_t i = 0; i < count; i++)
        items[i] = json_array_get(list, i);
    qsort(items, count, sizeof(json_t *), by_document);
    for (size_t i = 0; i < count; i++)
        json_array_append(out, items[i]);
    json_decref(list);
    return out;
}

static json_t *essence_of_documents(const json_t *list)
{
    static const char *const names[] = {"_id", "_version", "_seq_no", "found", "_source", "sort"};
    json_t *out = json_array();
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) json_array_append_new(out, members(one, names, ARRAY_LENGTH(names)));
    return out;
}

/* {"index": {"status": 201, ...}}; what is refused says so by its status and the error's type. */
static json_t *essence_of_items(const json_t *list)
{
    static const char *const names[] = {"_version", "_seq_no", "status", "result"};
    json_t *out = json_array();
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const json_t *said = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)one));
        json_t *item = members(said, names, ARRAY_LENGTH(names));

        json_object_set(item, "type", json_object_get(json_object_get(said, "error"), "type"));
        json_array_append_new(out, item);
    }
    return out;
}

json_t *question_essence(const json_t *answer, bool by_id)
{
    static const char *const names[] = {"count", "aggregations", "errors"};
    static const char *const counts[] = {"index_total", "delete_total"};
    json_t *out = members(answer, names, ARRAY_LENGTH(names));
    const json_t *hits = json_object_get(answer, "hits"), *docs = json_object_get(answer, "docs");
    const json_t *items = json_object_get(answer, "items"), *writes = json_at(answer, "_all.primaries.indexing");

    if (writes)
        json_object_set_new(out, "writes", members(writes, counts, ARRAY_LENGTH(counts)));
    if (hits) {
        json_t *list = essence_of_documents(json_object_get(hits, "hits"));

        json_object_set_new(out, "hits", by_id ? sorted(list) : list);
        json_object_set(out, "total", json_object_get(hits, "total"));
    }
    if (docs)
        json_object_set_new(out, "docs", essence_of_documents(docs));
    if (items)
        json_object_set_new(out, "items", essence_of_items(items));
    return out;
}
