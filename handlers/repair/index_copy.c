#include "handlers/repair/index_copy.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "handlers/repair/pages.h"
#include "handlers/repair/writer.h"
#include "indexer/indices.h"
#include "indexer/search.h"

enum { SAMPLE = 200 };

/* ------------------------------------------------------------------------------------------------- copying on */

struct copying {
    struct writer *writer;
    const char *to;
    struct buf document;
    int64_t documents;
};

static bool copy_document(struct copying *x, const json_t *hit, struct error *err)
{
    struct bulk_target target = {.action = BULK_INDEX, .index = x->to, .seq_no = -1, .primary_term = -1};

    target.id = json_member_text(hit, "_id", "");
    target.routing = json_member_text(hit, "_routing", NULL);
    target.version = json_integer_value(json_object_get(hit, "_version"));
    target.same_version = true;
    buf_reset(&x->document);
    json_add(&x->document, json_object_get(hit, "_source"));
    x->documents++;
    return writer_add(x->writer, &target, x->document.data, x->document.length, err);
}

static bool copy_page(const json_t *hits, void *context, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < json_array_size(hits); i++)
        ok = copy_document(context, json_array_get(hits, i), err);
    return ok;
}

/* Every shard counts its own writes: up to the least of them nothing is missing. */
static int64_t least_checkpoint(const json_t *shards)
{
    int64_t least = INT64_MAX;
    json_t *copies;
    const char *number;

    json_object_foreach((json_t *)(uintptr_t)shards, number, copies) for (size_t i = 0; i < json_array_size(copies);
                                                                          i++)
    {
        const json_t *one = json_array_get(copies, i);
        int64_t checkpoint = json_integer_value(json_at(one, "seq_no.global_checkpoint"));

        if (json_is_true(json_at(one, "routing.primary")) && checkpoint < least)
            least = checkpoint;
    }
    return least == INT64_MAX ? -1 : least;
}

static bool read_checkpoint(struct client *c, const char *index, int64_t *checkpoint, struct error *err)
{
    json_t *answer;
    bool ok = indices_ask(c, "GET", index, "/_stats/docs?level=shards&filter_path=indices.*.shards", NULL, &answer,
                          NULL, err);
    json_t *indices = json_object_get(answer, "indices");
    void *first = json_object_iter(indices);

    *checkpoint = first ? least_checkpoint(json_object_get(json_object_iter_value(first), "shards")) : -1;
    json_decref(answer);
    return ok;
}

/* The checkpoint is read first: what is written meanwhile may be copied twice, and is not missed. */
bool index_copy_on(struct index_copy *x, struct client *c, int64_t bulk_bytes, struct clock_run *run,
                   int64_t *documents, struct error *err)
{
    struct copying copying = {.to = x->to, .document = BUF_INIT};
    json_t *query = json_pack("{s:{s:{s:I}}}", "range", "_seq_no", "gt", (json_int_t)x->seq_no);
    int64_t checkpoint = -1;
    bool ok;

    copying.writer = writer_new(c, bulk_bytes, run);
    ok = read_checkpoint(c, x->from, &checkpoint, err) && search_refresh(c, x->from, err) &&
         pages_each(c, x->from, query, run, copy_page, &copying, err) && writer_flush(copying.writer, err);
    if (ok && writer_counts(copying.writer)->refused > 0)
        ok =
            error_set(err, ERROR_INPUT, "the new index refuses a document: %s", writer_counts(copying.writer)->refusal);
    if (ok && checkpoint > x->seq_no)
        x->seq_no = checkpoint;
    *documents = copying.documents;
    writer_free(copying.writer);
    buf_release(&copying.document);
    json_decref(query);
    return ok || error_in(err, "%s", x->from);
}

/* --------------------------------------------------------------------------------------------------- comparing */

static bool same_document(const json_t *a, const json_t *b)
{
    struct buf of_a = BUF_INIT, of_b = BUF_INIT;
    bool same;

    json_add(&of_a, json_object_get(a, "_source"));
    json_add(&of_b, json_object_get(b, "_source"));
    same = json_equal(json_object_get(a, "_version"), json_object_get(b, "_version")) && of_a.length == of_b.length &&
           memcmp(of_a.data, of_b.data, of_a.length) == 0;
    buf_release(&of_a);
    buf_release(&of_b);
    return same;
}

