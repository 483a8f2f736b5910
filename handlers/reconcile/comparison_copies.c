#include "handlers/reconcile/copies.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "handlers/spread/changes.h"
#include "handlers/spread/document.h"
#include "handlers/spread/newest.h"
#include "handlers/spread/spread.h"
#include "indexer/scroll.h"
#include "indexer/search.h"

enum {
    KNOWN_MOST = 5000,     /* subjects kept in memory, */
    KNOWN_MS = 60000,      /* so long */
    REPAIRED_MOST = 50000, /* subjects known to be repaired; then their old state may be met once more */
    KEEP_MS = 600000,      /* newest content, for others that spread the same subject from an older event */
};

static bool copies_open(struct comparison *common, const struct handler *h, struct error *err)
{
    struct copies *c = common->state = xcalloc(1, sizeof *c);
    const struct handler_settings *of = common->options->of;

    c->common = common;
    c->spread_options = of->own;
    common->index = c->spread_options->relation.index;
    c->roots = roots_new(c->spread_options->relation.match);
    c->asked = arena_new();
    c->pages = arena_new();
    buf_init(&c->text);
    c->known = changes_new();
    c->wanted = changes_new();
    c->behind = changes_new();
    c->repaired = changes_new();
    c->nothing = json_object();
    copies_say_uuid_unknown(c, c->nothing);
    c->newest = newest_new(h->redis, of->queue, of->name, c->spread_options->second_look_ms, KEEP_MS);
    c->spread = spread_new(h->settings, h->common, c->spread_options, c->newest, 1, err);
    return c->spread != NULL;
}

static void copies_close(struct comparison *common)
{
    struct copies *c = common->state;

    if (!c)
        return;
    spread_free(c->spread);
    newest_free(c->newest);
    changes_free(c->known);
    changes_free(c->wanted);
    changes_free(c->behind);
    changes_free(c->repaired);
    json_decref(c->nothing);
    roots_free(c->roots);
    arena_free(c->asked);
    arena_free(c->pages);
    buf_release(&c->text);
    free(c->changed_us);
    free(c);
}

const struct relation *copies_relation(const struct copies *c)
{
    return spread_relation(c->spread);
}

static bool copies_start(struct comparison *common, struct error *err)
{
    struct copies *c = common->state;

    copies_forget(c);
    changes_reset(c->repaired);
    return spread_learn(c->spread, err);
}

static json_t *copies_query(const struct comparison *common)
{
    return relation_query_all(copies_relation(common->state));
}

/* --------------------------------------------------------------------------------------- which copies are behind */

/* Whose copies a document holds: nothing is known of any, so that the document stays as it is. */
static const struct subject *want(void *context, struct span id)
{
    struct copies *c = context;
    struct subject s = {.id = id, .uuid = SPAN_NONE, .revision = VERSION_NONE};

    if (!changes_find(c->known, id) && !changes_find(c->wanted, id))
        changes_add(c->wanted, &s, c->nothing, 0);
    return NULL;
}

static const struct subject *look_up(void *context, struct span id)
{
    struct copies *c = context;
    const struct change *change = changes_find(c->known, id);

    return change ? &change->subject : NULL;
}

static void note_nothing(void *context, const struct subject *s)
{
    (void)context;
    (void)s;
}

static void note_behind(void *context, const struct subject *s)
{
    struct copies *c = context;
    struct change *change = changes_find(c->known, s->id);

    if (change && !changes_find(c->repaired, s->id))
        change->moved = true;
}

static void say_unreadable(const struct hit *hit, const char *why)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    log_limited(&limit, LOG_LEVEL_WARN, "document %s/%.*s: %s", hit->index, (int)hit->id.length, hit->id.text, why);
}

static void look_into(struct copies *c, const struct hits *hits, const struct copy_source *from)
{
    for (size_t i = 0; i < hits->count; i++) {
        const struct hit *hit = &hits->items[i];
        struct error why;
        bool changed;

        buf_reset(&c->text);
        if (hit->source.length > 0 &&
            !document_apply(copies_relation(c), c->roots, hit->source, from, &c->text, &changed, &why))
            say_unreadable(hit, why.text);
    }
}

/* ------------------------------------------------------------------------------------------------------ repairing */

static void note_age(struct copies *c, int64_t changed_us)
{
    int64_t age_ms = changed_us > 0 ? (clock_wall_us() - changed_us) / 1000 : 0;

    if (age_ms > c->common->tally.oldest_ms)
        c->common->tally.oldest_ms = age_ms;
}

/* Those marked go over to what is to be spread. */
static void gather(struct copies *c)
{
    changes_reset(c->behind);
    for (size_t i = 0; i < changes_count(c->known); i++) {
        struct change *known = changes_at(c->known, i);

        if (!known->moved)
            continue;
        known->moved = false;
        c->common->tally.behind++;
        note_age(c, c->changed_us[i]);
        changes_add(c->behind, &known->subject, known->material, known->time_us);
    }
}

