#include "handlers/repair/index_merge.h"

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/repair/merge_group.h"
#include "indexer/indices.h"
#include "indexer/search.h"

enum {
    LITTLE = 500, /* so many documents may be left for the time in which writers wait */
    ROUNDS_MOST = 20,
    TRIES_MOST = 3, /* an old index may be made anew at any moment, by a late event */
};

/* ------------------------------------------------------------------------------------------------------- the plan */

static bool plan_group(struct merge *m, const struct group *g, json_t *plan, struct error *err)
{
    json_t *sources = json_array();
    int64_t documents = 0, some = 0;
    bool ok = merge_check(m, g, err);

    for (size_t i = 0; ok && i < g->count; i++) {
        ok = indices_count(m->client, g->sources[i], NULL, &some, err);
        documents += some;
        json_array_append_new(sources, json_string(g->sources[i]));
    }
    json_array_append_new(plan, json_pack("{s:s, s:b, s:I, s:o}", "index", g->target, "begun", merge_note(m, g) != NULL,
                                          "documents", (json_int_t)documents, "sources", sources));
    return ok;
}

bool index_merge_plan(struct client *c, const struct store *s, const char *suffix, json_t **plan, struct error *err)
{
    struct merge m;
    size_t count = 0;
    bool ok = merge_open(&m, c, s, suffix, err);
    struct group *groups = ok ? merge_groups(&m, &count) : NULL;

    *plan = json_array();
    for (size_t i = 0; ok && i < count; i++)
        ok = plan_group(&m, &groups[i], *plan, err);
    merge_groups_free(groups, count);
    merge_close(&m);
    return ok;
}

/* ------------------------------------------------------------------------------------------------------- copying */

/* One round over all sources; *documents says how many were new. */
static bool copy_round(struct merge *m, struct group *g, int64_t *documents, struct error *err)
{
    bool ok = true;

    *documents = 0;
    for (size_t i = 0; ok && i < g->count; i++) {
        int64_t some = 0;

        ok = index_copy_on(&g->copies[i], m->client, m->bulk_bytes, m->run, &some, err) && merge_write_note(m, g, err);
        *documents += some;
    }
    return ok;
}

static bool copy_until_little_is_new(struct merge *m, struct group *g, struct error *err)
{
    int64_t documents = LITTLE + 1;
    bool ok = true;

    for (int round = 0; ok && round < ROUNDS_MOST && documents > LITTLE; round++)
        ok = copy_round(m, g, &documents, err);
    return ok;
}

/* ------------------------------------------------------------------------------------------------------ comparing */

static bool count_both(struct merge *m, const struct group *g, int64_t *of_sources, int64_t *of_target,
                       struct error *err)
{
    bool ok = search_refresh(m->client, g->target, err) && indices_count(m->client, g->target, NULL, of_target, err);

    *of_sources = 0;
    for (size_t i = 0; ok && i < g->count; i++) {
        int64_t some = 0;

        ok = search_refresh(m->client, g->sources[i], err) && indices_count(m->client, g->sources[i], NULL, &some, err);
        *of_sources += some;
    }
    return ok;
}

/* What was deleted while it was copied is in the new index alone, until here. */
static bool compare_counts(struct merge *m, const struct group *g, struct error *err)
{
    int64_t of_sources, of_target;

    if (!count_both(m, g, &of_sources, &of_target, err))
        return false;
    if (of_target > of_sources &&
        (!index_copy_prune(g->target, m->store->source, m->client, m->bulk_bytes, m->run, err) ||
         !count_both(m, g, &of_sources, &of_target, err)))
        return false;
    if (of_target == of_sources)
        return true;
    return error_set(err, ERROR_INPUT,
                     "%s would have %lld documents, the old indices have %lld: ids that are in several of them would "
                     "become one; nothing was changed",
                     g->target, (long long)of_target, (long long)of_sources);
}

static bool compare(struct merge *m, const struct group *g, struct error *err)
{
    bool ok = compare_counts(m, g, err);

    for (size_t i = 0; ok && i < g->count; i++)
        ok = index_copy_sample(&g->copies[i], m->client, err);
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- one group */

static bool block(struct merge *m, const struct group *g, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < g->count; i++)
        ok = indices_block_writes(m->client, g->sources[i], err);
    return ok && merge_look(m, err);
}