/* The same hits, as they would be in another index. */
static json_t *hits_elsewhere(const json_t *hits, const struct client *c, const char *index)
{
    json_t *others = json_array();
    struct buf name = BUF_INIT;

    buf_printf(&name, "%s%s", client_prefix(c), index);
    for (size_t i = 0; i < json_array_size(hits); i++) {
        json_t *other = json_object();

        json_object_update(other, json_array_get(hits, i));
        json_object_set_new(other, "_index", json_string(name.data));
        json_array_append_new(others, other);
    }
    buf_release(&name);
    return others;
}

static bool compare(const json_t *hits, struct client *c, const char *index, struct error *err)
{
    json_t *others = hits_elsewhere(hits, c, index), *docs = NULL;
    const json_t *list[SAMPLE];
    size_t count = json_array_size(hits);
    bool ok;

    for (size_t i = 0; i < count; i++)
        list[i] = json_array_get(others, i);
    ok = count == 0 || search_get(c, list, count, &docs, err);
    for (size_t i = 0; ok && i < count; i++)
        if (!same_document(json_array_get(hits, i), json_array_get(docs, i)))
            ok = error_set(err, ERROR_INPUT, "document %s is not the same in %s",
                           json_member_text(json_array_get(hits, i), "_id", ""), index);
    json_decref(docs);
    json_decref(others);
    return ok;
}

bool index_copy_sample(const struct index_copy *x, struct client *c, struct error *err)
{
    json_t *body = json_pack("{s:i, s:b, s:{s:{s:{s:{}}, s:{s:I, s:s}}}}", "size", SAMPLE, "version", 1, "query",
                             "function_score", "query", "match_all", "random_score", "seed",
                             (json_int_t)(clock_wall_us() % 1000000), "field", "_seq_no");
    json_t *answer = NULL;
    bool ok =
        search_refresh(c, x->from, err) &&
        indices_ask(c, "POST", x->from, "/_search?allow_partial_search_results=false", body, &answer, NULL, err) &&
        compare(json_at(answer, "hits.hits"), c, x->to, err);

    json_decref(answer);
    json_decref(body);
    return ok;
}

/* ------------------------------------------------------------------------------------- what is there no more */

struct pruning {
    struct client *client;
    struct writer *writer;
    const char *index, *sources;
};

static json_t *ids_of(const json_t *hits)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < json_array_size(hits); i++)
        json_array_append(ids, json_object_get(json_array_get(hits, i), "_id"));
    return ids;
}

/* Which of the ids the sources have, as members of an object. */
static bool find_ids(struct pruning *p, json_t *ids, json_t **found, struct error *err)
{
    json_t *body = json_pack("{s:i, s:b, s:{s:{s:O}}}", "size", 10000, "_source", 0, "query", "ids", "values", ids);
    json_t *answer = NULL;
    const json_t *hits;
    bool ok = indices_ask(p->client, "POST", p->sources, "/_search?allow_partial_search_results=false", body, &answer,
                          NULL, err);

    *found = json_object();
    hits = json_at(answer, "hits.hits");
    for (size_t i = 0; i < json_array_size(hits); i++)
        json_object_set_new(*found, json_member_text(json_array_get(hits, i), "_id", ""), json_true());
    json_decref(answer);
    json_decref(body);
    return ok;
}

/* At its own version: nothing that comes later is hindered. */
static bool take_out(struct pruning *p, const json_t *hit, struct error *err)
{
    struct bulk_target target = {.action = BULK_DELETE, .index = p->index, .seq_no = -1, .primary_term = -1};

    target.id = json_member_text(hit, "_id", "");
    target.routing = json_member_text(hit, "_routing", NULL);
    target.version = json_integer_value(json_object_get(hit, "_version"));
    target.same_version = true;
    return writer_add(p->writer, &target, "", 0, err);
}

static bool prune_page(const json_t *hits, void *context, struct error *err)
{
    struct pruning *p = context;
    json_t *ids = ids_of(hits), *found = NULL;
    bool ok = find_ids(p, ids, &found, err);

    for (size_t i = 0; ok && i < json_array_size(hits); i++)
        if (!json_object_get(found, json_member_text(json_array_get(hits, i), "_id", "")))
            ok = take_out(p, json_array_get(hits, i), err);
    json_decref(found);
    json_decref(ids);
    return ok;
}

bool index_copy_prune(const char *index, const char *sources, struct client *c, int64_t bulk_bytes,
                      struct clock_run *run, struct error *err)
{
    struct pruning p = {c, writer_new(c, bulk_bytes, run), index, sources};
    json_t *query = json_pack("{s:{}}", "match_all");
    bool ok = search_refresh(c, index, err) && pages_each(c, index, query, run, prune_page, &p, err) &&
              writer_flush(p.writer, err) && search_refresh(c, index, err);

    json_decref(query);
    writer_free(p.writer);
    return ok;
}
