#include "handlers/reindex/rebuild.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "handlers/reindex/new_index.h"
#include "indexer/indices.h"
#include "indexer/search.h"

enum {
    PARALLEL_DEFAULT = 4,
    CANCEL_ASK_MS = 250,
    LITTLE = 500, /* so few documents may be left when both are compared */
    ROUNDS_MOST = 50,
    PACES = 5, /* pages in a second, where a rate is given */
};

#define SOURCE_ITSELF "index"

/* ------------------------------------------------------------------------------------------------ going on or not */

static bool may_go_on(struct clock_run *run, struct error *err)
{
    struct rebuild *r = (struct rebuild *)run;
    int64_t now_ms = clock_monotonic_ms();

    if (!r->below->may_go_on(r->below, err))
        return false;
    if (!r->cancelled && now_ms - r->asked_ms >= CANCEL_ASK_MS) {
        r->asked_ms = now_ms;
        if (!rebuild_cancel_asked(r->redis, r->state.alias, &r->cancelled, err))
            return false;
    }
    return !r->cancelled || r->state.phase >= REBUILD_SWITCH || error_set(err, ERROR_INPUT, "it is given up");
}

static void did(struct clock_run *run, int64_t items)
{
    struct rebuild *r = (struct rebuild *)run;

    r->below->did(r->below, items);
}

/* ------------------------------------------------------------------------------------------------------ the plan */

static bool too_long(const char *text, struct error *err)
{
    return strlen(text) < INDEX_NAME_BYTES || error_set(err, ERROR_INPUT, "%.40s... is too long for a name", text);
}

/* One name for a reindex, however it is asked for: the alias, where an index was named. */
static bool find_alias(struct client *c, const char *index, char alias[INDEX_NAME_BYTES], struct error *err)
{
    json_t *indices, *aliases;
    bool ok = indices_describe(c, index, &indices, err);

    aliases = json_object_get(json_object_get(indices, index), "aliases");
    if (ok && json_object_get(indices, index) && json_object_size(aliases) == 0)
        ok = error_set(err, ERROR_INPUT,
                       "%s is an index that no alias leads to: those who read and write it by its own name cannot be "
                       "led to another one; give it an alias and let them use that",
                       index);
    snprintf(alias, INDEX_NAME_BYTES, "%s",
             json_object_size(aliases) ? json_object_iter_key(json_object_iter(aliases)) : index);
    json_decref(indices);
    return ok;
}

static bool name_new(struct rebuild *r, const struct rebuild_options *o, struct error *err)
{
    struct rebuild_state *s = &r->state;
    char time[24];
    int length;

    time_format(clock_wall_us(), "%Y%m%d-%H%M%S", time, sizeof time);
    length = o->into ? snprintf(s->into, sizeof s->into, "%s", o->into)
                     : snprintf(s->into, sizeof s->into, "%s-%s", s->alias, time);
    return (length > 0 && (size_t)length < sizeof s->into) ||
           error_set(err, ERROR_INPUT, "the name of the new index is too long");
}

static bool check_new_name(struct rebuild *r, struct error *err)
{
    json_t *there;
    bool ok = indices_describe(r->client, r->state.into, &there, err);

    ok = ok && (json_object_size(there) == 0 ||
                error_set(err, ERROR_INPUT, "%s is there already: name another index", r->state.into));
    json_decref(there);
    return ok;
}

static bool plan(struct rebuild *r, const struct rebuild_options *o, struct error *err)
{
    struct rebuild_state *s = &r->state;
    bool by_alias;

    s->phase = REBUILD_PREPARE;
    s->started_us = clock_wall_us();
    snprintf(s->source, sizeof s->source, "%s", o->source ? o->source : SOURCE_ITSELF);
    if (!new_index_find_old(r->client, s->alias, s->old, &by_alias, err) || !name_new(r, o, err) ||
        !check_new_name(r, err))
        return false;
    if (!s->old[0])
        return error_set(err, ERROR_INPUT, "there is no index %s", s->alias);
    return r->supply || indices_count(r->client, s->old, NULL, &s->total, err);
}

/* What was begun is not what is asked for now. */
static bool check_same(const struct rebuild_state *s, const struct rebuild_options *o, struct error *err)
{
    if ((!o->source || text_same(o->source, s->source)) && (!o->into || text_same(o->into, s->into)))
        return true;
    return error_set(
        err, ERROR_INPUT,
        "a reindex of %s from %s into %s is not finished: go on with --resume, or `crier reindex cancel %s`", s->alias,
        s->source, s->into, s->alias);
}

