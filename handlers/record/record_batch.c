#include "handlers/record/record_batch.h"

#include <string.h>

#include "handlers/source/source.h"
#include "handlers/tombstone.h"
#include "notifier/pattern.h"

/* ------------------------------------------------------------------------------------------------- collecting */

static const char *fill(struct records *r, struct template *t, bool as_index, const struct event *e, size_t *length,
                        struct error *err)
{
    struct buf text = BUF_INIT;
    const char *out = NULL;

    if (as_index ? template_add_index(t, e, &text, err) : template_add(t, e, &text, err)) {
        out = arena_copy(r->batch->arena, text.data, text.length);
        *length = text.length;
    }
    buf_release(&text);
    return out;
}

static struct span key_of(struct arena *arena, const char *index, struct span id)
{
    size_t index_bytes = strlen(index) + 1; /* with its NUL, which no index's name has in it */
    char *text = arena_alloc(arena, index_bytes + id.length);

    memcpy(text, index, index_bytes);
    memcpy(text + index_bytes, id.text, id.length);
    return (struct span){text, index_bytes + id.length};
}

static bool collect_one(struct records *r, const struct event *e, const struct record_templates *t, size_t *number,
                        struct error *err)
{
    struct record record = {.routing = NULL}, *found;
    size_t ignored;

    if (e->subject.length == 0)
        return error_set(err, ERROR_INPUT, "the event has no subject: nothing tells whose document it is");
    record.index = fill(r, t->index, true, e, &ignored, err);
    record.id.text = record.index ? fill(r, t->id, false, e, &record.id.length, err) : NULL;
    if (!record.id.text || (t->routing && !(record.routing = fill(r, t->routing, false, e, &ignored, err))))
        return false;
    record.key = key_of(r->batch->arena, record.index, record.id);
    found = span_table_find(&r->by_key, record.key);
    if (!found) {
        found = &r->items[r->count++];
        *found = record;
        span_table_add(&r->by_key, found);
    }
    *number = (size_t)(found - r->items);
    return true;
}

void records_collect(struct records *r, struct batch *in, const struct record_templates *t, const char *deleted)
{
    struct error err = ERROR_INIT;

    *r = (struct records){.batch = in, .deleted = deleted};
    r->items = arena_zero(in->arena, in->count * sizeof *r->items);
    span_table_init(&r->by_key, in->arena, in->count, offsetof(struct record, key));
    r->of_delivery = arena_zero(in->arena, in->count * sizeof *r->of_delivery);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE && !collect_one(r, &in->items[i].event, t, &r->of_delivery[i], &err))
            delivery_set(in, &in->items[i], OUTCOME_DEAD, err.text, NULL);
}

/* --------------------------------------------------------------------------------------------------- the rounds */

/* By revision where both have one, else by time; of two alike the deletion, then the one that came later. */
static bool is_newer(const struct records *r, const struct event *a, const struct event *b)
{
    if (a->revision != REVISION_NONE && b->revision != REVISION_NONE) {
        if (a->revision != b->revision)
            return a->revision > b->revision;
        return patterns_match(r->deleted, a->type) || !patterns_match(r->deleted, b->type);
    }
    return a->time_us >= b->time_us;
}

bool records_pick(struct records *r)
{
    bool any = false;

    for (size_t i = 0; i < r->count; i++) {
        r->items[i].newest = NULL;
        r->items[i].version = VERSION_NONE;
        r->items[i].tombstone = TOMBSTONE_NONE;
        r->items[i].gone = r->items[i].unborn = r->items[i].overtaken = false;
        r->items[i].silent = r->items[i].found = r->items[i].revived = false;
        r->items[i].body = SPAN_NONE;
    }
    for (size_t i = 0; i < r->batch->count; i++) {
        struct delivery *d = &r->batch->items[i];
        struct record *record = &r->items[r->of_delivery[i]];

        if (d->outcome != OUTCOME_NONE)
            continue;
        any = true;
        if (!record->newest || is_newer(r, &d->event, &record->newest->event))
            record->newest = d;
    }
    return any;
}

void records_settle(struct records *r)
{
    for (size_t i = 0; i < r->batch->count; i++) {
        struct delivery *d = &r->batch->items[i];
        const struct delivery *newest = r->items[r->of_delivery[i]].newest;

        if (d->outcome == OUTCOME_NONE && newest && newest->outcome != OUTCOME_DEAD)
            delivery_set(r->batch, d, newest->outcome, newest->reason, newest->reply);
    }
}
