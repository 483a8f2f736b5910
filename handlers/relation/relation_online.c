#include "handlers/relation/relation_online.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "handlers/relation/mapped.h"
#include "handlers/relation/relation_parts.h"
#include "indexer/indices.h"

/* One index behind the name. */
struct checked {
    const struct relation *relation;
    const char *index;
    const json_t *mapping;
    struct buf *notes;
};

static bool refuse(const struct checked *c, const char *what, const char *field, const char *why, struct error *err)
{
    struct buf hint = BUF_INIT;

    mapping_add_hint(c->mapping, field, &hint);
    error_set(err, ERROR_CONFIG, "%s: index %s %s \"%s\"%s", what, c->index, why, field, hint.data);
    buf_release(&hint);
    return false;
}

/* A field that searches name: of an index that knows no field at all nothing can be said. */
static bool searched(const struct checked *c, const char *what, const char *field, struct error *err)
{
    struct mapping_field found;

    if (mapping_find(c->mapping, field, &found)) {
        if (mapping_is_analysed(found.type) && !found.keyword)
            buf_printf(c->notes, "%s: \"%s\" is analysed text in index %s: a keyword is found sooner\n", what, field,
                       c->index);
        return true;
    }
    if (json_object_size(json_object_get(c->mapping, "properties")) > 0)
        return refuse(c, what, field, "knows no field", err);
    buf_printf(c->notes, "%s: index %s has no fields yet\n", what, c->index);
    return true;
}

static bool written(const struct checked *c, const char *what, const char *field, struct error *err)
{
    struct mapping_field found;

    if (!mapping_takes(c->mapping, field))
        return refuse(c, what, field, "would refuse a field", err);
    if (!mapping_find(c->mapping, field, &found) && json_object_size(json_object_get(c->mapping, "properties")) > 0) {
        buf_printf(c->notes, "%s: \"%s\" would be a new field in index %s", what, field, c->index);
        mapping_add_hint(c->mapping, field, c->notes);
        buf_add_char(c->notes, '\n');
    }
    return true;
}

static bool match_fits(const struct checked *c, const struct match *m, struct error *err)
{
    bool ok = searched(c, "match", m->id, err);

    ok = ok && (!m->revision || written(c, "revision", m->revision, err));
    ok = ok && (!m->tombstone || written(c, "tombstone", m->tombstone, err));
    for (size_t i = 0; ok && i < c->relation->content_count; i++)
        if (m->targets[i] && !match_is_whole(m, m->targets[i]))
            ok = written(c, "copy", m->targets[i], err);
    return ok;
}

static bool index_fits(const struct checked *c, struct error *err)
{
    const struct relation *r = c->relation;

    for (size_t i = 0; i < r->match_count; i++)
        if (!match_fits(c, &r->matches[i], err))
            return false;
    return !*r->options->indexed_at || searched(c, "indexed_at", r->options->indexed_at, err);
}

/* A query can be nested or not, but not both. */
static bool nested_alike(const json_t *indices, const char *field, struct error *err)
{
    const char *index, *first = NULL;
    size_t nested = 0;
    json_t *one;

    json_object_foreach((json_t *)(uintptr_t)indices, index, one)
    {
        struct mapping_field found;

        if (!mapping_find(json_object_get(one, "mappings"), field, &found))
            continue;
        if (first && found.nested_length != nested)
            return error_set(
                err, ERROR_CONFIG,
                "match: \"%s\" is nested in one of the indices %s and %s and not in the other: each needs a "
                "handler of its own",
                field, first, index);
        first = index;
        nested = found.nested_length;
    }
    return true;
}

static bool all_fit(const struct relation *r, const json_t *indices, struct buf *notes, struct error *err)
{
    const char *index;
    json_t *one;

    json_object_foreach((json_t *)(uintptr_t)indices, index, one)
    {
        const struct checked c = {r, index, json_object_get(one, "mappings"), notes};

        if (!index_fits(&c, err))
            return false;
    }
    for (size_t i = 0; i < r->match_count; i++)
        if (!nested_alike(indices, r->matches[i].id, err))
            return false;
    if (json_object_size(indices) == 0)
        buf_printf(notes, "index %s does not exist yet\n", r->options->index);
    return true;
}

bool relation_online(const struct relation_options *o, struct client *c, struct buf *notes, struct error *err)
{
    struct relation *r = relation_new(o, err);
    json_t *indices = NULL;
    bool missing = false, ok;

    ok = r && indices_ask(c, "GET", o->index, "/_mapping", NULL, &indices, &missing, err) &&
         all_fit(r, indices, notes, err);
    json_decref(indices);
    relation_free(r);
    return ok;
}
