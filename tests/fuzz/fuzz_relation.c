/*
 * Any words of a relation, and the document it is applied to: refused with a reason, or applied so that a second time
 * changes nothing, that the material of the subject does as well as its data, and that copies gone are gone. The lines:
 * match, copy, revision, only_when, a line of options, the subject's data; what follows is the document.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/relation/relation.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { LINES = 6 };

static void expect(bool truth)
{
    if (!truth)
        abort();
}

struct known {
    struct subject subject;
    int changes;
};

/* Every copy is one of this subject. */
static const struct subject *look_up(void *context, struct span id)
{
    struct known *k = context;

    k->subject.id = span_of("1");
    (void)id;
    return &k->subject;
}

static void note_changed(void *context, const struct subject *s)
{
    struct known *k = context;

    expect(s == &k->subject);
    k->changes++;
}

static bool apply(const struct relation *r, struct known *k, json_t *document)
{
    bool changed;

    k->changes = 0;
    changed = relation_apply(r, document, &(struct copy_source){look_up, note_changed, k});
    expect(changed == (k->changes > 0));
    return changed;
}

static void try_document(const struct relation *r, const struct relation_options *o, json_t *document, json_t *data,
                         int64_t revision)
{
    json_t *before = json_deep_copy(document), *other = json_deep_copy(document);
    json_t *material = json_is_object(data) ? relation_material(r, data) : NULL;
    struct known all = {
        .subject = {.data = json_is_object(data) ? data : NULL, .revision = revision}
    };
    struct known needed = {
        .subject = {.data = material, .revision = revision}
    };

    all.subject.deleted = needed.subject.deleted = !all.subject.data;
    if (!apply(r, &all, document))
        expect(json_equal(before, document));
    else
        expect(!json_equal(before, document) || o->on_delete == ON_DELETE_REMOVE);
    expect(!apply(r, &all, document));
    apply(r, &needed, other);
    expect(json_equal(document, other));
    json_decref(material);
    json_decref(before);
    json_decref(other);
}

static void try_query(const struct relation *r, const struct subject *s)
{
    json_t *query = relation_query(r, &s, 1, true, 1), *all = relation_query_all(r);

    expect(query || relation_keeps(r, s));
    expect(all && relation_subjects_most(r) > 0);
    json_decref(query);
    json_decref(all);
}

static void try_relation(char **lines, const char *document, size_t length)
{
    const char *options = lines[4];
    struct relation_options o = {
        .index = "i",
        .match = lines[0],
        .copy = lines[1],
        .revision = lines[2],
        .only_when = lines[3],
        .indexed_at = "",
        .deleted = "",
        .subjects = "",
        .tombstone = ".gone",
        .source = strchr(options, 's') ? "db" : "payload",
        .revision_format = strchr(options, 'u') ? REVISION_UUID : REVISION_NUMBER,
        .on_delete = strchr(options, 'c')   ? ON_DELETE_CLEAR
                     : strchr(options, 'r') ? ON_DELETE_REMOVE
                     : strchr(options, 't') ? ON_DELETE_TOMBSTONE
                                            : ON_DELETE_KEEP,
        .single = strchr(options, '1') != NULL,
        .clauses = 100,
    };
    struct error err = ERROR_INIT;
    struct relation *r = relation_new(&o, &err);
    json_t *data = json_text_parse(lines[5], strlen(lines[5]), JSON_DEPTH_DEFAULT, &err);
    json_t *json = json_text_parse(document, length, JSON_DEPTH_DEFAULT, &err);
    struct subject s = {
        .id = {"1", 1},
          .revision = 7, .deleted = !json_is_object(data)
    };

    expect(r || err.text[0]);
    if (r) {
        try_query(r, &s);
        relation_matters(r, data);
    }
    if (r && json_is_object(json))
        try_document(r, &o, json, data, strchr(options, 'n') ? -1 : 7);
    json_decref(data);
    json_decref(json);
    relation_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *at = (const char *)bytes, *end = at + length;
    char *lines[LINES];

    for (size_t i = 0; i < LINES; i++) {
        const char *feed = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        size_t size = (size_t)((feed ? feed : end) - at);

        lines[i] = length ? xstrndup(at, size) : xstrdup("");
        at = feed ? feed + 1 : end;
    }
    try_relation(lines, at, (size_t)(end - at));
    for (size_t i = 0; i < LINES; i++)
        free(lines[i]);
    return 0;
}
