#include "handlers/reindex/new_index.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "indexer/indices.h"

enum { REPLICAS_WAIT_MS = 30 * 60 * 1000, ASK_MS = 500 };

bool new_index_find_old(struct client *c, const char *name, char old[INDEX_NAME_BYTES], bool *by_alias,
                        struct error *err)
{
    json_t *indices;
    const char *found;
    bool ok;

    old[0] = '\0';
    *by_alias = true;
    if (!indices_describe(c, name, &indices, err))
        return false;
    ok = json_object_size(indices) <= 1 ||
         error_set(err, ERROR_INPUT,
                   "%s stands for %zu indices: name one of them; those of statistics are the matter of"
                   " `crier statistics reindex`",
                   name, json_object_size(indices));
    if (ok && json_object_size(indices) == 1) {
        found = json_object_iter_key(json_object_iter(indices));
        snprintf(old, INDEX_NAME_BYTES, "%s", found);
        *by_alias = !text_same(found, name);
    }
    json_decref(indices);
    return ok;
}

/* ------------------------------------------------------------------------------------------- what templates give */

/* Names of aliases in templates are with the prefix, as the server has them. */
static void add_aliases(json_t *names, const json_t *aliases)
{
    const char *alias;
    json_t *properties;

    json_object_foreach((json_t *)(uintptr_t)aliases, alias, properties) json_object_set_new(names, alias, json_true());
}

static bool fits(const json_t *template, const char *name)
{
    json_t *pattern;
    size_t i;

    json_array_foreach(json_object_get(template, "index_patterns"), i,
                       pattern) if (fnmatch(json_string_value(pattern), name, FNM_NOESCAPE) == 0) return true;
    return false;
}

/* The older kind, which count where none of the newer kind fits. */
static bool ask_old_templates(struct client *c, const char *full, json_t *names, bool *some, struct error *err)
{
    json_t *answer, *template;
    const char *name;
    bool missing, ok = client_json(c, "GET", "/_template", NULL, &answer, &missing, err);

    json_object_foreach(answer, name, template) if (fits(template, full))
    {
        *some = true;
        add_aliases(names, json_object_get(template, "aliases"));
    }
    json_decref(answer);
    return ok;
}

/* Which aliases an index of that name would be born with, and whether a template fits it at all. */
static bool ask_templates(struct client *c, const char *into, json_t **names, bool *some, struct error *err)
{
    struct buf path = BUF_INIT, full = BUF_INIT;
    json_t *answer = NULL, *made;
    bool missing, ok;

    *names = json_object();
    buf_printf(&full, "%s%s", client_prefix(c), into);
    buf_add_text(&path, "/_index_template/_simulate_index/");
    http_add_segment(&path, full.data, full.length);
    ok = client_json(c, "POST", path.data, NULL, &answer, &missing, err);
    made = json_object_get(answer, "template");
    *some = json_object_size(json_object_get(made, "mappings")) > 0 ||
            json_object_size(json_object_get(made, "settings")) > 0 ||
            json_object_size(json_object_get(made, "aliases")) > 0;
    if (*some)
        add_aliases(*names, json_object_get(made, "aliases"));
    else
        ok = ok && ask_old_templates(c, full.data, *names, some, err);
    json_decref(answer);
    buf_release(&path);
    buf_release(&full);
    return ok;
}

/* ------------------------------------------------------------------------------------------------------- made */

/* What belongs to one index alone. */
static json_t *settings_to_copy(const json_t *described)
{
    static const char *const own[] = {"creation_date", "uuid",    "version",          "provided_name",        "blocks",
                                      "resize",        "history", "initial_recovery", "verified_before_close"};
    json_t *copy = json_deep_copy(json_at(described, "settings.index"));

    for (size_t i = 0; i < ARRAY_LENGTH(own); i++)
        json_object_del(copy, own[i]);
    json_object_del(json_object_get(copy, "routing"), "allocation"); /* nor where its shards may lie */
    return copy;
}

/* Unseen even by those aliases that a template gives: nothing is found and nothing written through them. */
static json_t *unseen_aliases(const json_t *names)
{
    json_t *aliases = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)names, name, value)
        json_object_set_new(aliases, name, json_pack("{s:b, s:{s:{}}}", "is_write_index", 0, "filter", "match_none"));
    return aliases;
}

static json_t *one_action(const struct client *c, const char *what, const char *index, const char *alias)
{
    struct buf full = BUF_INIT;
    json_t *action;

    buf_printf(&full, "%s%s", client_prefix(c), index);
    action = json_pack("{s:{s:s, s:s}}", what, "index", full.data, "alias", alias);
    buf_release(&full);
    return action;
}

