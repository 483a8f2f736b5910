#include "handlers/denormalize.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "handlers/relation/relation.h"
#include "handlers/relation/relation_fits.h"
#include "handlers/relation/relation_online.h"
#include "handlers/source/source.h"
#include "handlers/spread/changes.h"
#include "handlers/spread/later.h"
#include "handlers/spread/newest.h"
#include "handlers/spread/spread.h"
#include "handlers/subjects.h"
#include "notifier/pattern.h"

enum {
    COPYISTS = 2,
    LOOK_MS_MOST = 3600 * 1000,
    KEEP_DEADLINES = 10, /* how long newest content is kept at least: as long as another may spread what is older */
};

/* clang-format off */
static const struct config_key keys[] = {
    RELATION_KEYS,
    {"versions", CONFIG_CHOICE, offsetof(struct spread_options, versions), "platform", 0, 0, "platform own", NULL,
     "who counts the documents' versions: the platform (they are written back at their own), or OpenSearch"},
    {"page", CONFIG_COUNT, offsetof(struct spread_options, page), "1000", 1, 10000, NULL, NULL,
     "documents read at a time"},
    {"mass", CONFIG_COUNT, offsetof(struct spread_options, mass), "20000", 0, 1000000000, NULL, NULL,
     "a subject with copies in more documents is spread aside, so that others need not wait; 0: none is"},
    {"mass_events", CONFIG_TEXT, offsetof(struct spread_options, mass_events), "", 0, 0, NULL, patterns_check,
     "types of events that are spread aside in any case"},
    {"rate", CONFIG_COUNT, offsetof(struct spread_options, rate), "5000", 0, 1000000, NULL, NULL,
     "documents written in a second of what is spread aside; 0: no limit"},
    {"second_look", CONFIG_TIME, offsetof(struct spread_options, second_look_ms), "30s", 0, LOOK_MS_MOST, NULL, NULL,
     "so long after a change its documents are looked at once more: some may have come late with old content; 0s: never"},
    CONFIG_END,
};
/* clang-format on */

struct denormalize {
    const struct spread_options *options;
    struct newest *newest;
    struct changes *changes;
    struct spread *spread;
    struct source *source; /* NULL: the events have the content */
    struct later *later;   /* made by the first run */
};

static bool denormalize_check(const void *options, struct error *err)
{
    const struct spread_options *o = options;
    struct relation *relation = relation_new(&o->relation, err);

    relation_free(relation);
    if (relation && *o->relation.indexed_at && o->second_look_ms == 0)
        return error_set(err, ERROR_CONFIG,
                         "indexed_at leaves documents to the second look: second_look = 0s takes none");
    return relation != NULL;
}

static bool denormalize_online(const void *options, struct client *c, struct buf *notes, struct error *err)
{
    return relation_online(options, c, notes, err);
}

static bool denormalize_open(struct handler *h, struct error *err)
{
    struct denormalize *n = h->state = xcalloc(1, sizeof *n);
    int64_t keep_ms = KEEP_DEADLINES * h->common->deadline_ms;

    n->options = h->options;
    if (keep_ms < 2 * n->options->second_look_ms)
        keep_ms = 2 * n->options->second_look_ms;
    n->newest = newest_new(h->redis, h->common->queue, h->common->name, n->options->second_look_ms, keep_ms);
    n->changes = changes_new();
    n->spread = spread_new(h->settings, h->common, n->options, n->newest, COPYISTS, err);
    return n->spread && relation_source(&n->options->relation, h->settings, &n->source, err);
}

static void denormalize_close(struct handler *h)
{
    struct denormalize *n = h->state;

    if (!n)
        return;
    later_free(n->later);
    spread_free(n->spread);
    changes_free(n->changes);
    newest_free(n->newest);
    source_free(n->source);
    free(n);
}

/* ------------------------------------------------------------------------------------------------------ of events */

/* What is kept as the newest content, with the uuid as text. */
static json_t *material_of(const struct denormalize *n, const struct subject *s)
{
    json_t *material = s->data ? relation_material(spread_relation(n->spread), s->data) : json_object(), *own;

    if (s->uuid.length == 0)
        return material;
    own = json_copy(material);
    json_decref(material);
    json_object_set_new(own, "uuid", json_stringn(s->uuid.text, s->uuid.length));
    return own;
}

static void add_changes(struct denormalize *n, const struct subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++) {
        const struct subject_entry *entry = &subjects->items[i];
        json_t *material;
        struct change *c;

        if (!entry->usable || entry->outcome != OUTCOME_NONE)
            continue;
        material = material_of(n, &entry->subject);
        c = changes_add(n->changes, &entry->subject, material, entry->newest->time_us);
        c->to_mass = patterns_match(n->options->mass_events, entry->newest->type);
        json_decref(material);
    }
}

/* What the clock spreads is durable there. */
static void leave_to_the_clock(struct denormalize *n)
{
    for (size_t i = 0; i < changes_count(n->changes); i++)
        if (changes_at(n->changes, i)->in_mass)
            change_set(n->changes, changes_at(n->changes, i), OUTCOME_DONE, NULL, NULL);
}

static void settle(struct denormalize *n, struct subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++) {
        const struct change *c = changes_find(n->changes, subjects->items[i].subject.id);

        if (c && c->outcome != OUTCOME_NONE)
            subject_set(subjects, &subjects->items[i], c->outcome, c->reason, c->reply);
    }
    subjects_settle(subjects);
}

static bool spread_all(struct handler *h, struct error *err)
{
    struct denormalize *n = h->state;
    const struct spread_limits limits = {
        .mass = n->options->mass,
        .until_ms = clock_monotonic_ms() + h->common->deadline_ms / 2,
    };

    if (!newest_note(n->newest, n->changes, err))
        return false;
    leave_to_the_clock(n);
    return spread_changes(n->spread, n->changes, &limits, err) && newest_wrote(n->newest, n->changes, err);
}

static bool denormalize_handle(struct handler *h, struct batch *in, struct error *err)
{
    struct denormalize *n = h->state;
    struct subjects subjects;
    bool ok;

    subjects_collect(&subjects, in, n->options->relation.deleted);
    changes_reset(n->changes);
    ok = subjects_read(&subjects, spread_relation(n->spread), n->source, err);
    if (ok)
        add_changes(n, &subjects);
    if (ok && changes_count(n->changes) > 0)
        ok = spread_all(h, err);
    settle(n, &subjects);
    subjects_release(&subjects);
    return ok;
}

/* -------------------------------------------------------------------------------------------------- by the clock */

static bool denormalize_run(struct handler *h, struct clock_run *run, struct error *err)
{
    struct denormalize *n = h->state;

    if (!n->later)
        n->later = later_new(h, n->options, n->newest, err);
    return n->later && later_run(n->later, run, err);
}

static bool denormalize_later(struct redis *r, const struct handler_settings *hs, int64_t *count, struct error *err)
{
    return newest_mass_count(r, hs->queue, hs->name, count, err);
}

const struct handler_type denormalize_handler = {
    .name = "denormalize",
    .help = "a changed subject reaches every document that holds a copy of it",
    .keys = keys,
    .size = sizeof(struct spread_options),
    .schedule = "every 500ms",
    .traits = KIND_ONE_LANE | KIND_LATER | KIND_HEAD_APART, /* all changes of a subject that wait meet in one pass */
    .check = denormalize_check,
    .fits = relation_fits,
    .online = denormalize_online,
    .open = denormalize_open,
    .handle = denormalize_handle,
    .run = denormalize_run,
    .later = denormalize_later,
    .close = denormalize_close,
};
