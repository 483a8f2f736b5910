#include "handlers/repair/reclassify.h"

#include <string.h>

#include "base/json.h"
#include "handlers/event_types.h"
#include "handlers/repair/pages.h"
#include "handlers/repair/rewrite.h"
#include "indexer/indices.h"
#include "indexer/search.h"
#include "notifier/agent_class.h"
#include "notifier/agents.h"

struct reclassifying {
    struct agents *agents;
    struct rewrite *rewrite;
    struct reclassify_tally *tally;
};

/* ---------------------------------------------------------------------------------------------------- judging */

/* A document that does not say it is not made to. */
static bool set_truth(json_t *document, const char *field, bool truth)
{
    const json_t *is = json_object_get(document, field);

    if (!json_is_boolean(is) || json_is_true(is) == truth)
        return false;
    json_object_set_new(document, field, json_boolean(truth));
    return true;
}

static bool judge(json_t *document, const json_t *wanted, void *context)
{
    struct reclassifying *r = context;
    const char *class = json_member_text(document, AGENT_CLASS_FIELD, "");
    struct agent agent = agents_judge_class(r->agents, class, strlen(class));
    bool robot = set_truth(document, "is_robot", agent.robot);

    (void)wanted;
    return set_truth(document, "is_machine", agent.machine) || robot;
}

/* Only those that seem to be another by now are read once more. */
static bool judge_page(const json_t *hits, void *context, struct error *err)
{
    struct reclassifying *r = context;
    bool ok = true;

    for (size_t i = 0; ok && i < json_array_size(hits); i++) {
        const json_t *hit = json_array_get(hits, i);
        json_t *copy = json_copy(json_object_get(hit, "_source"));

        r->tally->looked_at++;
        if (judge(copy, NULL, r))
            ok = rewrite_add(r->rewrite, hit, NULL, err);
        json_decref(copy);
    }
    return ok;
}

/* ------------------------------------------------------------------------------------------------ what there is */

static json_t *query_of(const struct store *s, struct time_range range, const char *what)
{
    return json_pack("{s:{s:[o], s:[{s:{s:s}}]}}", "bool", "must", store_query(s, range), what, "exists", "field",
                     AGENT_CLASS_FIELD);
}

/* The lists of the one type of events that has some; of several nobody could tell whose a document is. */
static struct agents *open_agents(const struct handler *h, struct error *err)
{
    const struct event_settings *es, *found = NULL;
    size_t at = 0;

    while ((es = event_type_next(h->settings, h->common, &at))) {
        if (!es->agent_class)
            continue;
        if (found) {
            error_set(err, ERROR_INPUT, "handler %s takes %s and %s: their documents cannot be told apart",
                      h->common->name, found->type, es->type);
            return NULL;
        }
        found = es;
    }
    if (found)
        return agents_new(found, AGENTS_ROBOTS | AGENTS_MACHINES, err);
    error_set(err, ERROR_INPUT, "no [event] of handler %s has agent_class = yes: its documents keep no class",
              h->common->name);
    return NULL;
}

/* ------------------------------------------------------------------------------------- one that was cut off */

static void add_key(const struct handler *h, struct buf *out)
{
    buf_printf(out, "crier:{%s}:reclassifying:%s", h->common->queue, h->common->name);
}

static bool begin(struct handler *h, bool *unfinished, struct error *err)
{
    struct arena *arena = arena_new();
    struct buf key = BUF_INIT;
    const struct reply *reply;
    bool ok;

    add_key(h, &key);
    ok = redis_do(h->redis, arena, &reply, err, "SET %s 1 GET", key.data);
    *unfinished = ok && reply->kind == REPLY_TEXT;
    buf_release(&key);
    arena_free(arena);
    return ok;
}

bool reclassify_end(struct handler *h, struct error *err)
{
    struct arena *arena = arena_new();
    struct buf key = BUF_INIT;
    const struct reply *reply;
    bool ok;

    add_key(h, &key);
    ok = redis_do(h->redis, arena, &reply, err, "DEL %s", key.data);
    buf_release(&key);
    arena_free(arena);
    return ok;
}

/* --------------------------------------------------------------------------------------------------- the whole */

static bool judge_all(struct reclassifying *r, struct handler *h, const struct store *s, struct time_range range,
                      struct clock_run *run, struct error *err)
{
    json_t *with = query_of(s, range, "filter"), *without = query_of(s, range, "must_not");
    bool ok = search_refresh(h->client, s->source, err) &&
              indices_count(h->client, s->source, without, &r->tally->without_class, err) &&
              pages_each(h->client, s->source, with, run, judge_page, r, err) && rewrite_flush(r->rewrite, err);

    json_decref(with);
    json_decref(without);
    return ok;
}

bool reclassify(struct handler *h, const struct store *s, struct time_range range, struct clock_run *run, bool dry_run,
                struct reclassify_tally *tally, bool *unfinished, struct error *err)
{
    struct reclassifying r = {.agents = open_agents(h, err), .tally = tally};
    bool ok = r.agents != NULL;

    *tally = (struct reclassify_tally){0};
    *unfinished = false;
    if (ok) {
        r.rewrite = rewrite_new(h, run, dry_run, judge, &r);
        ok = (dry_run || begin(h, unfinished, err)) && judge_all(&r, h, s, range, run, err);
        tally->changed = rewrite_changed(r.rewrite);
    }
    rewrite_free(r.rewrite);
    agents_free(r.agents);
    return ok;
}