/* With its prefix, as the server has it. */
static json_t *properties_of(const struct client *c, const json_t *described, const char *alias)
{
    json_t *properties = json_object_get(json_object_get(described, "other_aliases"), alias);

    if (!properties && text_starts(alias, client_prefix(c)))
        properties = json_object_get(json_object_get(described, "aliases"), alias + strlen(client_prefix(c)));
    return properties;
}

/* An alias of two indices takes writes only where it is said which of them gets them. */
static bool keep_writable(struct client *c, const struct rebuild_state *s, const json_t *described, const json_t *names,
                          struct error *err)
{
    json_t *actions = json_array(), *value, *action;
    const char *name;
    bool ok;

    json_object_foreach((json_t *)(uintptr_t)names, name, value) if (properties_of(c, described, name))
    {
        action = one_action(c, "add", s->old, name);
        json_object_update(json_object_get(action, "add"), properties_of(c, described, name));
        json_object_set_new(json_object_get(action, "add"), "is_write_index", json_true());
        json_array_append_new(actions, action);
    }
    ok = json_array_size(actions) == 0 || indices_change_aliases(c, actions, err);
    json_decref(actions);
    return ok;
}

static bool remove_aliases(struct client *c, const char *into, struct error *err)
{
    json_t *indices, *actions = json_array(), *value;
    const char *kinds[] = {"aliases", "other_aliases"}, *name;
    bool ok = indices_describe(c, into, &indices, err);

    for (size_t i = 0; ok && i < ARRAY_LENGTH(kinds); i++)
        json_object_foreach(json_object_get(json_object_get(indices, into), kinds[i]), name, value)
        {
            struct buf full = BUF_INIT;

            buf_printf(&full, "%s%s", i == 0 ? client_prefix(c) : "", name);
            json_array_append_new(actions, one_action(c, "remove", into, full.data));
            buf_release(&full);
        }
    ok = ok && (json_array_size(actions) == 0 || indices_change_aliases(c, actions, err));
    json_decref(actions);
    json_decref(indices);
    return ok;
}

/* Settings that lie one under the other or are written with dots. */
static void put_settings_text(const json_t *described, const char *path, char *out, size_t size)
{
    const json_t *value = json_at(described, path);

    snprintf(out, size, "%s", json_is_string(value) ? json_string_value(value) : "");
}

/* What it was born with is what it is to have. */
static bool note_settings(struct client *c, struct rebuild_state *s, struct error *err)
{
    json_t *indices, *described;
    bool ok = indices_describe(c, s->into, &indices, err);

    described = json_object_get(indices, s->into);
    if (ok && !described)
        ok = error_set(err, ERROR_AGAIN, "the new index %s is gone", s->into);
    put_settings_text(described, "settings.index.refresh_interval", s->refresh_interval, sizeof s->refresh_interval);
    put_settings_text(described, "settings.index.number_of_replicas", s->replicas, sizeof s->replicas);
    if (json_at(described, "settings.index.auto_expand_replicas"))
        s->replicas[0] = '\0'; /* their number is the cluster's matter */
    json_decref(indices);
    return ok;
}

static bool create(struct client *c, const struct rebuild_state *s, const json_t *described, const json_t *names,
                   bool from_template, struct error *err)
{
    json_t *body = json_pack("{s:o}", "aliases", unseen_aliases(names));
    bool ok;

    if (!from_template && described) {
        json_object_set_new(body, "settings", settings_to_copy(described));
        json_object_set(body, "mappings", json_object_get(described, "mappings"));
    }
    ok = indices_create(c, s->into, body, err);
    json_decref(body);
    return ok;
}

bool new_index_make(struct client *c, struct rebuild_state *s, struct error *err)
{
    json_t *indices = NULL, *names = NULL;
    const json_t *described;
    bool from_template = false;
    bool ok = (!s->old[0] || indices_describe(c, s->old, &indices, err)) &&
              ask_templates(c, s->into, &names, &from_template, err);

    described = json_object_get(indices, s->old);
    if (ok && s->old[0] && !described)
        ok = error_set(err, ERROR_INPUT, "%s is gone", s->old);
    if (ok && !described && !from_template)
        ok =
            error_set(err, ERROR_INPUT, "there is neither an index %s nor an index template for %s", s->alias, s->into);
    ok = ok && keep_writable(c, s, described, names, err) && create(c, s, described, names, from_template, err) &&
         remove_aliases(c, s->into, err) && note_settings(c, s, err);
    json_decref(names);
    json_decref(indices);
    return ok;
}

