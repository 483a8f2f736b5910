#include "handlers/repair/rewrite.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/repair/writer.h"
#include "handlers/touched.h"
#include "indexer/search.h"

enum { TOGETHER = 500 };

struct rewrite {
    struct handler *handler;
    bool dry_run;
    rewrite_change *change;
    void *context;
    struct writer *writer;
    struct touched *touched;
    struct arena *arena;
    const json_t *hits[TOGETHER];
    const json_t *wanted[TOGETHER];
    size_t count;
    struct buf document;
    int64_t changed;
};

struct rewrite *rewrite_new(struct handler *h, struct clock_run *run, bool dry_run, rewrite_change *change,
                            void *context)
{
    struct rewrite *w = xcalloc(1, sizeof *w);

    w->handler = h;
    w->dry_run = dry_run;
    w->change = change;
    w->context = context;
    w->writer = writer_new(h->client, h->settings->opensearch.bulk_bytes, run);
    w->touched = touched_new(h->settings, h->common);
    w->arena = arena_new();
    buf_init(&w->document);
    return w;
}

static void forget(struct rewrite *w)
{
    for (size_t i = 0; i < w->count; i++) {
        json_decref((json_t *)(uintptr_t)w->hits[i]);
        json_decref((json_t *)(uintptr_t)w->wanted[i]);
    }
    w->count = 0;
}

void rewrite_free(struct rewrite *w)
{
    if (!w)
        return;
    forget(w);
    writer_free(w->writer);
    touched_free(w->touched);
    arena_free(w->arena);
    buf_release(&w->document);
    free(w);
}

int64_t rewrite_changed(const struct rewrite *w)
{
    return w->changed;
}

bool rewrite_add(struct rewrite *w, const json_t *hit, const json_t *wanted, struct error *err)
{
    w->hits[w->count] = json_incref((json_t *)(uintptr_t)hit);
    w->wanted[w->count++] = json_incref((json_t *)(uintptr_t)wanted);
    return w->count < TOGETHER || rewrite_flush(w, err);
}

/* ---------------------------------------------------------------------------------------------------- the page */

static void touch(struct rewrite *w, const json_t *doc)
{
    struct event e = event_none;
    const char *id = json_member_text(doc, "_id", "");

    e.unique = span_of(arena_text(w->arena, id));
    e.data.text = arena_copy(w->arena, w->document.data, w->document.length);
    e.data.length = w->document.length;
    e.time_us = json_integer_value(json_object_get(doc, "_version"));
    touched_add(w->touched, &e);
}

static bool write_back(struct rewrite *w, const json_t *doc, struct error *err)
{
    struct bulk_target target = {.action = BULK_INDEX, .with_prefix = true, .seq_no = -1, .primary_term = -1};

    target.index = json_member_text(doc, "_index", "");
    target.id = json_member_text(doc, "_id", "");
    target.routing = json_member_text(doc, "_routing", NULL);
    target.version = json_integer_value(json_object_get(doc, "_version"));
    target.same_version = true;
    buf_reset(&w->document);
    json_add(&w->document, json_object_get(doc, "_source"));
    touch(w, doc);
    return writer_add(w->writer, &target, w->document.data, w->document.length, err);
}

static bool change_all(struct rewrite *w, const json_t *docs, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < w->count; i++) {
        json_t *doc = json_array_get(docs, i);

        if (!json_is_true(json_object_get(doc, "found")) ||
            !w->change(json_object_get(doc, "_source"), w->wanted[i], w->context))
            continue;
        w->changed++;
        ok = w->dry_run || write_back(w, doc, err);
    }
    return ok;
}

/* Marked once it is durable: a run that took the marks before would see the documents as they were. */
static bool write_and_mark(struct rewrite *w, const json_t *docs, struct error *err)
{
    bool ok;

    arena_reset(w->arena);
    touched_start(w->touched, w->arena);
    ok = change_all(w, docs, err) && writer_flush(w->writer, err) &&
         (w->dry_run || touched_mark(w->touched, w->handler->redis, err));
    if (ok && writer_counts(w->writer)->refused > 0)
        ok = error_set(err, ERROR_INPUT, "OpenSearch refuses a document: %s", writer_counts(w->writer)->refusal);
    return ok;
}

bool rewrite_flush(struct rewrite *w, struct error *err)
{
    json_t *docs = NULL;
    bool ok = w->count == 0 ||
              (search_get(w->handler->client, w->hits, w->count, &docs, err) && write_and_mark(w, docs, err));

    json_decref(docs);
    forget(w);
    return ok;
}
