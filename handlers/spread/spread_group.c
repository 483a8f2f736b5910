#include "handlers/spread/spread_group.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "handlers/spread/copyists.h"
#include "indexer/search.h"

enum {
    UNDONE_MOST = 5,  /* rounds in which others undo what was written */
    ROUNDS_MOST = 20, /* altogether, for who can leave the rest to the clock */
};

/* ------------------------------------------------------------------------------------------------ one pass over all */

static int64_t page_of(const struct spread *s)
{
    return s->limits->page_most && s->limits->page_most < s->options->page ? s->limits->page_most : s->options->page;
}

/* What is newest may move on in a long pass: what is written from the next page on is that. */
static bool between(void *context, int64_t written, struct error *err)
{
    struct spread *s = context;
    bool moved;

    if (!newest_ask(s->newest, s->group, s->group_count, &moved, err))
        return false;
    s->moved |= moved;
    return s->limits->between(s->limits->context, written, err);
}

/* False with ERROR_INPUT: the query is refused, or a document in it cannot be read; what could be is written. */
static bool pass(struct spread *s, const json_t *query, int64_t total, struct copyist_tally *tally, struct error *err)
{
    const struct copyist_job job = {
        .relation = s->relation,
        .roots = s->roots,
        .index = s->options->relation.index,
        .versions = (enum versions)s->options->versions,
        .page = (size_t)page_of(s),
        .changes = s->changes,
        .between = s->limits->between ? between : NULL,
        .context = s,
    };
    bool ok = copyists_pass(s->copyists, &job, query, total <= page_of(s), tally, err);

    counter_add(s->written, tally->written);
    counter_add(s->superseded, tally->superseded);
    counter_add(s->conflicts, tally->conflicts);
    counter_add(s->refused, tally->refused);
    if (!ok || tally->unreadable.kind == ERROR_NONE)
        return ok;
    *err = tally->unreadable;
    return false;
}

/* --------------------------------------------------------------------------------------------- what is too much */

json_t *group_query(struct spread *s, struct change *const *group, size_t count, bool whatever_indexed)
{
    const struct subject **subjects = xcalloc(count + 1, sizeof(struct subject *));
    json_t *query;

    for (size_t i = 0; i < count; i++)
        subjects[i] = &group[i]->subject;
    query = relation_query(s->relation, subjects, count, true, whatever_indexed ? 0 : s->start_us);
    free(subjects);
    return query;
}

bool group_hand_over_one(struct spread *s, struct change *change, struct error *err)
{
    if (!newest_to_mass(s->newest, change, err))
        return false;
    counter_add(s->handed_over, 1);
    change_set(s->changes, change, OUTCOME_DONE, NULL, NULL);
    return true;
}

bool spread_is_late(const struct spread *s)
{
    return s->limits->until_ms && clock_monotonic_ms() > s->limits->until_ms;
}

static bool hand_over_if_large(struct spread *s, struct change *change, struct error *err)
{
    json_t *query = group_query(s, &change, 1, s->limits->whatever_indexed);
    int64_t count = 0;
    bool ok =
        !query || hits_count(spread_client(s), s->options->relation.index, query, s->limits->mass + 1, &count, err);

    json_decref(query);
    return ok && (count <= s->limits->mass || group_hand_over_one(s, change, err));
}

void group_keep_open(struct spread *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->group_count; i++)
        if (s->group[i]->outcome == OUTCOME_NONE)
            s->group[kept++] = s->group[i];
    s->group_count = kept;
}

bool group_hand_over_large(struct spread *s, struct error *err)
{
    for (size_t i = 0; i < s->group_count; i++)
        if (!hand_over_if_large(s, s->group[i], err))
            return false;
    group_keep_open(s);
    return true;
}

/* --------------------------------------------------------------------------------------- until nothing is behind */

bool group_search(struct spread *s, const json_t *query, struct group_round *r, struct error *err)
{
    struct copyist_tally tally;
    int64_t total = s->total;
    size_t open = s->group_count;

    *r = (struct group_round){0};
    s->total = -1;
    if (total < 0 && !hits_count(spread_client(s), s->options->relation.index, query, page_of(s) + 1, &total, err))
        return false;
    if (total == 0)
        return true;
    if (!pass(s, query, total, &tally, err))
        return false;
    group_keep_open(s);
    r->written = tally.written;
    r->sum = tally.sum;
    r->sum_tells = !relation_finds_behind(s->relation) && tally.sum_known && open == s->group_count;
    return true;
}

bool group_is_quiet(struct spread *s, const json_t *query, const struct group_round *r)
{
    struct hits_sum sum;
    struct error err; /* what is wrong shows in the next search */

    return r->written == 0 || s->alone ||
           (r->sum_tells && hits_sum(spread_client(s), s->options->relation.index, query, &sum, &err) &&
            hits_sum_same(&sum, &r->sum));
}

void group_set(struct spread *s, enum outcome outcome, const char *reason, const char *reply)
{
    for (size_t i = 0; i < s->group_count; i++)
        change_set(s->changes, s->group[i], outcome, reason, reply);
}

bool group_is_over(struct spread *s, bool quiet, bool *over, struct error *err)
{
    bool moved = false;

    if (quiet && !newest_ask(s->newest, s->group, s->group_count, &moved, err))
        return false;
    s->moved |= moved;
    *over = quiet && !s->moved;
    return true;
}

static bool hand_over_group(struct spread *s, struct error *err)
{
    for (size_t i = 0; i < s->group_count; i++)
        if (!group_hand_over_one(s, s->group[i], err))
            return false;
    group_keep_open(s);
    return true;
}

/* A subject may change faster than a round takes: its events are not to wait until it rests. */
static bool is_enough(const struct spread *s, int rounds)
{
    return spread_is_late(s) || (s->limits->until_ms && rounds == ROUNDS_MOST);
}

static bool one_round(struct spread *s, bool *over, struct error *err)
{
    json_t *query = group_query(s, s->group, s->group_count, true);
    struct group_round r = {0};
    bool ok;

    s->moved = s->alone = false;
    ok = !query || (group_search(s, query, &r, err) &&
                    (r.written == 0 || search_refresh(spread_client(s), s->options->relation.index, err)));
    ok = ok && group_is_over(s, !query || group_is_quiet(s, query, &r), over, err);
    json_decref(query);
    return ok;
}

bool group_bring(struct spread *s, struct error *err)
{
    int undone = 0; /* rounds after which it was not over, though nothing newer came */
    bool over = false;

    for (int rounds = 0; s->group_count > 0 && !over && undone < UNDONE_MOST; rounds++) {
        if (is_enough(s, rounds))
            return hand_over_group(s, err);
        if (!one_round(s, &over, err))
            return false;
        undone += !over && !s->moved;
    }
    if (over)
        group_set(s, OUTCOME_DONE, NULL, NULL);
    else
        group_set(s, OUTCOME_RETRY, "others write its documents all the time", NULL);
    return true;
}
