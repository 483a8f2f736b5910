#include "handlers/spread/spread_group.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "handlers/spread/copyists.h"
#include "indexer/search.h"

static struct counter *count_documents(const struct handler_settings *hs, const char *outcome)
{
    return counter_with(COUNTER_TOTAL, "crier_spread_documents_total",
                        "documents with copies: written; or superseded, conflict (read again), refused", "handler",
                        hs->name, "outcome", outcome, NULL);
}

static struct counter *count_handed_over(const struct handler_settings *hs)
{
    return counter_with(COUNTER_TOTAL, "crier_spread_mass_total", "subjects handed over to be spread by the clock",
                        "handler", hs->name, NULL);
}

struct spread *spread_new(const struct settings *s, const struct handler_settings *hs, const struct spread_options *o,
                          struct newest *newest, int copyists, struct error *err)
{
    struct spread *p = xcalloc(1, sizeof *p);

    p->options = o;
    p->newest = newest;
    p->roots = roots_new(o->relation.match);
    p->copyists = copyists_new(s, copyists);
    p->written = count_documents(hs, "written");
    p->superseded = count_documents(hs, "superseded");
    p->conflicts = count_documents(hs, "conflict");
    p->refused = count_documents(hs, "refused");
    p->handed_over = count_handed_over(hs);
    p->relation = relation_new(&o->relation, err);
    if (p->relation) {
        p->group = xcalloc(relation_subjects_most(p->relation), sizeof(struct change *));
        return p;
    }
    spread_free(p);
    return NULL;
}

void spread_free(struct spread *s)
{
    if (!s)
        return;
    copyists_free(s->copyists);
    relation_free(s->relation);
    roots_free(s->roots);
    free(s->group);
    free(s);
}

const struct relation *spread_relation(const struct spread *s)
{
    return s->relation;
}

struct client *spread_client(struct spread *s)
{
    return copyists_client(s->copyists);
}

bool spread_learn(struct spread *s, struct error *err)
{
    return relation_learn(s->relation, spread_client(s), err);
}

/* ---------------------------------------------------------------------------------------------- groups of subjects */

static void take_group(struct spread *s, struct change **some, size_t count)
{
    for (s->group_count = 0; s->group_count < count; s->group_count++)
        s->group[s->group_count] = some[s->group_count];
    group_keep_open(s);
    s->total = -1;
}

/* Whether the mapping was not read since: then a refusal may be its fault. */
static bool learn_anew(struct spread *s, struct error *err)
{
    if (s->learned)
        return false;
    s->learned = true;
    relation_unlearn(s->relation);
    return relation_learn(s->relation, spread_client(s), err);
}

static bool bring_group(struct spread *s, struct change **some, size_t count, struct error *err);

static bool bring_some(struct spread *s, struct change **some, size_t count, struct error *err)
{
    take_group(s, some, count);
    return bring_group(s, some, count, err);
}

static bool bring_halves(struct spread *s, struct change **some, size_t count, struct error *err)
{
    return bring_some(s, some, count / 2, err) && bring_some(s, some + count / 2, count - count / 2, err);
}

/* A search is refused as a whole for one subject's sake (its id is no number, say): halved until that one is alone. */
static bool bring_group(struct spread *s, struct change **some, size_t count, struct error *err)
{
    if (group_bring(s, err))
        return true;
    if (err->kind != ERROR_INPUT)
        return false;
    if (learn_anew(s, err))
        return bring_some(s, some, count, err);
    if (err->kind != ERROR_INPUT)
        return false;
    if (count > 1)
        return bring_halves(s, some, count, err);
    change_set(s->changes, some[0], OUTCOME_DEAD, "not every copy can be reached", err->text);
    return true;
}

/* The search for all of them together tells at little cost that none is large. */
static bool hand_over_some(struct spread *s, struct error *err)
{
    json_t *query = group_query(s, s->group, s->group_count, s->limits->whatever_indexed);
    int64_t total = -1;
    bool ok =
        !query || hits_count(spread_client(s), s->options->relation.index, query, s->limits->mass + 1, &total, err);

    json_decref(query);
    if (ok && total > s->limits->mass)
        return group_hand_over_large(s, err);
    s->total = ok ? total : -1;
    return ok || err->kind == ERROR_INPUT; /* the search will tell whose fault it is */
}

