#include "handlers/report/report_usage.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"

enum { SLOTS_FIRST = 1024, SEEN_INVESTIGATED = 1, SEEN_REQUESTED = 2 };

/* What of one session was counted already. */
struct session {
    struct buf key;
    unsigned seen;
    bool same; /* as in the bucket before */
};

struct usage {
    struct arena *arena;
    struct usage_item **items;
    size_t count, room;
    size_t *slots, slot_count; /* open addressing by id; holds number + 1 */
    int month;
    struct session parent, item, file;
    struct buf key; /* of the bucket being counted */
};

struct usage *usage_new(void)
{
    struct usage *u = xcalloc(1, sizeof *u);

    u->arena = arena_new();
    u->slot_count = SLOTS_FIRST;
    u->slots = xcalloc(u->slot_count, sizeof *u->slots);
    buf_init(&u->key);
    buf_init(&u->parent.key);
    buf_init(&u->item.key);
    buf_init(&u->file.key);
    return u;
}

void usage_free(struct usage *u)
{
    if (!u)
        return;
    arena_free(u->arena);
    buf_release(&u->key);
    buf_release(&u->parent.key);
    buf_release(&u->item.key);
    buf_release(&u->file.key);
    free(u->slots);
    free(u->items);
    free(u);
}

/* ------------------------------------------------------------------------------------------------ the items */

static size_t *slot_of(const struct usage *u, const char *id, bool is_parent)
{
    size_t at = (hash_table(id, strlen(id)) + is_parent) & (u->slot_count - 1);

    while (u->slots[at]) {
        const struct usage_item *item = u->items[u->slots[at] - 1];

        if (item->is_parent == is_parent && strcmp(item->id, id) == 0)
            break;
        at = (at + 1) & (u->slot_count - 1);
    }
    return &u->slots[at];
}

const struct usage_item *usage_find(const struct usage *u, const char *id, bool is_parent)
{
    size_t number = *slot_of(u, id, is_parent);

    return number ? u->items[number - 1] : NULL;
}

static void grow(struct usage *u)
{
    free(u->slots);
    u->slot_count *= 2;
    u->slots = xcalloc(u->slot_count, sizeof *u->slots);
    for (size_t i = 0; i < u->count; i++)
        *slot_of(u, u->items[i]->id, u->items[i]->is_parent) = i + 1;
}

static struct usage_item *item_add(struct usage *u, const char *id, bool is_parent)
{
    struct usage_item *item = arena_zero(u->arena, sizeof *item);

    if (u->count == u->room) {
        u->room = u->room ? 2 * u->room : SLOTS_FIRST;
        u->items = xrealloc(u->items, u->room * sizeof(struct usage_item *));
    }
    item->id = arena_text(u->arena, id);
    item->is_parent = is_parent;
    item->number = u->count;
    u->items[u->count++] = item;
    return item;
}

static struct usage_item *item_of(struct usage *u, const char *id, bool is_parent)
{
    size_t *slot = slot_of(u, id, is_parent);

    if (*slot)
        return u->items[*slot - 1];
    if (2 * u->count >= u->slot_count) {
        grow(u);
        slot = slot_of(u, id, is_parent);
    }
    *slot = u->count + 1;
    return item_add(u, id, is_parent);
}

const struct usage_item *const *usage_items(const struct usage *u, size_t *count)
{
    *count = u->count;
    return (const struct usage_item *const *)u->items;
}

const struct usage_cell *usage_cell(const struct usage_item *item, int month, bool machine)
{
    const struct usage_cell *cell = item->cells;

    while (cell && (cell->month != month || cell->machine != machine))
        cell = cell->next;
    return cell;
}

static struct usage_cell *cell_of(struct usage *u, struct usage_item *item, bool machine)
{
    struct usage_cell *cell = item->cells;