static bool open_supply(struct rebuild *r, const char *name, struct error *err)
{
    if (!name || text_same(name, SOURCE_ITSELF))
        return true;
    r->supply = supply_new(r->settings, name, err);
    return r->supply != NULL;
}

bool rebuild_open(struct rebuild *r, const struct settings *settings, struct redis *redis,
                  const struct rebuild_options *o, bool *resumed, struct error *err)
{
    struct rebuild_state *s = &r->state;
    bool found;

    *r = (struct rebuild){
        .run = {may_go_on, did},
          .settings = settings, .redis = redis, .client = client_new(&settings->opensearch)
    };
    rebuild_state_init(s);
    *resumed = false;
    if (!too_long(o->index, err) || !too_long(o->into ? o->into : "", err) ||
        !too_long(o->source ? o->source : "", err))
        return false;
    if (!find_alias(r->client, o->index, s->alias, err) || !rebuild_state_load(redis, s->alias, s, &found, err))
        return false;
    *resumed = found && s->phase != REBUILD_DONE;
    if (!*resumed && o->resume)
        return error_set(err, ERROR_INPUT, "no reindex of %s was begun", s->alias);
    if (*resumed ? !check_same(s, o, err) : false)
        return false;
    if (!open_supply(r, *resumed ? s->source : o->source, err))
        return false;
    if (!*resumed) {
        char alias[INDEX_NAME_BYTES];

        memcpy(alias, s->alias, sizeof alias);
        rebuild_state_release(s);
        rebuild_state_init(s);
        memcpy(s->alias, alias, sizeof alias);
        if (!plan(r, o, err))
            return false;
    }
    s->drop = s->drop || o->drop;
    s->rate = o->rate ? o->rate : s->rate;
    s->parallel = o->parallel ? o->parallel : s->parallel ? s->parallel : PARALLEL_DEFAULT;
    s->failure[0] = '\0';
    return true;
}

void rebuild_close(struct rebuild *r)
{
    page_queue_free(r->queue);
    shard_walk_release(&r->walk);
    supply_free(r->supply);
    client_free(r->client);
    rebuild_state_release(&r->state);
}

/* ------------------------------------------------------------------------------------------------------ the phases */

static bool enter(struct rebuild *r, enum rebuild_phase phase, struct error *err)
{
    r->state.phase = phase;
    return rebuild_state_save(r->redis, &r->state, err);
}

/* What moves on when a page is durable. */
static bool settled(const struct page *p, void *context, struct error *err)
{
    struct rebuild *r = context;
    int64_t taken_ms = clock_monotonic_ms() - r->began_ms;

    if (p->position.length)
        rebuild_state_move(&r->state, p->position);
    if (p->shard < r->state.copied.count && p->reached > r->state.copied.seq_no[p->shard]) {
        r->state.copied.seq_no[p->shard] = p->reached;
        r->state.done_anew = 0;
    } else if (p->shard < r->state.copied.count && r->state.phase == REBUILD_FILL) {
        r->state.done_anew += p->read;
    }
    if (r->state.phase == REBUILD_FILL) {
        r->state.done += p->read;
        r->state.per_second = r->read * 1000 / (taken_ms > 0 ? taken_ms : 1);
        r->run.did(&r->run, p->read);
    }
    return p->read == 0 || rebuild_state_save(r->redis, &r->state, err);
}

static bool prepare(struct rebuild *r, struct error *err)
{
    struct shard_marks now;

    if (!shard_marks_settled(r->client, r->state.old, &now, &r->state.deletions, err))
        return false;
    if (r->supply)
        r->state.copied = now; /* of the old index only what comes from now on */
    return rebuild_state_save(r->redis, &r->state, err) && new_index_make(r->client, &r->state, err) &&
           enter(r, REBUILD_FILL, err);
}

static bool fill(struct rebuild *r, struct error *err)
{
    int64_t documents;

    return new_index_quicken(r->client, &r->state, err) &&
           (r->supply ? rebuild_fill(r, err) : rebuild_round(r, &documents, err)) && enter(r, REBUILD_FOLLOW, err);
}

static bool follow(struct rebuild *r, struct error *err)
{
    int64_t documents = LITTLE + 1;

    for (int round = 0; round < ROUNDS_MOST && documents > LITTLE; round++)
        if (!rebuild_round(r, &documents, err))
            return false;
    return enter(r, REBUILD_COMPARE, err);
}

static bool compare(struct rebuild *r, struct error *err)
{
    return new_index_restore(r->client, &r->state, &r->run, err) && rebuild_compare(r, err) &&
           enter(r, REBUILD_SWITCH, err);
}

/*
 * A last round, so that next to nothing is missing at the change. What the new index has then is noted before it: what
 * it gets later comes from others.
 */
