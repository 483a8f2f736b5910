#include "handlers/clicks.h"
#include "base/span_table.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/statistics.h"
#include "indexer/search.h"

enum { READ_MOST = 100 /* documents in one request */ };

struct clicks {
    const struct handler *handler;
    const struct statistics_options *options;
    struct bulk *bulk; /* of what is written back */

    /* The batch: */
    struct arena *arena;
    struct click_place **places; /* those with a key, each inside its click */
    size_t count;
    struct span_table by_member;
};

/* How late a click of that type may come. False: its clicks all count. */
static bool wanted(const struct settings *s, struct span type, int64_t *lateness_ms)
{
    for (size_t i = 0; i < s->event_count; i++)
        if (span_is(type, s->events[i].type)) {
            *lateness_ms = s->events[i].lateness_ms;
            return text_same(s->events[i].clicks, "cop51");
        }
    return false;
}

struct clicks *clicks_new(const struct handler *h)
{
    struct clicks *c;
    bool any = false;

    for (size_t i = 0; i < h->settings->event_count; i++)
        any = any || text_same(h->settings->events[i].clicks, "cop51");
    if (!any)
        return NULL;
    c = xcalloc(1, sizeof *c);
    c->handler = h;
    c->options = h->options;
    c->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    return c;
}

void clicks_free(struct clicks *c)
{
    if (!c)
        return;
    bulk_free(c->bulk);
    free(c);
}

void clicks_start(struct clicks *c, struct arena *arena, size_t events_most)
{
    c->arena = arena;
    c->places = arena_alloc(arena, events_most * sizeof(struct click_place *));
    c->count = 0;
    span_table_init(&c->by_member, arena, events_most, offsetof(struct click, place.member));
}

/* ------------------------------------------------------------------------------------------------- the batch */

/* An event that comes twice in a batch is one click: its later time, if the two differ, is its time. */
struct click *clicks_add(struct clicks *c, const struct event *e, const char *index)
{
    int64_t lateness_ms;
    struct click *k;
    struct span member;

    if (!wanted(c->handler->settings, e->type, &lateness_ms))
        return NULL;
    member.text = arena_printf(c->arena, "%.*s %s", (int)e->unique.length, e->unique.text, index);
    member.length = e->unique.length + 1 + strlen(index);
    k = span_table_find(&c->by_member, member);
    if (k) {
        k->place.time_us = e->time_us > k->place.time_us ? e->time_us : k->place.time_us;
        return k;
    }
    k = arena_zero(c->arena, sizeof *k);
    k->place.key = e->click;
    k->place.member = member;
    k->place.time_us = e->time_us;
    k->place.lateness_ms = lateness_ms;
    if (e->click.length == 0)
        return k;
    span_table_add(&c->by_member, k);
    c->places[c->count++] = &k->place;
    return k;
}

static struct click *click_of(struct click_place *place)
{
    return (struct click *)((char *)place - offsetof(struct click, place));
}

/* The one before a click, where it is in the batch too. */
static struct click *before_in_batch(const struct clicks *c, const struct click *k)
{
    return k->place.before.length ? span_table_find(&c->by_member, k->place.before) : NULL;
}

bool clicks_look(struct clicks *c, struct error *err)
{
    const struct handler_settings *hs = c->handler->common;

    if (c->count == 0)
        return true;
    if (!click_state_look(c->handler->redis, hs->queue, hs->name, c->places, c->count, c->arena, err))
        return false;
    for (size_t i = 0; i < c->count; i++) {
        struct click *before = before_in_batch(c, click_of(c->places[i]));

        if (before)
            before->place.followed = true; /* it may have been looked up before this one was noted */
    }
    return true;
}

static bool is_there(enum bulk_outcome outcome)
{
    return outcome == BULK_DONE || outcome == BULK_SUPERSEDED;
}

/* Of an event that comes twice in a batch the better outcome stays. */
bool clicks_wrote(struct clicks *c, struct click *k, enum bulk_outcome outcome, struct error *err)
{
    const struct handler_settings *hs = c->handler->common;

    if (k->written != BULK_DONE && (is_there(outcome) || !is_there(k->written)))
        k->written = outcome;
    return outcome != BULK_DEAD || k->place.key.length == 0 ||
           click_state_forget(c->handler->redis, hs->queue, hs->name, &k->place, err);
}

/* ------------------------------------------------------------------------------- those before them, written back */

/* Clicks whose predecessors are read together. */
struct reading {
    struct clicks *clicks;
    struct touched *touched;
    struct click **items;
    size_t *numbers; /* of what is written back, in the bulk */
};

#define NOT_WRITTEN SIZE_MAX

static void set(struct click *k, enum outcome outcome, const char *reason)
{
    k->outcome = outcome;
    k->reason = reason;
}

/* The two sides of a member: a blank stands in no index name. */
static json_t *document_of(const struct clicks *c, struct span member)
{
    const char *blank = memrchr(member.text, ' ', member.length);
    struct buf index = BUF_INIT;
    json_t *doc = json_object();

    buf_add_text(&index, client_prefix(c->handler->client));
    buf_add_text(&index, blank + 1);
    json_object_set_new(doc, "_index", json_string(index.data));
    json_object_set_new(doc, "_id", json_stringn(member.text, (size_t)(blank - member.text)));
    buf_release(&index);
    return doc;
}

