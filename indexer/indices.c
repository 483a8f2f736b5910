#include "indexer/indices.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"

bool indices_ask(struct client *c, const char *method, const char *name, const char *rest, const json_t *body,
                 json_t **answer, bool *missing, struct error *err)
{
    struct buf path = BUF_INIT;
    bool ok;

    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(&path, name, strlen(name));
    buf_add_text(&path, rest);
    ok = client_json(c, method, path.data, body, answer, missing, err) || error_in(err, "%s %s", method, path.data);
    buf_release(&path);
    return ok;
}

/* For requests whose answer says no more than that it was done. */
static bool tell(struct client *c, const char *method, const char *name, const char *rest, const json_t *body,
                 bool *missing, struct error *err)
{
    json_t *answer;
    bool ok = indices_ask(c, method, name, rest, body, &answer, missing, err);

    json_decref(answer);
    return ok;
}

/* --------------------------------------------------------------------------------------------- what there is */

/* NULL: it is another's. */
static const char *without_prefix(const struct client *c, const char *name)
{
    return text_starts(name, client_prefix(c)) ? name + strlen(client_prefix(c)) : NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The members that begin with the prefix, without it, sorted. */
static json_t *own_members(const struct client *c, const json_t *object)
{
    size_t count = json_object_size(object), at = 0;
    const char **names = xcalloc(count ? count : 1, sizeof *names);
    json_t *own = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)object, name, value) names[at++] = name;
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++)
        if (without_prefix(c, names[i]))
            json_object_set(own, without_prefix(c, names[i]), json_object_get(object, names[i]));
    free(names);
    return own;
}

static void divide_aliases(const struct client *c, json_t *described)
{
    json_t *all = json_object_get(described, "aliases"), *others = json_object(), *properties;
    const char *alias;

    json_object_foreach(all, alias, properties) if (!without_prefix(c, alias))
        json_object_set(others, alias, properties);
    json_object_set_new(described, "other_aliases", others);
    json_object_set_new(described, "aliases", own_members(c, all));
}

bool indices_describe(struct client *c, const char *name, json_t **out, struct error *err)
{
    json_t *answer, *one;
    const char *key;
    bool missing;

    *out = NULL;
    if (!indices_ask(c, "GET", name, "?allow_no_indices=true&expand_wildcards=open", NULL, &answer, &missing, err))
        return false;
    *out = own_members(c, answer);
    json_decref(answer);
    json_object_foreach(*out, key, one) divide_aliases(c, one);
    return true;
}

bool indices_blocked(const json_t *described)
{
    return text_same(json_member_text(json_at(described, "settings.index.blocks"), "write", ""), "true");
}

bool indices_count(struct client *c, const char *name, const json_t *query, int64_t *count, struct error *err)
{
    json_t *body = query ? json_pack("{s:O}", "query", query) : NULL, *answer;
    bool missing, ok = indices_ask(c, "POST", name, "/_count?allow_no_indices=true", body, &answer, &missing, err);

    *count = ok ? json_integer_value(json_object_get(answer, "count")) : 0;
    if (ok && !missing && json_integer_value(json_at(answer, "_shards.failed")) > 0)
        ok = error_set(err, ERROR_AGAIN, "OpenSearch: a part of %s does not answer", name);
    json_decref(answer);
    json_decref(body);
    return ok;
}

/* --------------------------------------------------------------------------------------------------- changes */

/* A creation whose reply was lost, or that another was faster with, is refused in these words. */
bool indices_create(struct client *c, const char *name, const json_t *body, struct error *err)
{
    if (tell(c, "PUT", name, "?wait_for_active_shards=1", body, NULL, err))
        return true;
    if (!strstr(err->text, "resource_already_exists_exception"))
        return false;
    *err = (struct error)ERROR_INIT;
    return true;
}

bool indices_delete(struct client *c, const char *name, struct error *err)
{
    bool missing;

    return tell(c, "DELETE", name, "", NULL, &missing, err);
}

bool indices_block_writes(struct client *c, const char *name, struct error *err)
{
    return tell(c, "PUT", name, "/_block/write", NULL, NULL, err);
}

bool indices_unblock_writes(struct client *c, const char *name, struct error *err)
{
    json_t *body = json_pack("{s:n}", "index.blocks.write");
    bool missing, ok = tell(c, "PUT", name, "/_settings", body, &missing, err);

    json_decref(body);
    return ok;
}

bool indices_change_aliases(struct client *c, const json_t *actions, struct error *err)
{
    json_t *body = json_pack("{s:O}", "actions", actions), *answer;
    bool ok = client_json(c, "POST", "/_aliases", body, &answer, NULL, err);

    json_decref(answer);
    json_decref(body);
    return ok || error_in(err, "aliases");
}
