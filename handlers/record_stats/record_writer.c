#include "handlers/record_stats/record_writer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "indexer/search.h"

enum {
    PIECES_MOST = 100, /* documents read whole at a time */
    WRITES_MOST = 5,   /* of a document that others write too, before it is left to the next run */
    NAP_MS = 100,
};

struct record_writer {
    const struct record_stats_options *options;
    struct client *client;
    struct bulk *bulk;
    char *side_index; /* with the prefix, as hits name it; NULL: into the record documents */
    struct buf fields;
    int64_t free_at_ms; /* when the rate allows the next documents */
};

/* A document on its way. */
struct piece {
    json_t *place;                       /* owned: _index, _id and _routing, as search_get wants them */
    const json_t *shown;                 /* id, parent and stats as the search saw them; NULL: they cannot be read */
    struct usage_entry *record, *parent; /* record NULL: it was never used; parent NULL: not known yet */
    size_t number;                       /* in the bulk */
    bool written;                        /* in this round */
    bool settled;
};

/* Documents that are brought up to date together. */
struct round {
    struct record_writer *writer;
    const struct usage_page *page;
    struct piece pieces[PIECES_MOST];
    size_t count;
    struct error *trouble;
};

struct record_writer *record_writer_new(const struct record_stats_options *o, struct client *c, int64_t bulk_bytes)
{
    struct record_writer *w = xcalloc(1, sizeof *w);
    struct buf name = BUF_INIT;

    w->options = o;
    w->client = c;
    w->bulk = bulk_new(c, bulk_bytes);
    buf_init(&w->fields);
    buf_printf(&w->fields, "%s,%s%s", o->id_field, o->parent_field, *o->side_index ? "" : ",stats");
    if (*o->side_index) {
        buf_printf(&name, "%s%s", client_prefix(c), o->side_index);
        w->side_index = buf_take(&name);
    }
    return w;
}

void record_writer_free(struct record_writer *w)
{
    if (!w)
        return;
    bulk_free(w->bulk);
    buf_release(&w->fields);
    free(w->side_index);
    free(w);
}

const char *record_writer_fields(const struct record_writer *w)
{
    return w->fields.data;
}

/* ----------------------------------------------------------------------------------------- which documents, where */

static struct usage_entry *entry_of(const struct usage_map *map, const json_t *source, const char *field)
{
    struct buf scratch = BUF_INIT;
    const char *id = json_scalar_text(json_at(source, field), &scratch);
    struct usage_entry *entry = id ? usage_map_find(map, span_of(id)) : NULL;

    buf_release(&scratch);
    return entry;
}

