#include "support/relation_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "handlers/relation/relation.h"

static struct subject known[2];
static size_t known_count;

static const struct subject *look_up(void *context, struct span id)
{
    (void)context;
    for (size_t i = 0; i < known_count; i++)
        if (known[i].id.length == id.length && memcmp(known[i].id.text, id.text, id.length) == 0)
            return &known[i];
    return NULL;
}

static int changes; /* told of in the last document */

static void note_changed(void *context, const struct subject *s)
{
    (void)context;
    assert_non_null(s);
    changes++;
}

struct subject *relation_know(const char *id, int64_t revision, const char *data)
{
    struct subject *s = &known[known_count++];
    struct error err;

    *s = (struct subject){
        .id = span_of(id),
        .revision = revision,
        .data = data ? json_text_parse(data, strlen(data), 64, &err) : NULL,
        .deleted = !data,
    };
    return s;
}

void relation_forget(void)
{
    while (known_count > 0)
        json_decref((json_t *)(uintptr_t)known[--known_count].data);
}

struct relation_options relation_with(struct relation_options o)
{
    char **texts[] = {&o.revision, &o.indexed_at, &o.deleted, &o.only_when, &o.subjects};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        *texts[i] = *texts[i] ? *texts[i] : "";
    o.index = "members";
    o.tombstone = o.tombstone ? o.tombstone : ".deleted";
    o.source = o.source ? o.source : "payload";
    o.clauses = o.clauses ? o.clauses : 100;
    return o;
}

const char *relation_applied(struct relation_options given, const char *document)
{
    static struct buf out = BUF_INIT;
    const struct copy_source from = {look_up, note_changed, NULL};
    struct relation_options options = relation_with(given);
    struct error err = ERROR_INIT;
    struct relation *r = relation_new(&options, &err);
    json_t *json = json_text_parse(document, strlen(document), 64, &err);
    bool changed;

    if (!r || !json)
        fail_msg("%s", err.text);
    changes = 0;
    changed = relation_apply(r, json, &from);
    assert_int_equal(changed, changes > 0);
    buf_reset(&out);
    json_add(&out, json);
    assert_false(relation_apply(r, json, &from));
    json_decref(json);
    relation_free(r);
    if (!changed)
        assert_string_equal(out.data, document);
    return changed ? out.data : NULL;
}
