#include "handlers/touched.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "handlers/aggregate.h"
#include "handlers/dirty.h"
#include "handlers/statistics.h"

enum { SLOTS_FIRST = 64 };

/* A handler that computes, and what it has to compute again. */
struct reader {
    const struct handler_settings *common;
    const struct aggregate_options *options;
    struct buf member;         /* the key's, as it stands in data */
    bool deep;                 /* the key is a path into data */
    bool is_id;                /* the key is the field that holds the unique id where data has none */
    int64_t start_us, next_us; /* the interval found last */

    struct dirty_mark *marks;
    size_t count;
    uint32_t *slots; /* a table of marks: their number + 1, 0 for none */
    size_t slot_count;
};

struct touched {
    struct reader *readers;
    size_t count;
    struct buf time_member;
    struct arena *arena;
};

static bool reads(const struct handler_settings *hs, const struct handler_settings *writer)
{
    return text_same(hs->type, "aggregate") && text_same(((const struct aggregate_options *)hs->own)->of, writer->name);
}

static void open_reader(struct touched *t, const struct handler_settings *hs, const struct statistics_options *written)
{
    struct reader *r;

    t->readers = xrealloc(t->readers, (t->count + 1) * sizeof *t->readers);
    r = &t->readers[t->count++];
    *r = (struct reader){.common = hs, .options = hs->own};
    buf_init(&r->member);
    buf_add_json_text(&r->member, r->options->field);
    buf_add_char(&r->member, ':');
    r->deep = strchr(r->options->field, '.') != NULL;
    r->is_id = text_same(r->options->field, written->id_field);
}

struct touched *touched_new(const struct settings *s, const struct handler_settings *writer)
{
    const struct statistics_options *written = writer->own;
    struct touched *t = xcalloc(1, sizeof *t);

    buf_init(&t->time_member);
    buf_add_json_text(&t->time_member, written->time_field);
    buf_add_char(&t->time_member, ':');
    for (size_t i = 0; i < s->handler_count; i++)
        if (reads(&s->handlers[i], writer))
            open_reader(t, &s->handlers[i], written);
    return t;
}

void touched_free(struct touched *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        buf_release(&t->readers[i].member);
    free(t->readers);
    buf_release(&t->time_member);
    free(t);
}

static void forget(struct reader *r)
{
    r->marks = NULL;
    r->slots = NULL;
    r->count = r->slot_count = 0;
}

void touched_start(struct touched *t, struct arena *arena)
{
    t->arena = arena;
    for (size_t i = 0; i < t->count; i++)
        forget(&t->readers[i]);
}

/* ------------------------------------------------------------------------------------------ a document's key */

/* A JSON text that is a single value, as the search engine's terms have it. */
static bool scalar(struct arena *arena, struct span json, struct span *out)
{
    bool string = json.length >= 2 && json.text[0] == '"';
    struct buf scratch = BUF_INIT;
    const char *text = NULL;
    struct error err;
    json_t *value;

    if (string && !memchr(json.text, '\\', json.length)) {
        *out = (struct span){json.text + 1, json.length - 2};
        return true;
    }
    value = json_text_parse(json.text, json.length, JSON_DEPTH_MOST, &err);
    if (value && (text = json_scalar_text(value, &scratch))) {
        out->length = strlen(text);
        out->text = arena_copy(arena, text, out->length);
    }
    json_decref(value);
    buf_release(&scratch);
    return text != NULL;
}

static bool deep_key(struct arena *arena, const struct reader *r, struct span data, struct span *key)
{
    struct buf scratch = BUF_INIT;
    struct error err;
    json_t *value = json_text_parse(data.text, data.length, JSON_DEPTH_MOST, &err);
    const json_t *found = value ? json_at(value, r->options->field) : NULL;
    const char *text = found ? json_scalar_text(found, &scratch) : NULL;

    if (text) {
        key->length = strlen(text);
        key->text = arena_copy(arena, text, key->length);
    }
    json_decref(value);
    buf_release(&scratch);
    return text != NULL;
}

static bool key_of(const struct touched *t, const struct reader *r, const struct event *e, struct span *key)
{
    struct span json;

    if (json_text_member(e->data.text, e->data.length, r->member.data, &json))
        return scalar(t->arena, json, key);
    if (r->is_id) {
        *key = e->unique;
        return true;
    }
    return r->deep && e->data.length > 0 && deep_key(t->arena, r, e->data, key);
}

/* The document's time, which may be another than the event's. */
static int64_t time_of(const struct touched *t, const struct event *e)
{
    struct span json;
    int64_t us;

    if (json_text_member(e->data.text, e->data.length, t->time_member.data, &json) && json.length > 2 &&
        time_parse(json.text + 1, json.length - 2, true, &us))
        return us;
    return e->time_us;
}

static int64_t interval_of(struct reader *r, int64_t time_us)
{
    enum aggregate_interval i = (enum aggregate_interval)r->options->interval;

    if (time_us < r->start_us || time_us >= r->next_us) {
        r->start_us = aggregate_interval_start(i, time_us);
        r->next_us = aggregate_interval_next(i, r->start_us);
    }
    return r->start_us;
}

/* -------------------------------------------------------------------------------------------- each mark once */

static bool same_mark(const struct dirty_mark *a, const struct dirty_mark *b)
{
    return a->interval_us == b->interval_us && a->key.length == b->key.length &&
           memcmp(a->key.text, b->key.text, a->key.length) == 0;
}

/* The slot where the mark is, or would be. */
static uint32_t *find_slot(const struct reader *r, const struct dirty_mark *m)
{
    size_t at = (size_t)(hash_table(m->key.text, m->key.length) ^ (uint64_t)m->interval_us / US_PER_SECOND);

    while (r->slots[at & (r->slot_count - 1)] && !same_mark(&r->marks[r->slots[at & (r->slot_count - 1)] - 1], m))
        at++;
    return &r->slots[at & (r->slot_count - 1)];
}

/* At most half of the slots are taken; there is room for as many marks. */
static void grow(struct reader *r, struct arena *arena)
{
    size_t count = r->slot_count ? 2 * r->slot_count : SLOTS_FIRST;
    struct dirty_mark *marks = arena_alloc(arena, count / 2 * sizeof *marks);

    if (r->count)
        memcpy(marks, r->marks, r->count * sizeof *marks);
    r->marks = marks;
    r->slots = arena_zero(arena, count * sizeof *r->slots);
    r->slot_count = count;
    for (size_t i = 0; i < r->count; i++)
        *find_slot(r, &r->marks[i]) = (uint32_t)i + 1;
}

static void add_mark(struct reader *r, struct arena *arena, const struct dirty_mark *m)
{
    uint32_t *slot;

    if (r->count == r->slot_count / 2)
        grow(r, arena);
    slot = find_slot(r, m);
    if (*slot)
        return;
    r->marks[r->count++] = *m;
    *slot = (uint32_t)r->count;
}

void touched_add(struct touched *t, const struct event *e)
{
    int64_t time_us = t->count ? time_of(t, e) : 0;

    for (size_t i = 0; i < t->count; i++) {
        struct reader *r = &t->readers[i];
        struct dirty_mark mark = {.interval_us = interval_of(r, time_us)};

        if (key_of(t, r, e, &mark.key))
            add_mark(r, t->arena, &mark);
    }
}

bool touched_mark(struct touched *t, struct redis *r, struct error *err)
{
    for (size_t i = 0; i < t->count; i++) {
        struct reader *one = &t->readers[i];

        if (one->count > 0 && !dirty_mark(r, one->common->queue, one->common->name, one->marks, one->count, err))
            return false;
        forget(one);
    }
    return true;
}
