#include "handlers/denormalize.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/copy.h"
#include "handlers/subjects.h"
#include "indexer/search.h"
#include "notifier/pattern.h"

enum {
    SUBJECTS_A_SEARCH = 100, /* clauses in one query, well below the server's limit */
    CONFLICTS_MOST = 5,      /* readings of a document that others write too, before it is tried later */
};

struct options {
    char *index, *match, *copy, *revision, *deleted;
    int on_delete; /* enum on_delete */
    int64_t page;
};

static const struct config_key keys[] = {
    {"index",     CONFIG_TEXT,   offsetof(struct options, index),     NULL,        0, 0,     NULL,                NULL,
     "where the documents are that hold copies: an index, an alias or a pattern"                                                                            },
    {"match",     CONFIG_TEXT,   offsetof(struct options, match),     NULL,        0, 0,     NULL,                NULL,
     "field of the copy that holds the subject's id"                                                                                                        },
    {"copy",      CONFIG_TEXT,   offsetof(struct options, copy),      NULL,        0, 0,     NULL,                copy_check,
     "what is copied: target.field<-data.field, several separated by spaces"                                                                                },
    {"revision",  CONFIG_TEXT,   offsetof(struct options, revision),  "",          0, 0,     NULL,                NULL,
     "field of the copy that holds the subject's revision; a copy at the same or a newer one is not written"                                                },
    {"deleted",   CONFIG_TEXT,   offsetof(struct options, deleted),   "*.deleted", 0, 0,     NULL,                patterns_check,
     "types of events that mean the subject is gone"                                                                                                        },
    {"on_delete", CONFIG_CHOICE, offsetof(struct options, on_delete), "keep",      0, 0,     "keep clear remove", NULL,
     "what becomes of the copies of a subject that is gone"                                                                                                 },
    {"page",      CONFIG_COUNT,  offsetof(struct options, page),      "500",       1, 10000, NULL,                NULL,           "documents read at a time"},
    CONFIG_END,
};

struct denormalize {
    const struct options *options;
    struct client *client;
    struct copy_rule *rule;
    struct bulk *bulk;
    struct arena *pages; /* what one page makes: a subject may have any number of them */
};

/* One search, and what is written on its account. */
struct spread {
    struct denormalize *handler;
    struct subjects *subjects;
    struct error unreadable; /* a document that cannot be brought up to date as it cannot be read; ERROR_NONE: none */
};

/* A document of the page being written, and whose copies in it change. */
struct written {
    const json_t *hit;
    size_t number; /* in the bulk */
    struct subject_entry **entries;
    size_t entry_count;
};

struct page {
    struct spread *spread;
    int reading; /* of these documents: 1 is the search's */
    struct written *items;
    size_t count;
    const json_t **again; /* hits to be read again */
    size_t again_count;
    struct subject_entry **changed; /* in the document being looked at */
    size_t changed_count, changed_room;
};

static bool denormalize_check(const void *options, struct error *err)
{
    const struct options *o = options;
    struct copy_rule *rule = copy_rule_new(o->match, o->copy, o->revision, err);

    copy_rule_free(rule);
    return rule != NULL;
}

static bool denormalize_open(struct handler *h, struct error *err)
{
    struct denormalize *n = h->state = xcalloc(1, sizeof *n);

    n->options = h->options;
    n->client = h->client;
    n->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    n->pages = arena_new();
    n->rule = copy_rule_new(n->options->match, n->options->copy, n->options->revision, err);
    return n->rule != NULL;
}

static void denormalize_close(struct handler *h)
{
    struct denormalize *n = h->state;

    if (!n)
        return;
    copy_rule_free(n->rule);
    bulk_free(n->bulk);
    arena_free(n->pages);
    free(n);
}

/* Documents that hold the id of one of the subjects, whatever revision their copy has: that is compared here, as an
 * array may hold copies of several subjects. NULL: no subject needs one. */
static json_t *make_query(const struct denormalize *n, const struct subject_entry *entries, size_t count)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < count; i++)
        if (entries[i].outcome == OUTCOME_NONE)
            json_array_append_new(ids, json_stringn(entries[i].subject.id.text, entries[i].subject.id.length));
    if (json_array_size(ids) > 0)
        return json_pack("{s:{s:[{s:{s:o}}]}}", "bool", "filter", "terms", n->options->match, ids);
    json_decref(ids);
    return NULL;
}

/* ------------------------------------------------------------------------------------- the documents of one page */

