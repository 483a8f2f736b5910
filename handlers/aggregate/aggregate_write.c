#include "handlers/aggregate/aggregate_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers/aggregate/aggregate_document.h"
#include "handlers/aggregate/aggregate_leave.h"
#include "indexer/search.h"
#include "notifier/stream.h"

enum { READ_TOGETHER = 1000, ID_BYTES_MOST = 512 /* OpenSearch's own */ };

/*
 * KEYS: the last number. ARGV: a number it must be above. It is not below the microseconds since 1970 either, so that
 * an emptied Redis goes on above what it gave before. Replies text: a script's numbers end at 2^53.
 */
static struct redis_script version_script = {
    .text = SCRIPT_ALLOW_OOM "local last = redis.call('GET', KEYS[1]) or '0'\n"
                             "local time = redis.call('TIME')\n"
                             "local now = string.format('%.0f', time[1] * 1000000 + time[2])\n"
                             "if tonumber(now) > tonumber(last) then last = now end\n"
                             "if tonumber(ARGV[1]) > tonumber(last) then last = ARGV[1] end\n"
                             "redis.call('SET', KEYS[1], last)\n"
                             "redis.call('INCR', KEYS[1])\n"
                             "return redis.call('GET', KEYS[1])\n",
};

bool aggregate_version(struct aggregation *a, int64_t above, int64_t *version, struct error *err)
{
    const struct handler_settings *hs = a->handler->common;
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    const struct reply *reply;
    char what[KEY_BYTES / 2], key[KEY_BYTES];
    bool ok;

    snprintf(what, sizeof what, "version:%s", hs->name);
    redis_script_args(&version_script, &args, 1);
    args_text(&args, queue_key(hs->queue, what, key));
    args_int(&args, above);
    ok = redis_script_call(a->handler->redis, &version_script, &args, arena, &reply, err);
    if (ok)
        *version = strtoll(reply->text, NULL, 10);
    args_release(&args);
    arena_free(arena);
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- reading */

/* "<key>-<date>" */
static void add_id(const struct aggregation *a, const struct dirty_mark *mark, struct buf *out)
{
    char date[INTERVAL_TEXT_BYTES];

    buf_add(out, mark->key.text, mark->key.length);
    buf_add_char(out, '-');
    buf_add_text(out, aggregate_id_date((enum aggregate_interval)a->options->interval, mark->interval_us, date));
}

static bool make_place(struct aggregation *a, const struct dirty_mark *mark, json_t **place, struct error *err)
{
    struct buf index = BUF_INIT, id = BUF_INIT;
    bool ok;

    buf_add_text(&index, client_prefix(a->handler->client));
    ok = aggregate_add_index(a, mark->interval_us, &index, err);
    add_id(a, mark, &id);
    *place = ok ? json_pack("{s:s, s:s%}", "_index", index.data, "_id", id.data, id.length) : NULL;
    buf_release(&index);
    buf_release(&id);
    return ok;
}

static bool read_some(struct aggregation *a, const struct dirty_mark *marks, size_t count, json_t *docs,
                      struct error *err)
{
    json_t *places[READ_TOGETHER] = {NULL}, *read = NULL;
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++)
        ok = make_place(a, &marks[i], &places[i], err);
    ok = ok && search_get(a->handler->client, (const json_t *const *)places, count, &read, err);
    if (ok)
        json_array_extend(docs, read);
    for (size_t i = 0; i < count; i++)
        json_decref(places[i]);
    json_decref(read);
    return ok;
}

bool aggregate_read(struct aggregation *a, const struct dirty_mark *marks, size_t count, json_t **docs,
                    struct error *err)
{
    bool ok = true;

    *docs = json_array();
    for (size_t at = 0; ok && at < count; at += READ_TOGETHER)
        ok = read_some(a, marks + at, count - at < READ_TOGETHER ? count - at : READ_TOGETHER, *docs, err);
    if (!ok) {
        json_decref(*docs);
        *docs = NULL;
    }
    return ok;
}

bool aggregate_highest(struct aggregation *a, const struct dirty_mark *marks, size_t count, int64_t *version,
                       struct error *err)
{
    json_t *docs, *doc;
    size_t i;

    *version = 0;
    if (!aggregate_read(a, marks, count, &docs, err))
        return false;
    json_array_foreach(docs, i, doc)
    {
        int64_t one = json_integer_value(json_object_get(doc, "_version"));

        if (one > *version)
            *version = one;
    }
    json_decref(docs);
    return true;
}

/* ---------------------------------------------------------------------------------------------------- writing */

