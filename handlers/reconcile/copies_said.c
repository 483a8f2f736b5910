/* What the source says of the subjects whose copies are compared. */
#include "handlers/reconcile/copies.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/spread/spread.h"

enum { ASK_SUBJECTS = 200 }; /* of the source at a time */

void copies_say_uuid_unknown(const struct copies *c, json_t *material)
{
    if (c->spread_options->relation.revision_format == REVISION_UUID && !json_object_get(material, "uuid"))
        json_object_set_new(material, "uuid", json_null());
}

void copies_forget(struct copies *c)
{
    changes_reset(c->known);
    c->known_since_ms = clock_monotonic_ms();
}

static void note_known(struct copies *c, const struct subject *s, const json_t *material, int64_t asked_us,
                       int64_t changed_us)
{
    size_t at = changes_count(c->known);

    if (changes_find(c->known, s->id))
        return;
    if (at == c->room) {
        c->room = c->room ? 2 * c->room : 256;
        c->changed_us = xrealloc(c->changed_us, c->room * sizeof *c->changed_us);
    }
    c->changed_us[at] = changed_us;
    changes_add(c->known, s, material, asked_us);
}

static int64_t time_of(const json_t *data, const char *field)
{
    const char *text = *field ? json_string_value(json_at(data, field)) : NULL;
    int64_t us;

    return text && time_parse(text, strlen(text), true, &us) ? us : 0;
}

static bool know_found(struct copies *c, const struct source_document *d, int64_t asked_us)
{
    const struct relation *r = copies_relation(c);
    struct subject s = {.id = d->id, .revision = d->version};
    json_t *data = json_loadb(d->body.text, d->body.length, JSON_ALLOW_NUL, NULL), *material;

    if (!json_is_object(data)) {
        json_decref(data);
        return false;
    }
    material = relation_material(r, data);
    copies_say_uuid_unknown(c, material);
    note_known(c, &s, material, asked_us, time_of(data, c->common->options->changed_at));
    json_decref(material);
    json_decref(data);
    return true;
}

static void know_gone(struct copies *c, const struct source_document *d, int64_t asked_us)
{
    struct subject s = {.id = d->id, .uuid = SPAN_NONE, .revision = d->version, .deleted = true};

    c->common->tally.gone++;
    note_known(c, &s, c->nothing, asked_us, 0);
}

void copies_know(struct copies *c, const struct source_document *documents, size_t count, int64_t asked_us)
{
    bool believed = comparison_believes(c->common, documents, count);

    c->common->tally.subjects += (int64_t)count;
    for (size_t i = 0; i < count; i++) {
        const struct source_document *d = &documents[i];

        if (d->wrong)
            comparison_wrong(c->common, d->id, d->wrong);
        else if (d->found && !know_found(c, d, asked_us))
            comparison_wrong(c->common, d->id, "it is no JSON object");
        else if (!d->found && believed)
            know_gone(c, d, asked_us);
    }
}

bool copies_ask(struct copies *c, struct error *err)
{
    size_t count = changes_count(c->wanted);

    for (size_t from = 0; from < count; from += ASK_SUBJECTS) {
        size_t some = count - from < ASK_SUBJECTS ? count - from : ASK_SUBJECTS;
        struct source_document documents[ASK_SUBJECTS];
        struct span ids[ASK_SUBJECTS];
        int64_t asked_us = clock_wall_us();

        for (size_t i = 0; i < some; i++)
            ids[i] = changes_at(c->wanted, from + i)->subject.id;
        arena_reset(c->asked);
        if (!source_get(c->common->source, ids, some, c->asked, documents, err))
            return false;
        copies_know(c, documents, some, asked_us);
    }
    return true;
}