/* What others write all the time is left to a later round: the subjects behind it are not to wait for that. */
static bool settle(struct copies *c, struct error *err)
{
    const char *left = NULL;

    if (changes_count(c->repaired) > REPAIRED_MOST)
        changes_reset(c->repaired);
    for (size_t i = 0; i < changes_count(c->behind); i++) {
        const struct change *change = changes_at(c->behind, i);

        if (change->outcome == OUTCOME_WAIT)
            left = change->reason;
        if (change->outcome == OUTCOME_DEAD || change->outcome == OUTCOME_RETRY)
            comparison_wrong(c->common, change->subject.id, change->reason);
        if ((change->outcome == OUTCOME_DONE || change->outcome == OUTCOME_DEAD) &&
            !changes_find(c->repaired, change->subject.id))
            changes_add(c->repaired, &change->subject, c->nothing, 0);
    }
    return !left || error_set(err, ERROR_AGAIN, "%s", left);
}

/* Counted as they are written: a run that is cut off wrote them all the same. */
static bool between(void *context, int64_t written, struct error *err)
{
    struct copies *c = context;

    c->common->tally.repaired += written;
    return comparison_between(c->common, written, err);
}

/* What an event told meanwhile is newer than what the source said: it is noted, and goes instead. */
static bool repair(struct copies *c, struct error *err)
{
    const struct spread_limits limits = {.whatever_indexed = true, .between = between, .context = c};

    gather(c);
    if (changes_count(c->behind) == 0)
        return true;
    if (!newest_note(c->newest, c->behind, err))
        return false;
    for (size_t i = 0; i < changes_count(c->behind); i++)
        if (changes_at(c->behind, i)->in_mass)
            change_set(c->behind, changes_at(c->behind, i), OUTCOME_DONE, NULL, NULL);
    return spread_changes(c->spread, c->behind, &limits, err) && settle(c, err);
}

static bool compare_page(struct copies *c, const struct hits *hits, struct error *err)
{
    const struct copy_source all = {.look_up = want, .changed = note_nothing, .context = c};
    const struct copy_source now = {.look_up = look_up, .changed = note_behind, .context = c};

    if (changes_count(c->known) > KNOWN_MOST || clock_monotonic_ms() - c->known_since_ms > KNOWN_MS)
        copies_forget(c);
    changes_reset(c->wanted);
    look_into(c, hits, &all);
    if (!copies_ask(c, err))
        return false;
    look_into(c, hits, &now);
    return repair(c, err);
}

/* ------------------------------------------------------------------------------------------- documents, subjects */

/* Those of a page that was too long come one by one. */
static bool fetch(struct copies *c, const struct hit *hit, struct error *err)
{
    struct hits one;

    arena_reset(c->pages);
    if (hits_get(c->common->client, &hit, 1, c->pages, &one, err))
        return compare_page(c, &one, err);
    if (err->kind != ERROR_INPUT)
        return false;
    say_unreadable(hit, err->text);
    return true;
}

static bool copies_documents(struct comparison *common, const struct hits *hits, struct error *err)
{
    struct copies *c = common->state;

    if (!compare_page(c, hits, err))
        return false;
    for (size_t i = 0; i < hits->count; i++)
        if (hits->items[i].source.length == 0 && hits->items[i].found && !fetch(c, &hits->items[i], err))
            return false;
    return true;
}

/* All documents of a query, compared with what is known. */
static bool compare_hits(struct copies *c, const json_t *query, struct error *err)
{
    const struct copy_source now = {.look_up = look_up, .changed = note_behind, .context = c};
    struct scroll *scroll = scroll_open(c->common->client, c->common->index, query, (size_t)c->spread_options->page);
    struct hits hits = {.count = 1};
    bool ok = true;

    while (ok && hits.count > 0) {
        arena_reset(c->pages);
        ok = scroll_next(scroll, c->pages, &hits, err);
        if (!ok || hits.count == 0)
            break;
        c->common->tally.documents += (int64_t)hits.count;
        look_into(c, &hits, &now);
        ok = comparison_between(c->common, 0, err);
    }
    scroll_close(scroll);
    return ok;
}

/* The search leaves out what is up to date where it can, and most often hits nothing. */
static bool compare_group(struct copies *c, size_t from, size_t count, struct error *err)
{
    const struct relation *r = copies_relation(c);
    const struct subject **subjects = xcalloc(count, sizeof(struct subject *));
    json_t *query;
    int64_t some = 0;
    bool ok;

    for (size_t i = 0; i < count; i++)
        subjects[i] = &changes_at(c->known, from + i)->subject;
    query = relation_query(r, subjects, count, true, 0);
    ok = !query || hits_count(c->common->client, c->common->index, query, 1, &some, err);
    if (ok && some > 0)
        ok = compare_hits(c, query, err) && repair(c, err);
    json_decref(query);
    free(subjects);
    return ok;
}

static bool copies_subjects(struct comparison *common, const struct source_document *subjects, size_t count,
                            struct error *err)
{
    struct copies *c = common->state;
    size_t most = relation_subjects_most(copies_relation(c));

    copies_forget(c);
    copies_know(c, subjects, count, clock_wall_us());
    for (size_t from = 0; from < changes_count(c->known); from += most) {
        size_t left = changes_count(c->known) - from;

        if (!compare_group(c, from, left < most ? left : most, err))
            return false;
    }
    return true;
}

const struct comparison_type comparison_copies = {
    .open = copies_open,
    .close = copies_close,
    .start = copies_start,
    .query = copies_query,
    .documents = copies_documents,
    .subjects = copies_subjects,
};