/* What goes into one bulk, and where in it each result stands. */
struct writing {
    struct aggregation *aggregation;
    struct aggregate_result *results;
    size_t *numbers; /* of the bulk's item, plus one; 0: none was needed */
    size_t count;
    int64_t version;
};

static bool add_item(struct writing *w, size_t i, struct error *err)
{
    struct aggregation *a = w->aggregation;
    const struct aggregate_result *r = &w->results[i];
    struct bulk_target target = {.action = r->document.length ? BULK_INDEX : BULK_DELETE,
                                 .version = w->version,
                                 .seq_no = -1,
                                 .primary_term = -1};
    struct buf index = BUF_INIT, id = BUF_INIT;
    bool ok = aggregate_add_index(a, r->mark.interval_us, &index, err);

    add_id(a, &r->mark, &id);
    if (ok && id.length <= ID_BYTES_MOST) {
        target.index = index.data;
        target.id = id.data;
        target.id_length = id.length;
        buf_add(bulk_add(a->bulk, &target, &w->numbers[i]), r->document.text, r->document.length);
        w->numbers[i]++;
    }
    buf_release(&index);
    buf_release(&id);
    return ok;
}

/* Keys without events: only an aggregate that is there is deleted, and its record learns of it. */
static bool add_deletes(struct writing *w, struct arena *arena, struct error *err)
{
    struct dirty_mark *gone = xcalloc(w->count, sizeof *gone);
    size_t *places = xcalloc(w->count, sizeof *places), count = 0;
    json_t *docs = NULL;
    bool ok;

    for (size_t i = 0; i < w->count; i++)
        if (!w->results[i].document.length && w->results[i].mark.key.length < ID_BYTES_MOST - INTERVAL_TEXT_BYTES) {
            places[count] = i;
            gone[count++] = w->results[i].mark;
        }
    ok = count == 0 || aggregate_read(w->aggregation, gone, count, &docs, err);
    for (size_t n = 0; ok && n < count; n++) {
        const json_t *doc = json_array_get(docs, n);

        if (!json_is_true(json_object_get(doc, "found")))
            continue;
        w->results[places[n]].parent = aggregate_parent(w->aggregation, json_object_get(doc, "_source"), arena);
        ok = add_item(w, places[n], err);
    }
    json_decref(docs);
    free(places);
    free(gone);
    return ok;
}

static bool note_leaving(const struct writing *w, struct arena *arena, struct error *err)
{
    struct dirty_mark *parents = arena_alloc(arena, (w->count + 1) * sizeof *parents);
    size_t count = 0;

    for (size_t i = 0; i < w->count; i++)
        if (w->numbers[i] && !w->results[i].document.length && w->results[i].parent)
            parents[count++] = (struct dirty_mark){.key = span_of(w->results[i].parent)};
    return count == 0 || aggregate_leave_note(w->aggregation, parents, count, err);
}

static enum aggregate_outcome outcome_of(const struct bulk_item *item)
{
    switch (item->outcome) {
    case BULK_DONE:
        return AGGREGATE_DONE;
    case BULK_SUPERSEDED:
    case BULK_CONFLICT:
        return AGGREGATE_NEWER;
    case BULK_DEAD:
    case BULK_PAUSED:
        return AGGREGATE_REFUSED;
    case BULK_UNSENT:
    case BULK_BUSY:
        break;
    }
    return AGGREGATE_WAIT;
}

static void take_outcomes(const struct writing *w, enum aggregate_outcome *outcomes, struct buf *reason)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct bulk_item *item;

        if (w->numbers[i] == 0) {
            outcomes[i] = w->results[i].document.length ? AGGREGATE_NEVER : AGGREGATE_DONE;
            continue;
        }
        item = bulk_item(w->aggregation->bulk, w->numbers[i] - 1);
        outcomes[i] = outcome_of(item);
        if (reason->length == 0 && (outcomes[i] == AGGREGATE_REFUSED || outcomes[i] == AGGREGATE_WAIT))
            buf_add_text(reason, item->reason);
    }
}

bool aggregate_write(struct aggregation *a, struct aggregate_result *results, size_t count, int64_t version,
                     struct arena *arena, enum aggregate_outcome *outcomes, struct buf *reason, struct error *err)
{
    struct writing w = {a, results, xcalloc(count, sizeof *w.numbers), count, version};
    bool ok = true;

    buf_reset(reason);
    bulk_start(a->bulk);
    for (size_t i = 0; ok && i < count; i++)
        if (results[i].document.length)
            ok = add_item(&w, i, err);
    ok = ok && add_deletes(&w, arena, err) && note_leaving(&w, arena, err) && bulk_send(a->bulk, err);
    if (ok)
        take_outcomes(&w, outcomes, reason);
    free(w.numbers);
    return ok;
}