/* ------------------------------------------------------------------------------------------ quickened, restored */

static bool set_both(struct client *c, const struct rebuild_state *s, json_t *refresh_interval, const char *replicas,
                     struct error *err)
{
    json_t *index = json_pack("{s:o}", "refresh_interval", refresh_interval),
           *body = json_pack("{s:o}", "index", index);
    json_t *answer;
    bool ok;

    if (s->replicas[0])
        json_object_set_new(index, "number_of_replicas", json_string(replicas));
    ok = indices_ask(c, "PUT", s->into, "/_settings", body, &answer, NULL, err);
    json_decref(answer);
    json_decref(body);
    return ok;
}

bool new_index_quicken(struct client *c, const struct rebuild_state *s, struct error *err)
{
    return set_both(c, s, json_string("-1"), "0", err);
}

static bool is_green(struct client *c, const char *index, bool *green, struct error *err)
{
    struct buf path = BUF_INIT;
    json_t *answer;
    bool ok;

    buf_add_text(&path, "/_cluster/health/");
    http_add_segment(&path, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(&path, index, strlen(index));
    ok = client_json(c, "GET", path.data, NULL, &answer, NULL, err);
    *green = text_same(json_member_text(answer, "status", ""), "green");
    json_decref(answer);
    buf_release(&path);
    return ok;
}

static bool wait_for_replicas(struct client *c, const struct rebuild_state *s, struct clock_run *run, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + REPLICAS_WAIT_MS;
    bool wanted = true, green = false;

    if (s->old[0] && !is_green(c, s->old, &wanted, err))
        return false;
    while (wanted && !green) {
        if (!run->may_go_on(run, err) || !is_green(c, s->into, &green, err))
            return false;
        if (!green && clock_monotonic_ms() > until_ms)
            return error_set(err, ERROR_AGAIN, "the replicas of %s do not come", s->into);
        if (!green)
            nanosleep(&(struct timespec){.tv_nsec = ASK_MS * 1000000L}, NULL);
    }
    return true;
}

bool new_index_restore(struct client *c, const struct rebuild_state *s, struct clock_run *run, struct error *err)
{
    return set_both(c, s, s->refresh_interval[0] ? json_string(s->refresh_interval) : json_null(), s->replicas, err) &&
           wait_for_replicas(c, s, run, err);
}

/* ----------------------------------------------------------------------------------------------------- in place */

bool new_index_in_place(struct client *c, const struct rebuild_state *s, bool *in_place, struct error *err)
{
    json_t *indices;
    bool ok = indices_describe(c, s->alias, &indices, err);

    *in_place = ok && json_object_get(indices, s->into) != NULL;
    json_decref(indices);
    return ok;
}

/* prefix: what stands before the alias on the server. */
static void move_aliases(const struct client *c, const struct rebuild_state *s, const json_t *aliases,
                         const char *prefix, json_t *actions)
{
    const char *alias;
    json_t *properties;

    json_object_foreach((json_t *)(uintptr_t)aliases, alias, properties)
    {
        struct buf full = BUF_INIT;
        json_t *add;

        buf_printf(&full, "%s%s", prefix, alias);
        add = one_action(c, "add", s->into, full.data);
        json_object_update_missing(json_object_get(add, "add"), properties);
        json_array_append_new(actions, add);
        json_array_append_new(actions, one_action(c, "remove", s->old, full.data));
        buf_release(&full);
    }
}

static void add_alias(const struct client *c, const struct rebuild_state *s, json_t *actions)
{
    struct buf full = BUF_INIT;

    buf_printf(&full, "%s%s", client_prefix(c), s->alias);
    json_array_append_new(actions, one_action(c, "add", s->into, full.data));
    buf_release(&full);
}

bool new_index_switch(struct client *c, const struct rebuild_state *s, struct error *err)
{
    json_t *indices = NULL, *actions = json_array(), *described;
    bool ok = !s->old[0] || indices_describe(c, s->old, &indices, err);

    described = json_object_get(indices, s->old);
    move_aliases(c, s, json_object_get(described, "aliases"), client_prefix(c), actions);
    move_aliases(c, s, json_object_get(described, "other_aliases"), "", actions);
    if (ok && !s->old[0])
        add_alias(c, s, actions);
    ok = ok && indices_change_aliases(c, actions, err);
    json_decref(actions);
    json_decref(indices);
    return ok;
}
