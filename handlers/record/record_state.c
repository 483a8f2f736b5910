#include "handlers/record/record_state.h"

#include <string.h>

#include "base/json_compact.h"
#include "indexer/search.h"
#include "notifier/pattern.h"

#define NO_REVISION "the event has no revision: nothing tells whether the document is newer than what is there"

static bool is_open(const struct record *record)
{
    return record->newest && record->newest->outcome == OUTCOME_NONE;
}

static void dead(struct records *r, struct record *record, const char *reason, const char *reply)
{
    delivery_set(r->batch, record->newest, OUTCOME_DEAD, reason, reply);
}

/* ------------------------------------------------------------------------------------------------ by the event */

/* The bytes of data, or of a part of it, as they are. */
static struct span payload_of(const struct record_options *o, const struct event *e)
{
    const char *path = o->document + strlen("data");
    struct span body;

    return json_compact_at(e->data, *path == '.' ? path + 1 : "", &body) ? body : SPAN_NONE;
}

static void read_payload(struct records *r, const struct record_options *o, struct record *record)
{
    const struct event *e = &record->newest->event;

    record->version = e->revision;
    record->gone = patterns_match(o->deleted, e->type);
    if (e->revision == REVISION_NONE) {
        dead(r, record, NO_REVISION, NULL);
        return;
    }
    if (record->gone)
        return;
    record->body = payload_of(o, e);
    if (!json_compact_is_object(record->body))
        dead(r, record, "the event has no document: a JSON object is wanted where `document` says", NULL);
}

void record_state_of_payload(struct records *r, const struct record_options *o, struct record *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_open(&items[i]))
            read_payload(r, o, &items[i]);
}

/* ----------------------------------------------------------------------------------------------- by the source */

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A source that is behind the event (a replica of a database) would have an old state written for good. */
static void take_found(struct records *r, struct record *record, const struct source_document *d)
{
    const struct event *e = &record->newest->event;

    if (d->version != VERSION_NONE && e->revision != REVISION_NONE && d->version < e->revision) {
        delivery_set(r->batch, record->newest, OUTCOME_RETRY, "the source is behind the event", NULL);
        return;
    }
    record->found = true;
    record->version = d->version != VERSION_NONE ? d->version : e->revision;
    record->body = d->body;
    if (!record->routing && d->routing.length)
        record->routing = arena_copy(r->batch->arena, d->routing.text, d->routing.length);
    if (record->version == VERSION_NONE)
        dead(r, record, "neither the event has a revision nor the source a version", NULL);
}

/* What a source does not have is gone, at the version that the source or the event tells. */
static void take_missing(const struct record_options *o, struct record *record, const struct source_document *d)
{
    const struct event *e = &record->newest->event;

    record->version = later_of(d->version, e->revision);
    record->gone = true;
    record->silent = d->version == VERSION_NONE && !patterns_match(o->deleted, e->type);
    record->unborn = d->version == VERSION_NONE && e->revision != REVISION_NONE && patterns_match(o->created, e->type);
}

static void take_document(struct records *r, const struct record_options *o, struct record *record,
                          const struct source_document *d)
{
    if (d->wrong)
        delivery_set(r->batch, record->newest, d->may_pass ? OUTCOME_RETRY : OUTCOME_DEAD,
                     "what the source answers cannot be used", d->wrong);
    else if (d->found)
        take_found(r, record, d);
    else
        take_missing(o, record, d);
}

/* A deletion that says its revision needs no source: what is there now, if anything, is newer or has to go. */
static bool is_told(const struct record_options *o, struct record *record)
{
    const struct event *e = &record->newest->event;

    record->gone = e->revision != REVISION_NONE && patterns_match(o->deleted, e->type);
    record->version = record->gone ? e->revision : VERSION_NONE;
    return record->gone;
}

static json_t *hit_of(const struct record *record, const struct client *c, struct arena *arena)
{
    json_t *hit = json_pack("{s:s}", "_index", arena_printf(arena, "%s%s", client_prefix(c), record->index));

    json_object_set_new(hit, "_id", json_stringn(record->id.text, record->id.length));
    if (record->routing)
        json_object_set_new(hit, "_routing", json_string(record->routing));
    return hit;
}

static void take_version(struct records *r, struct record *record, const json_t *doc)
{
    if (json_is_true(json_object_get(doc, "found")))
        record->version = json_integer_value(json_object_get(doc, "_version"));
    else
        delivery_set(r->batch, record->newest, OUTCOME_DONE, NULL, NULL);
}

/* Nobody tells the version at which it went: that of the document that is there, so that none written later goes. */
static bool find_versions(struct records *r, struct record **asked, size_t count, struct client *c, struct arena *arena,
                          struct error *err)
{
    const json_t **hits = arena_alloc(arena, count * sizeof(const json_t *));
    struct record **of_hit = arena_alloc(arena, count * sizeof(struct record *));
    json_t *list = json_array(), *docs = NULL;
    size_t hit_count = 0;
    bool ok;

    for (size_t i = 0; i < count; i++)
        if (is_open(asked[i]) && asked[i]->gone && asked[i]->version == VERSION_NONE) {
            json_array_append_new(list, hit_of(asked[i], c, arena));
            hits[hit_count] = json_array_get(list, hit_count);
            of_hit[hit_count++] = asked[i];
        }
    ok = hit_count == 0 || search_get_fields(c, "_id", hits, hit_count, &docs, err);
    for (size_t i = 0; ok && i < hit_count; i++)
        take_version(r, of_hit[i], json_array_get(docs, i));
    json_decref(docs);
    json_decref(list);
    return ok;
}

bool record_state_of_source(struct records *r, const struct record_options *o, struct record *items, size_t count,
                            struct source *source, struct client *c, struct arena *arena, struct error *err)
{
    struct source_document *docs = arena_alloc(arena, count * sizeof *docs);
    struct record **asked = arena_alloc(arena, count * sizeof *asked);
    struct span *ids = arena_alloc(arena, count * sizeof *ids);
    size_t asked_count = 0;

    for (size_t i = 0; i < count; i++)
        if (is_open(&items[i]) && !is_told(o, &items[i])) {
            ids[asked_count] = event_subject_id(&items[i].newest->event);
            asked[asked_count++] = &items[i];
        }
    if (!source_get(source, ids, asked_count, arena, docs, err))
        return false;
    for (size_t i = 0; i < asked_count; i++)
        take_document(r, o, asked[i], &docs[i]);
    return find_versions(r, asked, asked_count, c, arena, err);
}
