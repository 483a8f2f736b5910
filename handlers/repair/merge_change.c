#include "handlers/repair/merge_group.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "indexer/indices.h"

enum {
    NAMES_MOST = 1000, /* of old indices in the interval of a new one */
    READERS_END_MS = 5000,
};

/* ------------------------------------------------------------------------------------------------ the new index */

static json_t *alias_action(const struct merge *m, const char *what, const char *index, const char *alias)
{
    struct buf name = BUF_INIT, full = BUF_INIT;
    json_t *action;

    buf_printf(&name, "%s%s", client_prefix(m->client), index);
    buf_printf(&full, "%s%s", alias ? client_prefix(m->client) : "", alias ? alias : "");
    action = json_pack("{s:{s:s}}", what, "index", name.data);
    if (alias)
        json_object_set_new(json_object_get(action, what), "alias", json_string(full.data));
    buf_release(&name);
    buf_release(&full);
    return action;
}

/* What the template put it into; it is empty, so nobody saw it there. */
static bool detach(struct merge *m, const struct group *g, struct error *err)
{
    json_t *actions = json_array(), *properties;
    const char *alias;
    bool ok;

    json_object_foreach(json_object_get(merge_target(m, g), "aliases"), alias, properties)
        json_array_append_new(actions, alias_action(m, "remove", g->target, alias));
    ok = json_array_size(actions) == 0 || indices_change_aliases(m->client, actions, err);
    json_decref(actions);
    return ok;
}

/* The newest source's mapping goes on; _meta says what this index is. */
static json_t *mapping_of(const struct merge *m, const struct group *g)
{
    const json_t *newest = json_object_get(m->indices, g->sources[g->count - 1]);
    json_t *mapping = json_deep_copy(json_object_get(newest, "mappings")), *meta, *sources = json_object();

    if (!mapping)
        mapping = json_object();
    for (size_t i = 0; i < g->count; i++) {
        const json_t *source = json_object_get(m->indices, g->sources[i]);

        json_object_set_new(sources, g->sources[i],
                            json_pack("{s:O?, s:i, s:b}", "uuid", json_at(source, "settings.index.uuid"), "seq_no", -1,
                                      "blocked", indices_blocked(source)));
    }
    meta = json_deep_copy(json_object_get(mapping, "_meta"));
    if (!meta)
        meta = json_object();
    json_object_set_new(meta, MERGE_NOTE,
                        json_pack("{s:s, s:s, s:o}", "from", m->from.format, "to", m->to.format, "sources", sources));
    json_object_set_new(mapping, "_meta", meta);
    return mapping;
}

bool merge_make_target(struct merge *m, const struct group *g, struct error *err)
{
    json_t *body;
    bool ok;

    if (merge_target(m, g))
        return detach(m, g, err);
    body = json_pack("{s:o}", "mappings", mapping_of(m, g));
    ok = indices_create(m->client, g->target, body, err) && merge_look(m, err) && detach(m, g, err);
    json_decref(body);
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- the change */

/* By its name on the server: with the prefix, or another's without. */
static json_t *alias_change(const struct merge *m, const char *what, const char *index, const char *prefix,
                            const char *alias)
{
    json_t *action = alias_action(m, what, index, alias);
    struct buf name = BUF_INIT;

    buf_printf(&name, "%s%s", prefix, alias);
    json_object_set_new(json_object_get(action, what), "alias", json_string(name.data));
    buf_release(&name);
    return action;
}

/* The new index has it with its properties; but of one old index a write index would not hold for the new one. */
static void move_alias(const struct merge *m, const struct group *g, const char *source, const char *prefix,
                       const char *alias, const json_t *properties, json_t *actions)
{
    json_t *action = alias_change(m, "add", g->target, prefix, alias), *add = json_object_get(action, "add");

    json_object_update_missing(add, (json_t *)(uintptr_t)properties);
    json_object_del(add, "is_write_index");
    json_array_append_new(actions, action);
    json_array_append_new(actions, alias_change(m, "remove", source, prefix, alias));
}

static void move_aliases(const struct merge *m, const struct group *g, const char *source, const char *kind,
                         const char *prefix, json_t *actions)
{
    json_t *aliases = json_object_get(json_object_get(m->indices, source), kind), *properties;
    const char *alias;

    json_object_foreach(aliases, alias, properties)
    {
        move_alias(m, g, source, prefix, alias, properties, actions);
    }
}

static void add_name(const struct merge *m, const struct group *g, const char *name, json_t *actions)
{
    json_t *action = alias_action(m, "add", g->target, name);

    json_object_set_new(json_object_get(action, "add"), "is_write_index", json_true());
    json_array_append_new(actions, action);
}

static bool is_source(const struct group *g, const char *name)
{
    for (size_t i = 0; i < g->count; i++)
        if (strcmp(g->sources[i], name) == 0)
            return true;
    return false;
}

/* The old names of the interval that no index has: one made at this very moment refuses the whole change. */
static bool add_free_names(const struct merge *m, const struct group *g, json_t *actions, struct error *err)
{
    int64_t at_us = index_name_start(&m->to, g->time_us), end_us = index_name_next(&m->to, at_us);
    struct buf name = BUF_INIT;
    int names = 0;

    for (; at_us < end_us && ++names <= NAMES_MOST; at_us = index_name_next(&m->from, at_us)) {
        buf_reset(&name);
        index_name_add(&m->from, at_us, &name);
        if (!is_source(g, name.data))
            add_name(m, g, name.data, actions);
    }
    buf_release(&name);
    return at_us >= end_us ||
           error_set(err, ERROR_INPUT, "%s would need more than %d aliases: choose a shorter interval", g->target,
                     NAMES_MOST);
}

/* All of it in one change of the cluster's state: nobody sees a part of it. */
bool merge_change_over(struct merge *m, const struct group *g, struct error *err)
{
    json_t *actions = json_array();
    bool ok;

    for (size_t i = 0; i < g->count; i++) {
        move_aliases(m, g, g->sources[i], "aliases", client_prefix(m->client), actions);
        move_aliases(m, g, g->sources[i], "other_aliases", "", actions);
    }
    ok = add_free_names(m, g, actions, err) && m->run->may_go_on(m->run, err) &&
         indices_change_aliases(m->client, actions, err);
    json_decref(actions);
    return ok;
}

/* A search under way when an index goes leaves it out without a word: those that began before are let end. */
static void wait_for_readers(const struct merge *m)
{
    int64_t until_ms = clock_monotonic_ms() + READERS_END_MS;
    struct error ignored;

    while (clock_monotonic_ms() < until_ms) {
        if (!m->run->may_go_on(m->run, &ignored)) /* it only keeps the lease: this is no place to stop at */
            log_debug("%s", ignored.text);
        nanosleep(&(struct timespec){.tv_nsec = 200 * 1000000L}, NULL);
    }
}

bool merge_remove_old(struct merge *m, const struct group *g, struct error *err)
{
    json_t *actions = json_array();
    bool ok;

    wait_for_readers(m);
    for (size_t i = 0; i < g->count; i++)
        json_array_append_new(actions, alias_action(m, "remove_index", g->sources[i], NULL));
    for (size_t i = 0; i < g->count; i++)
        add_name(m, g, g->sources[i], actions);
    ok = indices_change_aliases(m->client, actions, err);
    json_decref(actions);
    return ok;
}