static const struct subject *look_up(void *context, struct span id)
{
    const struct page *p = context;
    const struct subject_entry *entry = subjects_find(p->spread->subjects, id);

    return entry && entry->usable ? &entry->subject : NULL;
}

static void note_changed(void *context, const struct subject *s)
{
    struct page *p = context;

    if (p->changed_count == p->changed_room) {
        size_t room = p->changed_room ? 2 * p->changed_room : 8;
        struct subject_entry **more = arena_alloc(p->spread->handler->pages, room * sizeof(struct subject_entry *));

        if (p->changed_count)
            memcpy(more, p->changed, p->changed_count * sizeof(struct subject_entry *));
        p->changed = more;
        p->changed_room = room;
    }
    p->changed[p->changed_count++] = subjects_find(p->spread->subjects, s->id);
}

static int64_t hit_number(const json_t *hit, const char *name)
{
    return json_integer_value(json_object_get(hit, name));
}

static void note_unreadable(struct spread *s, const json_t *hit, const char *why)
{
    error_set(&s->unreadable, ERROR_INPUT, "document %s/%s: %s", json_member_text(hit, "_index", ""),
              json_member_text(hit, "_id", ""), why);
}

/* A hit without a document: gone meanwhile, of a page that could not be read as a whole, or never kept. */
static void pass_over(struct page *p, const json_t *hit)
{
    if (json_is_false(json_object_get(hit, "found")))
        return;
    if (p->reading == 1)
        p->again[p->again_count++] = hit;
    else
        note_unreadable(p->spread, hit, "its index keeps no _source");
}

/* Puts the document into the bulk where a copy in it changed, to be written only if nobody wrote it meanwhile. */
static void add_hit(struct page *p, const json_t *hit)
{
    const struct denormalize *n = p->spread->handler;
    const struct copy_source from = {.look_up = look_up, .changed = note_changed, .context = p};
    json_t *source = json_object_get(hit, "_source");
    struct bulk_target target = {
        .action = BULK_INDEX,
        .index = json_member_text(hit, "_index", ""),
        .with_prefix = true,
        .id = json_member_text(hit, "_id", ""),
        .routing = json_member_text(hit, "_routing", NULL),
        .version = -1,
        .seq_no = hit_number(hit, "_seq_no"),
        .primary_term = hit_number(hit, "_primary_term"),
    };
    struct written *w = &p->items[p->count];

    p->changed = NULL;
    p->changed_count = p->changed_room = 0;
    if (!source) {
        pass_over(p, hit);
        return;
    }
    if (!copy_apply(n->rule, source, &from, (enum on_delete)n->options->on_delete))
        return;
    json_add(bulk_add(n->bulk, &target, &w->number), source);
    w->hit = hit;
    w->entries = p->changed;
    w->entry_count = p->changed_count;
    p->count++;
}

static void set_all(struct page *p, const struct written *w, enum outcome outcome, const char *reason,
                    const char *reply)
{
    const char *where = arena_printf(p->spread->handler->pages, "%s: document %s/%s", reason,
                                     json_member_text(w->hit, "_index", ""), json_member_text(w->hit, "_id", ""));

    for (size_t i = 0; i < w->entry_count; i++)
        subject_set(p->spread->subjects, w->entries[i], outcome, where, reply);
}

static void settle_document(struct page *p, const struct written *w)
{
    const struct bulk_item *item = bulk_item(p->spread->handler->bulk, w->number);

    switch (item->outcome) {
    case BULK_UNSENT:
    case BULK_DONE:
    case BULK_SUPERSEDED:
        break;
    case BULK_CONFLICT:
        if (p->reading < CONFLICTS_MOST)
            p->again[p->again_count++] = w->hit;
        else
            set_all(p, w, OUTCOME_RETRY, "others write it all the time", item->reason);
        break;
    case BULK_BUSY:
        set_all(p, w, OUTCOME_WAIT, "OpenSearch is busy", item->reason);
        break;
    case BULK_PAUSED:
        set_all(p, w, OUTCOME_WAIT, "the index takes no writes", item->reason);
        break;
    case BULK_DEAD:
        set_all(p, w, OUTCOME_DEAD, "OpenSearch refuses it", item->reason);
        break;
    }
}

static bool write_hits(struct spread *s, const json_t *hits, int reading, struct error *err);

