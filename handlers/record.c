#include "handlers/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "handlers/record/record_batch.h"
#include "handlers/record/record_options.h"
#include "handlers/record/record_state.h"
#include "handlers/record/record_write.h"
#include "handlers/source/source.h"
#include "notifier/pattern.h"
#include "notifier/template.h"

#define PAYLOAD "payload"

enum { ASKED_MOST = 200 /* documents of a source in memory at a time */ };

static bool document_check(const char *path, struct error *err);

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */

#define AT(field) offsetof(struct record_options, field)
static const struct config_key keys[] = {
    {"index", CONFIG_TEXT, AT(index), NULL, 0, 0, NULL, template_check_index,
     "index or alias of the subject's document; placeholders such as {subject.kind}"},
    {"id", CONFIG_TEXT, AT(id), "{subject.id}", 0, 0, NULL, template_check,
     "its _id"},
    {"routing", CONFIG_TEXT, AT(routing), "", 0, 0, NULL, template_check,
     "its routing; empty: by the id, or as the source says"},
    {"source", CONFIG_TEXT, AT(source), PAYLOAD, 0, 0, NULL, NULL,
     "where the document comes from: payload (the event carries it), or the name of a [source]"},
    {"document", CONFIG_TEXT, AT(document), "data", 0, 0, NULL, document_check,
     "of a payload, which part of it is the document: data or data.PATH"},
    {"deleted", CONFIG_TEXT, AT(deleted), "*.deleted", 0, 0, NULL, patterns_check,
     "types of events that mean the subject is gone"},
    {"created", CONFIG_TEXT, AT(created), "*.created", 0, 0, NULL, patterns_check,
     "types of events that mean it is new: a source that does not have it yet is asked again, any other that is not in "
     "the source is gone"},
    {"versions", CONFIG_CHOICE, AT(versions), "external", 0, 0, "external external_gte", NULL,
     "whether a document is also written over one of the same version (external_gte)"},
    {"tombstones", CONFIG_TIME, AT(tombstones_ms), "30d", MS_PER_DAY / 24, 3660 * MS_PER_DAY, NULL, NULL,
     "how long a deletion is known, so that no older event undoes it: as long as events may be late or are replayed"},
    CONFIG_END,
};
#undef AT

/* clang-format on */

struct record_state {
    struct record_templates templates;
    struct source *source; /* NULL: the event carries the document */
    struct bulk *bulk;
    struct arena *arena; /* what a source gives */
};

static bool document_check(const char *path, struct error *err)
{
    return strcmp(path, "data") == 0 || (text_starts(path, "data.") && path[strlen("data.")]) ||
           error_set(err, ERROR_CONFIG, "must be data or data.PATH");
}

static bool has_source(const struct record_options *o)
{
    return strcmp(o->source, PAYLOAD) != 0;
}

static bool record_check(const void *options, struct error *err)
{
    const struct record_options *o = options;

    return !has_source(o) || strcmp(o->document, "data") == 0 ||
           error_set(err, ERROR_CONFIG, "document is for source = " PAYLOAD ": a [source] has a key of its own for it");
}

static bool record_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    const struct record_options *o = hs->own;

    return !has_source(o) || source_named(s, o->source, err);
}

static bool record_open(struct handler *h, struct error *err)
{
    const struct record_options *o = h->options;
    struct record_state *s = h->state = xcalloc(1, sizeof *s);

    s->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    s->arena = arena_new();
    s->templates.index = template_new(o->index, err);
    s->templates.id = s->templates.index ? template_new(o->id, err) : NULL;
    if (!s->templates.id || (*o->routing && !(s->templates.routing = template_new(o->routing, err))))
        return false;
    return !has_source(o) || (s->source = source_new(h->settings, o->source, err));
}

static void record_close(struct handler *h)
{
    struct record_state *s = h->state;

    if (!s)
        return;
    template_free(s->templates.index);
    template_free(s->templates.id);
    template_free(s->templates.routing);
    source_free(s->source);
    bulk_free(s->bulk);
    arena_free(s->arena);
    free(s);
}

static bool do_some(struct handler *h, struct records *r, struct record *items, size_t count, struct error *err)
{
    struct record_state *s = h->state;

    arena_reset(s->arena);
    if (!s->source)
        record_state_of_payload(r, h->options, items, count);
    else if (!record_state_of_source(r, h->options, items, count, s->source, h->client, s->arena, err))
        return false;
    return record_write(h, s->bulk, r, items, count, err);
}

static bool do_all(struct handler *h, struct records *r, struct error *err)
{
    const struct record_state *s = h->state;
    size_t most = s->source ? ASKED_MOST : r->count;

    for (size_t at = 0; at < r->count; at += most)
        if (!do_some(h, r, r->items + at, r->count - at < most ? r->count - at : most, err))
            return false;
    return true;
}

static bool record_handle(struct handler *h, struct batch *in, struct error *err)
{
    const struct record_options *o = h->options;
    const struct record_state *s = h->state;
    struct records records;
    bool ok = true;

    records_collect(&records, in, &s->templates, o->deleted);
    while (ok && records_pick(&records)) {
        ok = do_all(h, &records, err);
        records_settle(&records);
    }
    return ok;
}

const struct handler_type record_handler = {
    .name = "record",
    .help = "the subject's own document is indexed or deleted, the newest revision stays",
    .keys = keys,
    .size = sizeof(struct record_options),
    .check = record_check,
    .fits = record_fits,
    .open = record_open,
    .handle = record_handle,
    .close = record_close,
};
