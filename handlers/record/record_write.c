#include "handlers/record/record_write.h"

#include "base/counters.h"
#include "handlers/record/record_options.h"
#include "handlers/tombstone.h"

/* Documents on their way, and the tombstones that belong to them. */
struct writing {
    struct handler *handler;
    struct bulk *bulk;
    struct batch *batch;
    struct record **items;
    size_t count;
    struct tombstone *stones; /* of some of them, as the step needs it */
    struct record **of_stone;
    size_t stone_count;
};

static const struct record_options *options_of(const struct writing *w)
{
    return w->handler->options;
}

static void add_stone(struct writing *w, struct record *record, int64_t version, bool silent)
{
    w->stones[w->stone_count] = (struct tombstone){record->index, record->id, version, silent};
    w->of_stone[w->stone_count++] = record;
}

/* ------------------------------------------------------------------------------------------ before the writing */

static bool raise_stones(struct writing *w, struct error *err)
{
    w->stone_count = 0;
    for (size_t i = 0; i < w->count; i++)
        if (w->items[i]->gone && !w->items[i]->unborn)
            add_stone(w, w->items[i], w->items[i]->version, w->items[i]->silent);
    if (!tombstones_raise(w->handler->redis, w->handler->common->queue, w->stones, w->stone_count,
                          options_of(w)->tombstones_ms, w->batch->arena, err))
        return false;
    for (size_t i = 0; i < w->stone_count; i++)
        w->of_stone[i]->version = w->stones[i].version;
    return true;
}

static bool read_stones(struct writing *w, struct error *err)
{
    w->stone_count = 0;
    for (size_t i = 0; i < w->count; i++)
        if (!w->items[i]->gone || w->items[i]->unborn)
            add_stone(w, w->items[i], TOMBSTONE_NONE, false);
    if (!tombstones_read(w->handler->redis, w->handler->common->queue, w->stones, w->stone_count, w->batch->arena, err))
        return false;
    for (size_t i = 0; i < w->stone_count; i++) {
        w->of_stone[i]->tombstone = w->stones[i].version;
        w->of_stone[i]->silent_stone = w->stones[i].silent;
    }
    return true;
}

static void count_refused(const struct writing *w)
{
    counter_add(counter_with(COUNTER_TOTAL, "crier_tombstone_refused_total",
                             "events that came after a deletion at their version or a newer one", "handler",
                             w->handler->common->name, NULL),
                1);
}

/* One that is too old deletes: an attempt at it that was cut off may have written. */
static void heed_stone(struct writing *w, struct record *record)
{
    if (record->silent_stone && record->found && record->tombstone == record->version) {
        record->revived = true;
    } else if (record->tombstone >= record->version) {
        record->gone = true;
        record->unborn = false;
        record->version = record->tombstone;
        count_refused(w);
    } else if (record->unborn) {
        delivery_set(w->batch, record->newest, OUTCOME_RETRY, "the source does not have it yet", NULL);
    }
}

/* Those that were raised to a deletion that was told, or to a higher version, stay, and are found after the writing. */
static bool remove_silent_stones(struct writing *w, struct error *err)
{
    w->stone_count = 0;
    for (size_t i = 0; i < w->count; i++)
        if (w->items[i]->revived)
            add_stone(w, w->items[i], w->items[i]->version, false);
    return tombstones_remove(w->handler->redis, w->handler->common->queue, w->stones, w->stone_count, w->batch->arena,
                             err);
}

static bool heed_stones(struct writing *w, struct error *err)
{
    if (!read_stones(w, err))
        return false;
    for (size_t i = 0; i < w->stone_count; i++)
        heed_stone(w, w->of_stone[i]);
    return remove_silent_stones(w, err);
}

/* --------------------------------------------------------------------------------------------------- the writing */

static void add_item(struct writing *w, struct record *record)
{
    struct bulk_target target = {
        .action = record->gone ? BULK_DELETE : BULK_INDEX,
        .index = record->index,
        .id = record->id.text,
        .id_length = record->id.length,
        .routing = record->routing,
        .version = record->version,
        .same_version = record->gone || record->revived || options_of(w)->versions == RECORD_EXTERNAL_GTE,
        .seq_no = -1,
        .primary_term = -1,
    };
    struct buf *document = bulk_add(w->bulk, &target, &record->number);

    if (!record->gone)
        buf_add(document, record->body.text, record->body.length);
}