static bool change_over(struct rebuild *r, struct error *err)
{
    struct rebuild_state *s = &r->state;
    int64_t documents;

    return rebuild_round(r, &documents, err) && search_refresh(r->client, s->into, err) &&
           shard_marks_last(r->client, s->into, &s->at_switch, err) && rebuild_state_save(r->redis, s, err) &&
           r->run.may_go_on(&r->run, err) && new_index_switch(r->client, s, err) && enter(r, REBUILD_SETTLE, err);
}

/* Cut off at the change it may have come before it or after it; before it, all is compared anew. */
static bool find_phase(struct rebuild *r, struct error *err)
{
    enum rebuild_phase *phase = &r->state.phase;
    bool in_place = false;

    if (*phase == REBUILD_SWITCH && !new_index_in_place(r->client, &r->state, &in_place, err))
        return false;
    if (in_place)
        *phase = REBUILD_SETTLE;
    else if (*phase == REBUILD_COMPARE || *phase == REBUILD_SWITCH)
        *phase = REBUILD_FOLLOW;
    return true;
}

static bool settle(struct rebuild *r, struct error *err)
{
    return rebuild_settle(r, err) && (!r->state.drop || indices_delete(r->client, r->state.old, err)) &&
           enter(r, REBUILD_DONE, err);
}

static bool (*const phases[])(struct rebuild *r, struct error *err) = {
    [REBUILD_PREPARE] = prepare, [REBUILD_FILL] = fill,          [REBUILD_FOLLOW] = follow,
    [REBUILD_COMPARE] = compare, [REBUILD_SWITCH] = change_over, [REBUILD_SETTLE] = settle,
};

/* Why it stopped, for whoever looks; best effort. */
static void note_failure(struct rebuild *r, const struct error *err)
{
    struct error ignored;

    snprintf(r->state.failure, sizeof r->state.failure, "%s", err->text);
    if (!rebuild_state_save(r->redis, &r->state, &ignored))
        r->state.failure[0] = '\0';
}

static bool go_through(struct rebuild *r, struct error *err)
{
    bool ok;

    r->queue = page_queue_new(r->settings, r->state.into, (size_t)r->state.parallel, settled, r);
    do
        ok = r->run.may_go_on(&r->run, err) && phases[r->state.phase](r, err);
    while (ok && r->state.phase != REBUILD_DONE);
    page_queue_free(r->queue);
    r->queue = NULL;
    return ok;
}

/* Over servers that are away for a while: as long as it moves on now and then. */
static bool run_phases(struct rebuild *r, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS, moved_us = r->state.updated_us;

    while (!find_phase(r, err) || !go_through(r, err)) {
        if (r->state.updated_us != moved_us)
            until_ms = clock_monotonic_ms() + PATIENCE_MS;
        moved_us = r->state.updated_us;
        if (!patience_left(&r->run, until_ms, err))
            return false;
    }
    return true;
}

static size_t hits_a_page(int64_t rate)
{
    int64_t paced = (rate + PACES - 1) / PACES;

    return rate && paced < PAGE_HITS_MOST ? (size_t)paced : PAGE_HITS_MOST;
}

bool rebuild_run(struct rebuild *r, struct clock_run *below, struct error *err)
{
    struct rebuild_state *s = &r->state;
    bool ok;

    r->below = below;
    r->began_ms = clock_monotonic_ms();
    r->reader = (struct shard_reader){.client = r->client, .index = s->old, .page.most = hits_a_page(s->rate)};
    r->walk = (struct shard_walk){.client = r->client, .index = s->old, .page.most = hits_a_page(s->rate)};
    ok = !r->supply || s->total > 0 || supply_count(r->supply, 0, &r->run, &s->total, err);
    s->total = s->total > 0 ? s->total : 0;
    ok = ok && run_phases(r, err);
    if (ok)
        return rebuild_cancel_forget(r->redis, s->alias, err);
    if (r->cancelled && s->phase < REBUILD_SWITCH)
        return rebuild_give_up(r, err);
    note_failure(r, err);
    return error_in(err, "reindex of %s, phase %s", s->alias, rebuild_phase_name(s->phase));
}

bool rebuild_give_up(struct rebuild *r, struct error *err)
{
    bool in_place;

    if (!new_index_in_place(r->client, &r->state, &in_place, err))
        return false;
    if (in_place)
        return error_set(err, ERROR_INPUT, "readers are at %s already: run it to its end with --resume", r->state.into);
    return indices_delete(r->client, r->state.into, err) && rebuild_state_forget(r->redis, r->state.alias, err);
}