/* Halves until a document that cannot be read is alone. */
static bool read_again(struct spread *s, const json_t **hits, size_t count, int reading, struct error *err)
{
    json_t *fresh;
    bool ok;

    if (count == 0)
        return true;
    if (search_get(s->handler->client, hits, count, &fresh, err)) {
        ok = write_hits(s, fresh, reading, err);
        json_decref(fresh);
        return ok;
    }
    if (err->kind != ERROR_INPUT)
        return false;
    if (count > 1)
        return read_again(s, hits, count / 2, reading, err) &&
               read_again(s, hits + count / 2, count - count / 2, reading, err);
    note_unreadable(s, hits[0], err->text);
    return true;
}

static bool write_hits(struct spread *s, const json_t *hits, int reading, struct error *err)
{
    struct denormalize *n = s->handler;
    size_t size = json_array_size(hits);
    struct page p = {.spread = s, .reading = reading};

    p.items = arena_alloc(n->pages, size * sizeof *p.items);
    p.again = arena_alloc(n->pages, size * sizeof *p.again);
    bulk_start(n->bulk);
    for (size_t i = 0; i < size; i++)
        add_hit(&p, json_array_get(hits, i));
    if (p.count > 0 && !bulk_send(n->bulk, err))
        return false;
    for (size_t i = 0; i < p.count; i++)
        settle_document(&p, &p.items[i]);
    return read_again(s, p.again, p.again_count, reading + 1, err);
}

/* ------------------------------------------------------------------------------------------------- all documents */

/* False with ERROR_INPUT: of one of the subjects not every copy can be found or read; what could be is up to date. */
static bool reach_copies(struct denormalize *n, struct subjects *subjects, const json_t *query, struct error *err)
{
    struct search *search = search_open(n->client, n->options->index, query, (size_t)n->options->page);
    struct spread s = {.handler = n, .subjects = subjects};
    const json_t *hits = NULL;
    bool ok;

    do {
        arena_reset(n->pages);
        ok = search_next(search, &hits, err) && (!hits || write_hits(&s, hits, 1, err));
    } while (ok && hits);
    search_close(search);
    if (!ok || s.unreadable.kind == ERROR_NONE)
        return ok;
    *err = s.unreadable;
    return false;
}

/* A search is refused as a whole for one subject's sake (its id is no number, say): halved until that one is alone. */
static bool spread(struct denormalize *n, struct subjects *subjects, size_t from, size_t count, struct error *err)
{
    json_t *query = make_query(n, &subjects->items[from], count);
    bool ok = !query || reach_copies(n, subjects, query, err);

    json_decref(query);
    if (!ok && err->kind != ERROR_INPUT)
        return false;
    if (!ok && count > 1)
        return spread(n, subjects, from, count / 2, err) &&
               spread(n, subjects, from + count / 2, count - count / 2, err);
    if (!ok)
        subject_set(subjects, &subjects->items[from], OUTCOME_DEAD, "not every copy can be reached", err->text);
    for (size_t i = from; i < from + count; i++)
        subject_set(subjects, &subjects->items[i], OUTCOME_DONE, NULL, NULL);
    return true;
}

/* A document written a moment ago, by the platform or by us, is not found before a refresh. */
static bool spread_all(struct denormalize *n, struct subjects *subjects, struct error *err)
{
    if (!search_refresh(n->client, n->options->index, err))
        return false;
    for (size_t from = 0; from < subjects->count; from += SUBJECTS_A_SEARCH) {
        size_t left = subjects->count - from;

        if (!spread(n, subjects, from, left < SUBJECTS_A_SEARCH ? left : SUBJECTS_A_SEARCH, err))
            return false;
    }
    return true;
}

static bool denormalize_handle(struct handler *h, struct batch *in, struct error *err)
{
    struct denormalize *n = h->state;
    struct subjects subjects;
    bool ok;

    subjects_collect(&subjects, in, n->options->deleted);
    subjects_read(&subjects, n->rule);
    ok = subjects.count == 0 || spread_all(n, &subjects, err);
    subjects_settle(&subjects);
    subjects_release(&subjects);
    return ok;
}

const struct handler_type denormalize_handler = {
    .name = "denormalize",
    .help = "a changed subject reaches every document that holds a copy of it",
    .keys = keys,
    .size = sizeof(struct options),
    .traits = KIND_ONE_LANE, /* all changes of a subject that wait meet in one pass */
    .check = denormalize_check,
    .open = denormalize_open,
    .handle = denormalize_handle,
    .close = denormalize_close,
};