/* Whether this round's bulk wrote it. */
static bool is_written(const struct writing *w, const struct record *record)
{
    return record->newest->outcome == OUTCOME_NONE && !record->gone &&
           bulk_item(w->bulk, record->number)->outcome == BULK_DONE;
}

/* Finds those that a deletion came by while they were written. */
static bool read_again(struct writing *w, struct error *err)
{
    w->stone_count = 0;
    for (size_t i = 0; i < w->count; i++)
        if (is_written(w, w->items[i]))
            add_stone(w, w->items[i], TOMBSTONE_NONE, false);
    if (!tombstones_read(w->handler->redis, w->handler->common->queue, w->stones, w->stone_count, w->batch->arena, err))
        return false;
    for (size_t i = 0; i < w->stone_count; i++)
        if (w->stones[i].version >= w->of_stone[i]->version) {
            w->of_stone[i]->overtaken = w->of_stone[i]->gone = true;
            w->of_stone[i]->version = w->stones[i].version;
        }
    return true;
}

static void settle(struct writing *w, struct record *record)
{
    if (record->newest->outcome == OUTCOME_NONE)
        handler_settle(w->batch, record->newest, bulk_item(w->bulk, record->number));
}

/* The last use of the bulk: what the first had to say was heard. */
static bool delete_overtaken(struct writing *w, struct error *err)
{
    bool ok = true, any = false;

    bulk_start(w->bulk);
    for (size_t i = 0; i < w->count; i++)
        if (w->items[i]->overtaken) {
            add_item(w, w->items[i]);
            any = true;
        }
    if (any)
        ok = bulk_send(w->bulk, err);
    for (size_t i = 0; i < w->count; i++)
        if (w->items[i]->overtaken)
            settle(w, w->items[i]);
    return ok;
}

/* Tombstones of documents that are there again. */
static bool remove_stones(struct writing *w, struct error *err)
{
    w->stone_count = 0;
    for (size_t i = 0; i < w->count; i++)
        if (is_written(w, w->items[i]) && w->items[i]->tombstone != TOMBSTONE_NONE)
            add_stone(w, w->items[i], w->items[i]->version, true);
    return tombstones_remove(w->handler->redis, w->handler->common->queue, w->stones, w->stone_count, w->batch->arena,
                             err);
}

/* Also after a bulk that failed half way: what was written is looked at once more, and settled. */
static bool finish(struct writing *w, struct error *err)
{
    if (!read_again(w, err) || !remove_stones(w, err))
        return false;
    for (size_t i = 0; i < w->count; i++)
        if (!w->items[i]->overtaken)
            settle(w, w->items[i]);
    return delete_overtaken(w, err);
}

/* ------------------------------------------------------------------------------------------------------ all of it */

static void take_open(struct writing *w, struct record *items, size_t count)
{
    w->items = arena_alloc(w->batch->arena, count * sizeof(struct record *));
    w->of_stone = arena_alloc(w->batch->arena, count * sizeof(struct record *));
    w->stones = arena_alloc(w->batch->arena, count * sizeof *w->stones);
    for (size_t i = 0; i < count; i++)
        if (items[i].newest && items[i].newest->outcome == OUTCOME_NONE)
            w->items[w->count++] = &items[i];
}

bool record_write(struct handler *h, struct bulk *bulk, struct records *r, struct record *items, size_t count,
                  struct error *err)
{
    struct writing w = {.handler = h, .bulk = bulk, .batch = r->batch};
    struct error second; /* of a pass that failed already */
    bool ok;

    take_open(&w, items, count);
    if (w.count == 0)
        return true;
    if (!raise_stones(&w, err) || !heed_stones(&w, err))
        return false;
    bulk_start(bulk);
    for (size_t i = 0; i < w.count; i++)
        if (w.items[i]->newest->outcome == OUTCOME_NONE)
            add_item(&w, w.items[i]);
    ok = bulk_send(bulk, err);
    return finish(&w, ok ? err : &second) && ok;
}
