#include "handlers/repair/merge_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"
#include "indexer/indices.h"

/* ------------------------------------------------------------------------------------------------ what there is */

static void add_source(struct group *g, const char *name, int64_t time_us)
{
    if (g->count == 0)
        g->time_us = time_us;
    g->sources = xrealloc(g->sources, (g->count + 1) * sizeof *g->sources);
    g->sources[g->count++] = xstrdup(name);
}

void merge_groups_free(struct group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < groups[i].count; n++)
            free(groups[i].sources[n]);
        free(groups[i].target);
        free(groups[i].sources);
        free(groups[i].copies);
    }
    free(groups);
}

static struct group *group_of(struct group **groups, size_t *count, const char *target)
{
    for (size_t i = 0; i < *count; i++)
        if (text_same((*groups)[i].target, target))
            return &(*groups)[i];
    *groups = xrealloc(*groups, (*count + 1) * sizeof **groups);
    (*groups)[*count] = (struct group){.target = xstrdup(target)};
    return &(*groups)[(*count)++];
}

/* Names sort as their times do, so that the groups come in the order of time. */
struct group *merge_groups(const struct merge *m, size_t *count)
{
    struct group *groups = NULL;
    struct buf target = BUF_INIT;
    const char *name;
    json_t *described;
    int64_t time_us;

    *count = 0;
    json_object_foreach(m->indices, name, described) if (index_name_time(&m->from, name, &time_us))
    {
        buf_reset(&target);
        index_name_add(&m->to, time_us, &target);
        add_source(group_of(&groups, count, target.data), name, time_us);
    }
    buf_release(&target);
    return groups;
}

bool merge_look(struct merge *m, struct error *err)
{
    struct buf pattern = BUF_INIT;
    bool ok;

    buf_printf(&pattern, "%s*%s", m->from.before, m->from.after);
    json_decref(m->indices);
    ok = indices_describe(m->client, pattern.data, &m->indices, err);
    buf_release(&pattern);
    return ok;
}

const json_t *merge_target(const struct merge *m, const struct group *g)
{
    return json_object_get(m->indices, g->target);
}

const json_t *merge_note(const struct merge *m, const struct group *g)
{
    return json_object_get(json_at(merge_target(m, g), "mappings._meta"), MERGE_NOTE);
}

static bool has_alias(const struct merge *m, const char *index)
{
    return json_object_get(json_object_get(json_object_get(m->indices, index), "aliases"), m->store->alias) != NULL;
}

/* Just made, the new index is in the alias as well, but then the old ones are, too. */
bool merge_changed_over(const struct merge *m, const struct group *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (has_alias(m, g->sources[i]))
            return false;
    return merge_note(m, g) && has_alias(m, g->target);
}

/* An index of the new name that is in use already would show its documents twice while others are copied into it. */
bool merge_check(const struct merge *m, const struct group *g, struct error *err)
{
    if (merge_target(m, g) && !merge_note(m, g))
        return error_set(err, ERROR_INPUT, "index %s is there already, and crier did not begin it", g->target);
    if (merge_changed_over(m, g))
        return true;
    for (size_t i = 0; i < g->count; i++)
        if (!has_alias(m, g->sources[i]))
            return error_set(err, ERROR_INPUT, "index %s is not in the alias %s: its documents would appear in it",
                             g->sources[i], m->store->alias);
    return true;
}

bool merge_open(struct merge *m, struct client *c, const struct store *s, const char *suffix, struct error *err)
{
    *m = (struct merge){.client = c, .store = s};
    if (!s->alias[0])
        return error_set(err, ERROR_INPUT, "handler %s has no alias: its readers would see the new index as well",
                         s->handler->name);
    return index_names_parse(s->index, &m->from, err) && index_names_change(&m->from, suffix, &m->to, err) &&
           index_names_coarser(&m->from, &m->to, err) && merge_look(m, err);
}

void merge_close(struct merge *m)
{
    json_decref(m->indices);
}

/* ------------------------------------------------------------------------------------------ the note in its mapping */

/* Of a source; NULL: it was not there when the new index was made, or it is another of the same name. */
static const json_t *note_of_source(const struct merge *m, const struct group *g, size_t i)
{
    const json_t *note = json_object_get(json_object_get(merge_note(m, g), "sources"), g->sources[i]);
    const json_t *uuid = json_at(json_object_get(m->indices, g->sources[i]), "settings.index.uuid");

    return note && json_equal(json_object_get(note, "uuid"), uuid) ? note : NULL;
}

void merge_read_note(const struct merge *m, struct group *g)
{
    g->copies = xcalloc(g->count, sizeof *g->copies);
    for (size_t i = 0; i < g->count; i++) {
        const json_t *note = note_of_source(m, g, i);

        g->copies[i] = (struct index_copy){g->sources[i], g->target, -1};
        if (note)
            g->copies[i].seq_no = json_integer_value(json_object_get(note, "seq_no"));
    }
}

/* Only after the copies up to there are durable. */
bool merge_write_note(struct merge *m, const struct group *g, struct error *err)
{
    json_t *meta = json_deep_copy(json_at(merge_target(m, g), "mappings._meta")), *body, *answer;
    json_t *sources = json_object_get(json_object_get(meta, MERGE_NOTE), "sources");
    bool ok;

    for (size_t i = 0; i < g->count; i++) {
        const json_t *source = json_object_get(m->indices, g->sources[i]), *before = note_of_source(m, g, i);

        json_object_set_new(sources, g->sources[i],
                            json_pack("{s:O?, s:I, s:b}", "uuid", json_at(source, "settings.index.uuid"), "seq_no",
                                      (json_int_t)g->copies[i].seq_no, "blocked",
                                      json_is_true(json_object_get(before, "blocked"))));
    }
    body = json_pack("{s:o}", "_meta", meta);
    ok = indices_ask(m->client, "PUT", g->target, "/_mapping", body, &answer, NULL, err);
    json_decref(answer);
    json_decref(body);
    return ok;
}

bool merge_remove_note(struct merge *m, const struct group *g, struct error *err)
{
    json_t *meta = json_deep_copy(json_at(merge_target(m, g), "mappings._meta")), *body, *answer;
    bool ok;

    json_object_del(meta, MERGE_NOTE);
    body = json_pack("{s:o}", "_meta", meta);
    ok = indices_ask(m->client, "PUT", g->target, "/_mapping", body, &answer, NULL, err);
    json_decref(answer);
    json_decref(body);
    return ok;
}

bool merge_unblock(struct merge *m, const struct group *g, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < g->count; i++)
        if (!json_is_true(json_object_get(note_of_source(m, g, i), "blocked")) &&
            indices_blocked(json_object_get(m->indices, g->sources[i])))
            ok = indices_unblock_writes(m->client, g->sources[i], err);
    return ok;
}