/* Subjects that are searched for together, and what the first search found. */
struct together {
    struct change **changes;
    size_t count;
    struct group_round round;
    bool again; /* it is to be gone through again, whatever it found */
};

/* All that are searched for before one is looked at again: one refresh does for all. */
static bool first_search(struct spread *s, struct together *t, struct error *err)
{
    json_t *query;
    bool ok;

    for (size_t i = 0; spread_is_late(s) && i < t->count; i++)
        if (!group_hand_over_one(s, t->changes[i], err))
            return false;
    take_group(s, t->changes, t->count);
    if (s->limits->mass && s->group_count && !hand_over_some(s, err))
        return false;
    s->moved = false;
    query = group_query(s, s->group, s->group_count, s->limits->whatever_indexed);
    ok = !query || group_search(s, query, &t->round, err);
    t->again = !ok || s->moved;
    json_decref(query);
    return ok || err->kind == ERROR_INPUT;
}

static bool look_again(struct spread *s, struct together *t, struct error *err)
{
    json_t *query;
    bool over = false;

    take_group(s, t->changes, t->count);
    s->moved = false;
    query = group_query(s, s->group, s->group_count, s->limits->whatever_indexed);
    if (!t->again && !group_is_over(s, group_is_quiet(s, query, &t->round), &over, err)) {
        json_decref(query);
        return false;
    }
    json_decref(query);
    if (!over)
        return bring_group(s, t->changes, t->count, err);
    group_set(s, OUTCOME_DONE, NULL, NULL);
    return true;
}

/* -1: who may write need not be one who may ask. */
static int64_t writes_taken(struct spread *s)
{
    struct error unheard;
    int64_t writes;

    return hits_writes(spread_client(s), s->options->relation.index, &writes, &unheard) ? writes : -1;
}

/*
 * A refresh brings thousands of documents to light at once, and costs a quarter of writing them. Where the index took
 * no write but ours there is nothing to look for; they are found when the index is refreshed next.
 */
static bool refresh_or_leave(struct spread *s, int64_t written, struct error *err)
{
    if (written == 0)
        return true;
    s->alone = written > s->options->page && s->writes_before >= 0 && writes_taken(s) - s->writes_before == written;
    return s->alone || search_refresh(spread_client(s), s->options->relation.index, err);
}

static bool spread_together(struct spread *s, struct together *all, size_t count, struct error *err)
{
    int64_t written = 0;

    for (size_t i = 0; i < count; i++) {
        if (!first_search(s, &all[i], err))
            return false;
        written += all[i].round.written;
    }
    if (!refresh_or_leave(s, written, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!look_again(s, &all[i], err))
            return false;
    return true;
}

/* The changes that are open, in groups of as many as one search takes. */
static struct together *divide(struct spread *s, size_t *count)
{
    size_t most = relation_subjects_most(s->relation), total = changes_count(s->changes), from = 0, got;
    struct together *all = xcalloc(total / most + 1, sizeof *all);
    struct change **some = xcalloc(total + 1, sizeof(struct change *));

    all[0].changes = some;
    for (*count = 0; (got = changes_open(s->changes, &from, some, most)) > 0; some += got)
        all[(*count)++] = (struct together){.changes = some, .count = got};
    return all;
}

/* A document written a moment ago, by the platform or by us, is not found before a refresh. */
static bool begin(struct spread *s, struct error *err)
{
    if (!relation_learn(s->relation, spread_client(s), err))
        return false;
    s->writes_before = writes_taken(s);
    return search_refresh(spread_client(s), s->options->relation.index, err);
}

bool spread_changes(struct spread *s, struct changes *c, const struct spread_limits *limits, struct error *err)
{
    struct together *all;
    size_t count;
    bool ok;

    s->changes = c;
    s->limits = limits;
    s->start_us = clock_wall_us();
    s->learned = s->alone = false;
    all = divide(s, &count);
    ok = count == 0 || (begin(s, err) && spread_together(s, all, count, err));
    free(all[0].changes);
    free(all);
    return ok;
}
