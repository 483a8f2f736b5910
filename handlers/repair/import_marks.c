#include "handlers/repair/import_marks.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "handlers/aggregate/aggregate_document.h"
#include "handlers/record_stats/record_marks.h"
#include "handlers/touched.h"

struct import_marks {
    struct handler *handler;
    struct touched *touched;         /* by events; NULL: these are none */
    struct aggregation *aggregation; /* whose documents these are; NULL: nobody's */
    struct dirty_mark *parents;
    size_t count, room;
    struct arena *arena;
};

static void start(struct import_marks *m)
{
    arena_reset(m->arena);
    m->count = 0;
    if (m->touched)
        touched_start(m->touched, m->arena);
}

struct import_marks *import_marks_new(struct handler *h)
{
    struct import_marks *m = xcalloc(1, sizeof *m);

    m->handler = h;
    m->arena = arena_new();
    if (h->type == &statistics_handler)
        m->touched = touched_new(h->settings, h->common);
    else if (h->type == &aggregate_handler)
        m->aggregation = aggregation_of(h);
    start(m);
    return m;
}

void import_marks_free(struct import_marks *m)
{
    if (!m)
        return;
    touched_free(m->touched);
    arena_free(m->arena);
    free(m->parents);
    free(m);
}

static void add_event(struct import_marks *m, const char *id, int64_t version, struct span text)
{
    struct event e = event_none;

    e.unique = span_of(arena_text(m->arena, id));
    e.data.text = arena_copy(m->arena, text.text, text.length);
    e.data.length = text.length;
    e.time_us = version;
    touched_add(m->touched, &e);
}

static void add_parent(struct import_marks *m, const char *parent)
{
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : 64;
        m->parents = xrealloc(m->parents, m->room * sizeof *m->parents);
    }
    m->parents[m->count++] = (struct dirty_mark){.key = span_of(parent)};
}

void import_marks_add(struct import_marks *m, const char *id, int64_t version, const json_t *source, struct span text)
{
    const char *parent = m->aggregation ? aggregate_parent(m->aggregation, source, m->arena) : NULL;

    if (m->touched)
        add_event(m, id, version, text);
    if (parent)
        add_parent(m, parent);
}

bool import_marks_set(struct import_marks *m, struct error *err)
{
    bool ok = (!m->touched || touched_mark(m->touched, m->handler->redis, err)) &&
              record_marks_set(m->handler, m->parents, m->count, err);

    start(m);
    return ok;
}