static json_t *place_of(const struct record_writer *w, const json_t *hit)
{
    static const char *const names[] = {"_index", "_id", "_routing"};
    struct buf scratch = BUF_INIT;
    const char *id;
    json_t *place = json_object();

    if (w->side_index) {
        id = json_scalar_text(json_at(json_object_get(hit, "_source"), w->options->id_field), &scratch);
        json_object_set_new(place, "_index", json_string(w->side_index));
        json_object_set_new(place, "_id", json_string(id ? id : ""));
        buf_release(&scratch);
        return place;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        json_object_set(place, names[i], json_object_get(hit, names[i])); /* what is not there is not set */
    return place;
}

static bool differs(const struct round *r, const struct piece *p, const json_t *source)
{
    static const struct usage never = {0};

    return usage_differs(source, p->record ? &p->record->usage : &never, &p->parent->usage, r->page->known);
}

/* False: it is none of ours. */
static bool identify(const struct round *r, struct piece *p, const json_t *source)
{
    p->parent = entry_of(r->page->parents, source, r->writer->options->parent_field);
    p->record = entry_of(r->page->records, source, r->writer->options->id_field);
    return p->parent != NULL;
}

static void add_piece(struct round *r, const json_t *hit)
{
    struct piece p = {.shown = json_object_get(hit, "_source")};

    if (p.shown && (!identify(r, &p, p.shown) || (!r->writer->side_index && !differs(r, &p, p.shown))))
        return;
    p.place = place_of(r->writer, hit);
    r->pieces[r->count++] = p;
}

static void fail(struct round *r, struct piece *p, const char *why)
{
    if (p->parent)
        p->parent->failed = true;
    p->settled = true;
    error_set(r->trouble, ERROR_AGAIN, "document %s/%s: %s", json_member_text(p->place, "_index", ""),
              json_member_text(p->place, "_id", ""), why);
}

/* --------------------------------------------------------------------------------------------------- writing one */

static void put(struct round *r, struct piece *p, int64_t version, const json_t *document)
{
    const struct bulk_target target = {
        .action = BULK_INDEX,
        .index = json_member_text(p->place, "_index", ""),
        .with_prefix = true,
        .id = json_member_text(p->place, "_id", ""),
        .routing = json_member_text(p->place, "_routing", NULL),
        .version = version,
        .same_version = true,
        .seq_no = -1,
        .primary_term = -1,
    };

    json_add(bulk_add(r->writer->bulk, &target, &p->number), document);
    p->written = true;
}

/* The record's own document, as it is now. */
static void put_record(struct round *r, struct piece *p, const json_t *now)
{
    static const struct usage never = {0};
    json_t *source = json_object_get(now, "_source");

    if (!json_is_true(json_object_get(now, "found")))
        p->settled = true; /* gone meanwhile */
    else if (!source)
        fail(r, p, "its index keeps no _source");
    else if (identify(r, p, source) &&
             usage_apply(source, p->record ? &p->record->usage : &never, &p->parent->usage, r->page->known))
        put(r, p, json_integer_value(json_object_get(now, "_version")), source);
    else
        p->settled = true;
}

/*
 * Who was held up and comes late is refused by its version. One that lies in the future was given by a clock set wrong,
 * and must not keep every other out until then.
 */
static int64_t version_beside(const struct round *r, const json_t *now)
{
    int64_t there = json_integer_value(json_object_get(now, "_version"));

    return there > clock_wall_us() ? there : r->page->taken_us;
}

/* The document beside it, made anew from the one there is. */
static void put_beside(struct round *r, struct piece *p, const json_t *now)
{
    static const struct usage never = {0};
    const struct record_stats_options *o = r->writer->options;
    const json_t *old = json_object_get(now, "_source");
    char updated[TIME_TEXT_BYTES];
    json_t *document;

    if (!p->shown) {
        fail(r, p, "the record it stands for cannot be read");
        return;
    }
    document = json_object();
    json_object_set(document, "id", json_at(p->shown, o->id_field));
    json_object_set(document, "parent", json_at(p->shown, o->parent_field));
    if (json_object_get(old, "stats"))
        json_object_set_new(document, "stats", json_deep_copy(json_object_get(old, "stats")));
    if (usage_apply(document, p->record ? &p->record->usage : &never, &p->parent->usage, r->page->known)) {
        json_object_set_new(document, "updated_timestamp", json_string(time_text(r->page->taken_us, updated)));
        put(r, p, version_beside(r, now), document);
    } else {
        p->settled = true;
    }
    json_decref(document);
}

static void settle_written(struct round *r, struct piece *p, const struct bulk_item *item, const char **busy)
{
    switch (item->outcome) {
    case BULK_UNSENT:
    case BULK_DONE:
    case BULK_SUPERSEDED:
    case BULK_CONFLICT:
        break; /* looked at again */
    case BULK_BUSY:
    case BULK_PAUSED:
        *busy = item->reason;
        break;
    case BULK_DEAD:
        fail(r, p, item->reason);
        break;
    }
}

/* ------------------------------------------------------------------------------------------------- reading them */

/* The pieces still open, as search_get wants them; which: their numbers. */
static size_t collect_open(const struct round *r, const json_t *places[PIECES_MOST], size_t which[PIECES_MOST])
{
    size_t count = 0;

    for (size_t i = 0; i < r->count; i++)
        if (!r->pieces[i].settled) {
            places[count] = r->pieces[i].place;
            which[count++] = i;
        }
    return count;
}

/* Halves until a document that cannot be read is alone; what can be is put into the bulk. */
static bool put_pieces(struct round *r, const json_t *const *places, const size_t *which, size_t count,
                       struct error *err)
{
    struct record_writer *w = r->writer;
    json_t *now;

    if (search_get(w->client, places, count, &now, err)) {
        for (size_t i = 0; i < count; i++)
            (w->side_index ? put_beside : put_record)(r, &r->pieces[which[i]], json_array_get(now, i));
        json_decref(now);
        return true;
    }
    if (err->kind != ERROR_INPUT)
        return false;
    if (count > 1)
        return put_pieces(r, places, which, count / 2, err) &&
               put_pieces(r, places + count / 2, which + count / 2, count - count / 2, err);
    fail(r, &r->pieces[which[0]], err->text);
    return true;
}

/* Reads the open pieces whole and writes those that are behind. */
static bool write_open(struct round *r, const json_t *const *places, const size_t *which, size_t count,
                       struct error *err)
{
    struct bulk *bulk = r->writer->bulk;
    const char *busy = NULL;

    bulk_start(bulk);
    for (size_t i = 0; i < count; i++)
        r->pieces[which[i]].written = false;
    if (!put_pieces(r, places, which, count, err) || (bulk_count(bulk) > 0 && !bulk_send(bulk, err)))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct piece *p = &r->pieces[which[i]];

        if (p->written)
            settle_written(r, p, bulk_item(bulk, p->number), &busy);
    }
    return !busy || error_set(err, ERROR_AGAIN, "OpenSearch takes no documents: %s", busy);
}

