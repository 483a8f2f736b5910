#include "handlers/reconcile/comparison_type.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/record/record_options.h"
#include "indexer/search.h"
#include "notifier/batch.h"

enum { ASK_SUBJECTS = 200 /* of the source at a time */ };

/*
 * What is behind, missing or one too many is given to the handler itself as an event that only names the subject: it
 * asks its source again, and knows tombstones, routing and versions.
 */
struct records {
    struct comparison *common;
    struct handler *handler;
    struct arena *asked, *batch;
    const struct source_document **suspects;
    size_t count, room;
    int64_t oldest_us;
};

static bool records_open(struct comparison *common, const struct handler *h, struct error *err)
{
    struct records *r = common->state = xcalloc(1, sizeof *r);
    const struct record_options *o = common->options->of->own;

    r->common = common;
    r->asked = arena_new();
    r->batch = arena_new();
    common->index = o->index;
    r->handler = handler_new(h->settings, common->options->of, err);
    return r->handler != NULL;
}

static void records_close(struct comparison *common)
{
    struct records *r = common->state;

    if (!r)
        return;
    handler_free(r->handler);
    arena_free(r->asked);
    arena_free(r->batch);
    free(r->suspects);
    free(r);
}

static bool records_start(struct comparison *common, struct error *err)
{
    const struct handler_type *type = ((struct records *)common->state)->handler->type;

    return !type->install || type->install(((struct records *)common->state)->handler, err);
}

static json_t *records_query(const struct comparison *common)
{
    (void)common;
    return json_pack("{s:{}}", "match_all");
}

/* ------------------------------------------------------------------------------------------------- what is there */

static json_t *hit_of(struct records *r, const struct source_document *d)
{
    const struct record_options *o = r->common->options->of->own;
    json_t *hit = json_pack("{s:s+}", "_index", client_prefix(r->common->client), r->common->index);

    json_object_set_new(hit, "_id", json_stringn(d->id.text, d->id.length));
    if (*o->routing)
        json_object_set_new(hit, "_routing", json_string(o->routing));
    else if (d->routing.length > 0)
        json_object_set_new(hit, "_routing", json_stringn(d->routing.text, d->routing.length));
    return hit;
}

static int64_t version_of(const json_t *document)
{
    return json_is_true(json_object_get(document, "found")) ? json_integer_value(json_object_get(document, "_version"))
                                                            : VERSION_NONE;
}

/* Their versions as they are now, without the documents; VERSION_NONE: there is none. */
static bool read_versions(struct records *r, const struct source_document *const *subjects, size_t count,
                          int64_t *versions, struct error *err)
{
    const json_t **hits = xcalloc(count + 1, sizeof(json_t *));
    json_t *owner = json_array(), *documents = NULL;
    bool ok;

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(owner, hit_of(r, subjects[i]));
        hits[i] = json_array_get(owner, i);
    }
    ok = count == 0 || search_get_fields(r->common->client, "_id", hits, count, &documents, err);
    for (size_t i = 0; ok && i < count; i++)
        versions[i] = version_of(json_array_get(documents, i));
    json_decref(documents);
    json_decref(owner);
    free(hits);
    return ok;
}

/* ------------------------------------------------------------------------------------------------------- repairing */

static void suspect(struct records *r, const struct source_document *d)
{
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : ASK_SUBJECTS;
        r->suspects = xrealloc(r->suspects, r->room * sizeof *r->suspects);
    }
    r->suspects[r->count++] = d;
    r->common->tally.behind++;
}

static struct event event_of(struct records *r, struct span id)
{
    char now[TIME_TEXT_BYTES];
    struct event e = event_none;

    e.id = e.unique = id;
    e.source = span_of("crier:reconcile");
    e.type = span_of("crier.reconciled");
    e.time_us = clock_wall_us();
    e.time = span_of(arena_text(r->batch, time_text(e.time_us, now)));
    e.subject = span_of(arena_printf(r->batch, "subject/%.*s", (int)id.length, id.text));
    return e;
}

/* The handler is done as well with one that it must not write. */
static bool is_there(const struct source_document *d, int64_t version)
{
    return !d->found || (version != VERSION_NONE && version >= d->version);
}

static int64_t count_repaired(struct records *r, const struct batch *b, const int64_t *versions)
{
    int64_t repaired = 0;

    for (size_t i = 0; i < b->count; i++) {
        const struct delivery *d = &b->items[i];

        if (d->outcome == OUTCOME_DEAD)
            comparison_wrong(r->common, r->suspects[i]->id, d->reason);
        else if (d->outcome == OUTCOME_DONE && is_there(r->suspects[i], versions[i]))
            repaired++;
        else if (d->outcome == OUTCOME_DONE)
            comparison_wrong(r->common, r->suspects[i]->id,
                             "it stays as it is: a deletion at its version or a newer one is known");
    }
    return repaired;
}