    while (cell && (cell->month != u->month || cell->machine != machine))
        cell = cell->next;
    if (!cell) {
        cell = arena_zero(u->arena, sizeof *cell);
        cell->month = u->month;
        cell->machine = machine;
        cell->next = item->cells;
        item->cells = cell;
    }
    return cell;
}

/* NULL: no country that ISO 3166 could know. */
static struct usage_country *country_of(struct usage *u, struct usage_cell *cell, const char *name)
{
    struct usage_country **at = &cell->countries;
    char code[3];

    if (!name || strlen(name) != 2 || !isalpha((unsigned char)name[0]) || !isalpha((unsigned char)name[1]))
        return NULL;
    for (int i = 0; i < 3; i++)
        code[i] = (char)tolower((unsigned char)name[i]);
    while (*at && memcmp((*at)->code, code, sizeof code) != 0)
        at = &(*at)->next;
    if (!*at) {
        *at = arena_zero(u->arena, sizeof **at);
        memcpy((*at)->code, code, sizeof code);
    }
    return *at;
}

/* ------------------------------------------------------------------------------------------------- counting */

void usage_start_day(struct usage *u, int month)
{
    u->month = month;
    buf_reset(&u->parent.key);
    buf_reset(&u->item.key);
    buf_reset(&u->file.key);
}

static void add_part(struct buf *key, const char *text)
{
    buf_add_char(key, text ? '=' : '-'); /* none differs from an empty one, and no key is empty */
    if (text)
        buf_add(key, text, strlen(text) + 1);
}

/* Whether the key so far is that of the bucket before. */
static void session_enter(struct session *s, const struct buf *key)
{
    s->same = s->key.length == key->length && memcmp(s->key.data, key->data, key->length) == 0;
    if (s->same)
        return;
    s->seen = 0;
    buf_reset(&s->key);
    buf_add(&s->key, key->data, key->length);
}

static void enter_sessions(struct usage *u, const struct usage_bucket *b)
{
    buf_reset(&u->key);
    add_part(&u->key, b->parent);
    add_part(&u->key, b->machine ? "" : NULL);
    add_part(&u->key, b->session);
    session_enter(&u->parent, &u->key);
    add_part(&u->key, b->item);
    session_enter(&u->item, &u->key);
    add_part(&u->key, b->file);
    session_enter(&u->file, &u->key);
}

static void add_counts(int64_t *counts, const int64_t more[USAGE_METRICS])
{
    for (int m = 0; m < USAGE_METRICS; m++)
        counts[m] += more[m];
}

static void count(struct usage *u, struct usage_item *item, struct session *session, const struct usage_bucket *b)
{
    const int64_t more[USAGE_METRICS] = {
        [TOTAL_INVESTIGATIONS] = b->events,
        [TOTAL_REQUESTS] = b->requests,
        [UNIQUE_INVESTIGATIONS] = !(session->seen & SEEN_INVESTIGATED),
        [UNIQUE_REQUESTS] = b->requests > 0 && !(session->seen & SEEN_REQUESTED),
    };
    struct usage_cell *cell = cell_of(u, item, b->machine);
    struct usage_country *country = country_of(u, cell, b->country);

    session->seen |= SEEN_INVESTIGATED | (b->requests > 0 ? SEEN_REQUESTED : 0);
    add_counts(cell->counts, more);
    if (country)
        add_counts(country->counts, more);
    cell->bytes_total += b->bytes;
    if (!b->file)
        cell->bytes_unique += b->bytes; /* which file it was is not known */
    else if (!u->file.same)
        cell->bytes_unique += b->largest;
}

void usage_add(struct usage *u, const struct usage_bucket *b)
{
    struct usage_item *item = item_of(u, b->item, false), *parent;

    enter_sessions(u, b);
    count(u, item, &u->item, b);
    if (!b->parent)
        return;
    parent = item_of(u, b->parent, true);
    item->parent = parent;
    count(u, parent, &u->parent, b);
}
