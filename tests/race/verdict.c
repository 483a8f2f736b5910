#include "race/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "indexer/search.h"

/* The copy of a subject among those of a document; NULL: none. */
static const json_t *find_copy(const json_t *copies, const char *id)
{
    const json_t *one;
    size_t i;

    if (json_is_object(copies))
        return strcmp(json_member_text(copies, "id", ""), id) == 0 ? copies : NULL;
    json_array_foreach(copies, i, one) if (strcmp(json_member_text(one, "id", ""), id) == 0) return one;
    return NULL;
}

static bool is_revision_right(const struct shape *shape, const struct subject_row *s, const json_t *copy)
{
    const json_t *revision = json_object_get(copy, "@v");
    char text[2 * NAME_BYTES];

    snprintf(text, sizeof text, "%s::%" PRId64, s->id, s->revision);
    return shape->no_revision ? true
           : shape->uuid      ? strcmp(json_member_text(copy, "@v", ""), text) == 0
                              : json_integer_value(revision) == s->revision;
}

static bool is_copy_right(const struct shape *shape, const struct subject_row *s, const json_t *copy)
{
    char name[NAME_BYTES];

    if (s->deleted && shape->on_delete == ON_DELETE_KEEP)
        return copy != NULL;
    if (s->deleted && shape->on_delete == ON_DELETE_REMOVE)
        return copy == NULL;
    platform_name(s, s->revision, name);
    return copy && is_revision_right(shape, s, copy) &&
           strcmp(json_member_text(copy, "name", ""), s->deleted ? "" : name) == 0 &&
           json_is_true(json_object_get(copy, "deleted")) == (s->deleted && shape->on_delete == ON_DELETE_TOMBSTONE);
}

static bool is_dependent_right(const struct platform *p, const struct dependent_row *d, const json_t *doc)
{
    const json_t *source = json_object_get(doc, "_source");
    char own[2 * NAME_BYTES], *text;
    bool ok = true;

    if (json_is_true(json_object_get(doc, "found")) != d->exists)
        return trace_wrong(p->trace, "%s is %s", d->id, d->exists ? "lost" : "there, and was deleted");
    if (!d->exists)
        return true;
    if (!p->shape->own && json_integer_value(json_object_get(doc, "_version")) != d->version)
        return trace_wrong(p->trace, "%s has version %" JSON_INTEGER_FORMAT " and not the platform's %" PRId64, d->id,
                           json_integer_value(json_object_get(doc, "_version")), d->version);
    snprintf(own, sizeof own, "%s at %" PRId64, d->id, d->version);
    if (strcmp(json_member_text(source, "own", ""), own) != 0)
        return trace_wrong(p->trace, "%s has lost its own content: %s", d->id, json_member_text(source, "own", ""));
    for (size_t i = 0; ok && i < d->subject_count; i++) {
        const struct subject_row *s = &p->subjects[d->subjects[i]];

        ok = is_copy_right(p->shape, s, find_copy(json_object_get(source, p->shape->field), s->id));
        text = ok ? NULL : json_dumps(source, JSON_COMPACT);
        if (!ok)
            trace_wrong(p->trace, "%s holds no right copy of %s, which is %s at revision %" PRId64 ": %s", d->id, s->id,
                        s->deleted ? "deleted" : "there", s->revision, text);
        free(text);
    }
    return ok;
}

bool verdict(const struct platform *p)
{
    json_t *hits[DEPENDENTS_MOST], *docs;
    struct error err;
    bool ok;

    for (size_t i = 0; i < p->dependent_count; i++)
        hits[i] = json_pack("{s:s, s:s}", "_index", p->index, "_id", p->dependents[i].id);
    if (!search_get(p->client, (const json_t *const *)hits, p->dependent_count, &docs, &err)) {
        fprintf(stderr, "the verdict: %s\n", err.text);
        abort();
    }
    ok = true;
    for (size_t i = 0; i < p->dependent_count; i++) {
        ok = ok && is_dependent_right(p, &p->dependents[i], json_array_get(docs, i));
        json_decref(hits[i]);
    }
    json_decref(docs);
    return ok;
}