static void touch(const struct reading *r, const struct click *k, const json_t *doc)
{
    struct event e = event_none;
    struct buf data = BUF_INIT;

    json_add(&data, json_object_get(doc, "_source"));
    e.data = (struct span){arena_copy(r->clicks->arena, data.data, data.length), data.length};
    e.unique = span_of(arena_text(r->clicks->arena, json_member_text(doc, "_id", "")));
    e.time_us = k->place.before_us;
    touched_add(r->touched, &e);
    buf_release(&data);
}

static size_t write_back(const struct reading *r, const struct click *k, const json_t *doc, json_t *source)
{
    struct bulk_target target = {
        .action = BULK_INDEX,
        .index = json_member_text(doc, "_index", ""),
        .with_prefix = true,
        .id = json_member_text(doc, "_id", ""),
        .version = k->place.before_us,
        .same_version = true,
        .seq_no = -1,
        .primary_term = -1,
    };
    const char *updated_field = r->clicks->options->updated_field;
    char now[TIME_TEXT_BYTES];
    size_t number;

    json_object_set_new(source, CLICKS_FIELD, json_false());
    if (*updated_field)
        json_object_set_new(source, updated_field, json_string(time_text_long(clock_wall_us(), now)));
    json_add(bulk_add(r->clicks->bulk, &target, &number), source);
    return number;
}

/* Returns the number in the bulk. What counts no more is marked again: who wrote it may have died before that. */
static size_t look_at(const struct reading *r, struct click *k, const json_t *doc)
{
    json_t *source = json_object_get(doc, "_source");

    if (!json_is_true(json_object_get(doc, "found"))) {
        set(k, OUTCOME_WAIT, "the click before it is not a document yet");
        return NOT_WRITTEN;
    }
    if (!source) {
        set(k, OUTCOME_RETRY, "the click before it is kept without _source");
        return NOT_WRITTEN;
    }
    touch(r, k, doc);
    set(k, OUTCOME_DONE, NULL);
    return json_is_false(json_object_get(source, CLICKS_FIELD)) ? NOT_WRITTEN : write_back(r, k, doc, source);
}

static void settle(struct click *k, const struct bulk_item *item)
{
    if (item->outcome == BULK_DEAD)
        set(k, OUTCOME_RETRY, "the click before it cannot be written back");
    else if (item->outcome != BULK_DONE && item->outcome != BULK_SUPERSEDED)
        set(k, OUTCOME_WAIT, "the click before it cannot be written back now");
}

static bool uncount(const struct reading *r, size_t count, const json_t *docs, struct error *err)
{
    struct bulk *bulk = r->clicks->bulk;
    bool ok = true;

    bulk_start(bulk);
    for (size_t i = 0; i < count; i++)
        r->numbers[i] = look_at(r, r->items[i], json_array_get(docs, i));
    if (bulk_count(bulk) > 0)
        ok = bulk_send(bulk, err);
    for (size_t i = 0; i < count; i++)
        if (r->numbers[i] != NOT_WRITTEN)
            settle(r->items[i], bulk_item(bulk, r->numbers[i]));
    return ok;
}

/* Halves until a document that cannot be read is alone. */
static bool read_and_uncount(const struct reading *r, size_t count, struct error *err)
{
    const json_t **wanted_docs = arena_alloc(r->clicks->arena, count * sizeof(json_t *));
    struct reading rest = *r;
    json_t *docs = NULL, *list = json_array();
    bool ok;

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, document_of(r->clicks, r->items[i]->place.before));
        wanted_docs[i] = json_array_get(list, i);
    }
    ok = search_get(r->clicks->handler->client, wanted_docs, count, &docs, err) && uncount(r, count, docs, err);
    json_decref(docs);
    json_decref(list);
    if (ok || err->kind != ERROR_INPUT)
        return ok;
    if (count == 1) {
        set(r->items[0], OUTCOME_RETRY, arena_printf(r->clicks->arena, "the click before it: %s", err->text));
        return true;
    }
    rest.items += count / 2;
    return read_and_uncount(r, count / 2, err) && read_and_uncount(&rest, count - count / 2, err);
}

/* Whether the one before was written in this batch, for the first time, and so as it is to be. */
static bool written_here(const struct clicks *c, const struct click *k)
{
    const struct click *before = before_in_batch(c, k);

    return before && before->written == BULK_DONE;
}

bool clicks_follow_up(struct clicks *c, struct touched *t, struct error *err)
{
    struct reading r = {.clicks = c, .touched = t};
    size_t count = 0;

    r.items = arena_alloc(c->arena, c->count * sizeof(struct click *));
    r.numbers = arena_alloc(c->arena, c->count * sizeof *r.numbers);
    for (size_t i = 0; i < c->count; i++) {
        struct click *k = click_of(c->places[i]);

        if (!is_there(k->written))
            continue;
        if (k->place.before.length == 0 || written_here(c, k))
            k->outcome = OUTCOME_DONE;
        else
            r.items[count++] = k;
    }
    for (size_t at = 0; at < count; at += READ_MOST, r.items += READ_MOST)
        if (!read_and_uncount(&r, count - at < READ_MOST ? count - at : READ_MOST, err))
            return false;
    return true;
}