/* What another wrote over ours at the same version, or before it, is found out here. */
static bool look_again(struct round *r, const json_t *const *places, const size_t *which, size_t count,
                       struct error *err)
{
    json_t *now;

    if (!search_get_fields(r->writer->client, "stats", places, count, &now, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct piece *p = &r->pieces[which[i]];
        const json_t *document = json_array_get(now, i);

        p->settled =
            !json_is_true(json_object_get(document, "found")) || !differs(r, p, json_object_get(document, "_source"));
    }
    json_decref(now);
    return true;
}

static bool bring_round(struct round *r, struct error *err)
{
    const json_t *places[PIECES_MOST];
    size_t which[PIECES_MOST], count;

    for (int writes = 0; (count = collect_open(r, places, which)) > 0 && writes < WRITES_MOST; writes++) {
        if (!write_open(r, places, which, count, err))
            return false;
        count = collect_open(r, places, which);
        if (count > 0 && !look_again(r, places, which, count, err))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        fail(r, &r->pieces[which[i]], "others write it all the time");
    return true;
}

/* -------------------------------------------------------------------------------------------------- at what rate */

static bool wait_for_rate(struct record_writer *w, struct clock_run *run, struct error *err)
{
    int64_t left_ms;

    while ((left_ms = w->free_at_ms - clock_monotonic_ms()) > 0) {
        int64_t nap_ms = left_ms < NAP_MS ? left_ms : NAP_MS;

        nanosleep(&(struct timespec){.tv_nsec = (long)nap_ms * 1000000}, NULL);
        if (!run->may_go_on(run, err))
            return false;
    }
    return true;
}

/* Sooner or later than planned, the next documents wait for those just written. */
static void note_written(struct record_writer *w, size_t count)
{
    w->free_at_ms = clock_monotonic_ms() + (int64_t)count * 1000 / w->options->rate;
}

static bool flush(struct round *r, struct clock_run *run, struct error *err)
{
    bool ok = r->count == 0 || (wait_for_rate(r->writer, run, err) && bring_round(r, err));

    if (r->count > 0)
        note_written(r->writer, r->count);
    for (size_t i = 0; i < r->count; i++)
        json_decref(r->pieces[i].place);
    r->count = 0;
    return ok;
}

bool record_writer_bring(struct record_writer *w, const struct usage_page *page, const json_t *hits,
                         struct clock_run *run, struct error *trouble, struct error *err)
{
    size_t most = w->options->rate < PIECES_MOST ? (size_t)w->options->rate : PIECES_MOST;
    struct round *r = xcalloc(1, sizeof *r);
    bool ok = true;

    r->writer = w;
    r->page = page;
    r->trouble = trouble;
    for (size_t i = 0; ok && i < json_array_size(hits); i++) {
        add_piece(r, json_array_get(hits, i));
        if (r->count == most)
            ok = flush(r, run, err);
    }
    ok = flush(r, run, err) && ok;
    free(r);
    return ok;
}