/* Whether what was blocked is still all there is, and still blocked. */
static bool still_the_same(const struct merge *m, const struct group *g)
{
    size_t count, sources = 0;
    struct merge now = *m;
    struct group *groups = merge_groups(&now, &count);

    for (size_t i = 0; i < count; i++)
        if (text_same(groups[i].target, g->target))
            sources = groups[i].count;
    merge_groups_free(groups, count);
    for (size_t i = 0; i < g->count; i++)
        if (!indices_blocked(json_object_get(m->indices, g->sources[i])))
            return false;
    return sources == g->count;
}

/* A late event may have made an old index after we looked: its name refuses the whole change of aliases. */
static bool was_overtaken(struct merge *m, const struct group *g)
{
    struct error ignored;

    return merge_look(m, &ignored) && !merge_changed_over(m, g) && !still_the_same(m, g);
}

/* While writers wait; *changed where something else became of it meanwhile. */
static bool finish_blocked(struct merge *m, struct group *g, bool *changed, struct error *err)
{
    int64_t documents;

    *changed = !still_the_same(m, g);
    if (*changed)
        return true;
    if (copy_round(m, g, &documents, err) && compare(m, g, err) && merge_change_over(m, g, err))
        return merge_remove_old(m, g, err);
    *changed = was_overtaken(m, g);
    return *changed;
}

/* Whatever went wrong, nobody is to wait for it; but what is written to an index that nobody reads would be lost. */
static void let_write(struct merge *m, const struct group *g)
{
    struct error err = ERROR_INIT;

    if (!merge_look(m, &err) || merge_changed_over(m, g) || !merge_unblock(m, g, &err))
        log_warn("%s: the old indices are perhaps still closed for writing, run it again %s", g->target, err.text);
}

/* *changed: an old index came meanwhile; to be begun anew, with what is copied by now. */
static bool merge_one(struct merge *m, struct group *g, bool *changed, struct error *err)
{
    bool ok = merge_check(m, g, err);

    *changed = false;
    if (ok && merge_changed_over(m, g))
        return merge_remove_old(m, g, err);
    if (!ok || !merge_make_target(m, g, err) || !merge_unblock(m, g, err))
        return false;
    merge_read_note(m, g);
    if (!copy_until_little_is_new(m, g, err))
        return false;
    ok = block(m, g, err) && finish_blocked(m, g, changed, err);
    if (!ok || *changed)
        let_write(m, g);
    return ok;
}

/* The first group there is; *left is false where there was none. */
static bool merge_next(struct merge *m, bool *left, struct error *err)
{
    bool changed = true, ok = true;
    struct error ignored;

    *left = true;
    for (int tries = 0; ok && changed && *left && tries < TRIES_MOST; tries++) {
        size_t count;
        struct group *groups;

        ok = merge_look(m, err);
        groups = merge_groups(m, &count);
        *left = count > 0;
        if (ok && *left) {
            ok = merge_one(m, &groups[0], &changed, err) || error_in(err, "%s", groups[0].target);
            if (ok && !changed && !merge_remove_note(m, &groups[0], &ignored))
                log_debug("%s: its note stays: %s", groups[0].target, ignored.text);
        }
        merge_groups_free(groups, count);
    }
    return ok && (!changed || !*left || error_set(err, ERROR_AGAIN, "old indices are made anew again and again"));
}

bool index_merge_run(struct handler *h, const struct store *s, const char *suffix, struct clock_run *run,
                     struct error *err)
{
    struct merge m;
    bool left = true;
    bool ok = merge_open(&m, h->client, s, suffix, err) && (!h->type->install || h->type->install(h, err));

    m.run = run;
    m.bulk_bytes = h->settings->opensearch.bulk_bytes;
    while (ok && left)
        ok = run->may_go_on(run, err) && merge_next(&m, &left, err);
    merge_close(&m);
    return ok;
}

bool index_merge_cancel(struct client *c, const struct store *s, const char *suffix, struct error *err)
{
    struct merge m;
    size_t count = 0;
    bool ok = merge_open(&m, c, s, suffix, err);
    struct group *groups = ok ? merge_groups(&m, &count) : NULL;

    for (size_t i = 0; ok && i < count; i++)
        if (merge_changed_over(&m, &groups[i]))
            ok = error_set(err, ERROR_INPUT, "readers are at %s already: run it without --cancel, to its end",
                           groups[i].target);
        else if (merge_note(&m, &groups[i]))
            ok = merge_unblock(&m, &groups[i], err) && indices_delete(c, groups[i].target, err);
    merge_groups_free(groups, count);
    merge_close(&m);
    return ok;
}