static bool settle(struct records *r, const struct batch *b, struct error *err)
{
    int64_t *versions = arena_alloc(r->batch, b->count * sizeof *versions), repaired;
    const char *left = NULL;

    if (!read_versions(r, r->suspects, b->count, versions, err))
        return false;
    repaired = count_repaired(r, b, versions);
    r->common->tally.repaired += repaired;
    for (size_t i = 0; i < b->count; i++)
        if (b->items[i].outcome != OUTCOME_DONE && b->items[i].outcome != OUTCOME_DEAD)
            left = b->items[i].reason ? b->items[i].reason : "the handler left it undone";
    return left ? error_set(err, ERROR_AGAIN, "%s", left) : comparison_between(r->common, repaired, err);
}

static bool repair(struct records *r, struct error *err)
{
    struct batch b = {.arena = r->batch, .count = r->count};
    bool ok;

    if (r->count == 0)
        return true;
    arena_reset(r->batch);
    b.items = arena_zero(r->batch, b.count * sizeof *b.items);
    for (size_t i = 0; i < b.count; i++)
        b.items[i].event = event_of(r, r->suspects[i]->id);
    ok = r->handler->type->handle(r->handler, &b, err) && settle(r, &b, err);
    r->count = 0;
    return ok;
}

/* ------------------------------------------------------------------------------------------------------- comparing */

static void note_age(struct records *r, const struct source_document *d)
{
    const char *field = r->common->options->changed_at;
    json_t *body = *field && d->found ? json_loadb(d->body.text, d->body.length, JSON_ALLOW_NUL, NULL) : NULL;
    const char *text = json_string_value(json_at(body, field));
    int64_t us, age_ms;

    if (text && time_parse(text, strlen(text), true, &us)) {
        age_ms = (clock_wall_us() - us) / 1000;
        if (age_ms > r->common->tally.oldest_ms)
            r->common->tally.oldest_ms = age_ms;
    }
    json_decref(body);
}

/* there: the version in the index; VERSION_NONE: it has none. A source that tells no versions only shows what is
 * missing, or too much. */
static void compare(struct records *r, const struct source_document *d, int64_t there, bool believed)
{
    r->common->tally.subjects++;
    if (d->wrong) {
        comparison_wrong(r->common, d->id, d->wrong);
    } else if (!d->found) {
        r->common->tally.gone += there != VERSION_NONE;
        if (there != VERSION_NONE && believed)
            suspect(r, d);
    } else if (there == VERSION_NONE || d->version > there) {
        note_age(r, d);
        suspect(r, d);
    }
}

static bool compare_some(struct records *r, const struct hit *hits, size_t count, struct error *err)
{
    struct source_document documents[ASK_SUBJECTS];
    struct span ids[ASK_SUBJECTS];
    bool believed;

    for (size_t i = 0; i < count; i++)
        ids[i] = hits[i].id;
    arena_reset(r->asked);
    if (!source_get(r->common->source, ids, count, r->asked, documents, err))
        return false;
    believed = comparison_believes(r->common, documents, count);
    for (size_t i = 0; i < count; i++)
        compare(r, &documents[i], hits[i].version, believed);
    return repair(r, err);
}

static bool records_documents(struct comparison *common, const struct hits *hits, struct error *err)
{
    for (size_t from = 0; from < hits->count; from += ASK_SUBJECTS) {
        size_t left = hits->count - from;

        if (!compare_some(common->state, hits->items + from, left < ASK_SUBJECTS ? left : ASK_SUBJECTS, err))
            return false;
    }
    return true;
}

/* Those that have an id: OpenSearch refuses a request that asks for a document without. */
static size_t with_ids(struct records *r, const struct source_document *subjects, size_t count,
                       const struct source_document **out)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (subjects[i].id.length > 0)
            out[kept++] = &subjects[i];
        else
            comparison_wrong(r->common, subjects[i].id, subjects[i].wrong ? subjects[i].wrong : "it has no id");
    }
    return kept;
}

static bool compare_versions(struct records *r, const struct source_document *const *subjects, size_t count,
                             struct error *err)
{
    int64_t *versions = xcalloc(count + 1, sizeof *versions);
    bool ok = read_versions(r, subjects, count, versions, err);

    for (size_t i = 0; ok && i < count; i++)
        compare(r, subjects[i], versions[i], true);
    free(versions);
    return ok;
}

static bool records_subjects(struct comparison *common, const struct source_document *subjects, size_t count,
                             struct error *err)
{
    struct records *r = common->state;
    const struct source_document **asked = xcalloc(count + 1, sizeof(struct source_document *));
    bool ok = compare_versions(r, asked, with_ids(r, subjects, count, asked), err);

    common->tally.documents += ok ? (int64_t)count : 0;
    ok = ok && repair(r, err);
    free(asked);
    return ok;
}

const struct comparison_type comparison_records = {
    .open = records_open,
    .close = records_close,
    .start = records_start,
    .query = records_query,
    .documents = records_documents,
    .subjects = records_subjects,
};
