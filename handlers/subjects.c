#include "handlers/subjects.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/json_compact.h"
#include "handlers/source/source.h"
#include "notifier/pattern.h"

enum { IDS_A_CALL = 200 };

struct subject_entry *subjects_find(const struct subjects *s, struct span id)
{
    return span_table_find(&s->by_id, id);
}

/* By revision where both have one; of two alike the end of the subject, else the later, else the one that came later.
 */
static bool is_newer(const struct event *a, const struct event *b, const char *deleted)
{
    bool both = a->revision != REVISION_NONE && b->revision != REVISION_NONE, gone = patterns_match(deleted, a->type);

    if (both && a->revision != b->revision)
        return a->revision > b->revision;
    if (both && gone != patterns_match(deleted, b->type))
        return gone;
    return a->time_us >= b->time_us;
}

static void take_if_newer(const struct subjects *s, struct subject_entry *entry, const struct event *e)
{
    if (entry->newest && !is_newer(e, entry->newest, s->deleted))
        return;
    entry->newest = e;
    entry->subject.id = event_subject_id(e);
    entry->subject.revision = e->revision;
    entry->subject.deleted = patterns_match(s->deleted, e->type);
}

static size_t collect_one(struct subjects *s, const struct event *e)
{
    struct subject_entry *entry = subjects_find(s, event_subject_id(e));

    if (!entry) {
        entry = &s->items[s->count++];
        entry->subject.id = event_subject_id(e);
        span_table_add(&s->by_id, entry);
    }
    take_if_newer(s, entry, e);
    return (size_t)(entry - s->items);
}

void subjects_collect(struct subjects *s, struct batch *in, const char *deleted)
{
    *s = (struct subjects){.batch = in, .deleted = deleted};
    s->items = arena_zero(in->arena, in->count * sizeof *s->items);
    span_table_init(&s->by_id, in->arena, in->count, offsetof(struct subject_entry, subject.id));
    s->of_delivery = arena_zero(in->arena, in->count * sizeof *s->of_delivery);
    for (size_t i = 0; i < in->count; i++) {
        if (in->items[i].outcome != OUTCOME_NONE)
            continue;
        if (in->items[i].event.subject.length)
            s->of_delivery[i] = collect_one(s, &in->items[i].event);
        else
            delivery_set(in, &in->items[i], OUTCOME_DEAD,
                         "the event has no subject: nothing tells whose copies to "
                         "change",
                         NULL);
    }
}

static json_t *parse_data(const struct event *e, struct error *err)
{
    error_set(err, ERROR_INPUT, "no data");
    return e->data.length ? json_text_parse(e->data.text, e->data.length, JSON_DEPTH_MOST, err) : NULL;
}

/* Whether the event can concern a copy. Parses only where the data may say that it does not. */
static bool event_matters(const struct event *e, const struct subject_entry *entry, const struct relation *relation)
{
    struct error err;
    json_t *data;
    bool matters;

    if (entry->subject.deleted || !relation_has_only_when(relation) ||
        !json_text_has_member(e->data.text, e->data.length, "\"changed\":"))
        return true;
    if (e == entry->newest)
        return relation_matters(relation, entry->data);
    data = parse_data(e, &err);
    matters = relation_matters(relation, data);
    json_decref(data);
    return matters;
}

static void take_uuid(struct subjects *s, struct subject_entry *entry)
{
    struct buf scratch = BUF_INIT;
    const char *uuid = json_scalar_text(json_object_get(entry->data, "uuid"), &scratch);

    entry->subject.uuid = uuid ? span_of(arena_text(s->batch->arena, uuid)) : SPAN_NONE;
    buf_release(&scratch);
}

static void read_event(struct subjects *s, struct subject_entry *entry)
{
    struct error err;

    json_decref(entry->data);
    entry->data = parse_data(entry->newest, &err);
    entry->unreadable = entry->data ? NULL : arena_text(s->batch->arena, err.text);
    take_uuid(s, entry);
}

/* One event that matters is enough: what it says is in the newest, too. */
static void find_matters(struct subjects *s, const struct relation *relation)
{
    for (size_t i = 0; i < s->batch->count; i++) {
        const struct delivery *d = &s->batch->items[i];
        struct subject_entry *entry = &s->items[s->of_delivery[i]];

        if (d->outcome == OUTCOME_NONE && !entry->matters)
            entry->matters = event_matters(&d->event, entry, relation);
    }
}

/* What concerns no copy is done. */
static void leave_aside(struct subjects *s, const struct relation *relation)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->items[i].matters || relation_keeps(relation, &s->items[i].subject))
            subject_set(s, &s->items[i], OUTCOME_DONE, NULL, NULL);
}

/*
 * The newest event is dead alone, and of those that are left the newest counts. False: none is left.
 */
static bool step_back(struct subjects *s, struct subject_entry *entry, const char *reason)
{
    const struct event *refused = entry->newest;
    size_t number = (size_t)(entry - s->items);

    entry->newest = NULL;
    for (size_t i = 0; i < s->batch->count; i++) {
        struct delivery *d = &s->batch->items[i];

        if (d->outcome != OUTCOME_NONE || s->of_delivery[i] != number)
            continue;
        if (&d->event == refused)
            delivery_set(s->batch, d, OUTCOME_DEAD, reason, entry->unreadable);
        else
            take_if_newer(s, entry, &d->event);
    }
    if (entry->newest)
        read_event(s, entry);
    return entry->newest;
}

/* Why there is nothing to spread in the newest event; NULL: there is. */
static const char *why_not(const struct subject_entry *entry, const struct relation *relation)
{
    if (entry->subject.deleted)
        return NULL;
    if (!entry->data)
        return "the event's data cannot be used";
    return relation_has_content(relation, entry->data) ? NULL
                                                       : "the event's data has none of the fields that `copy` names";
}

/* The content of the event. */
static void use_event(struct subjects *s, struct subject_entry *entry, const struct relation *relation)
{
    const char *reason;

    while ((reason = why_not(entry, relation)))
        if (!step_back(s, entry, reason))
            return;
    if (relation_keeps(relation, &entry->subject)) {
        subject_set(s, entry, OUTCOME_DONE, NULL, NULL);
        return;
    }
    entry->subject.data = entry->subject.deleted ? NULL : entry->data;
    entry->usable = true;
}

/* ---------------------------------------------------------------------------------------- content from a [source] */

/* Whether what the source has can stand for the event; where not, the entry has its outcome. */
static bool source_suits(struct subjects *s, struct subject_entry *entry, const struct source_document *doc)
{
    bool both = doc->version != VERSION_NONE && entry->subject.revision != REVISION_NONE;
    char behind[120];

    if (doc->wrong) {
        subject_set(s, entry, doc->may_pass ? OUTCOME_RETRY : OUTCOME_DEAD,
                    "the source has the subject in a form that cannot be used", doc->wrong);
    } else if (!doc->found) {
        subject_set(s, entry, OUTCOME_RETRY,
                    "the source has no such subject, and the event does not say that it is gone", NULL);
    } else if (both && doc->version < entry->subject.revision) {
        snprintf(behind, sizeof behind, "the source has revision %lld, the event is of revision %lld",
                 (long long)doc->version, (long long)entry->subject.revision);
        subject_set(s, entry, OUTCOME_RETRY, behind, NULL);
    } else {
        return true;
    }
    return false;
}

/* Whether what the source has, or has not, is another subject's: several kinds of them may share one type of events. */
static bool is_anothers(const struct subject_entry *entry, const struct source_document *doc)
{
    struct span uuid;

    if (!doc->found)
        return !doc->wrong;
    return entry->subject.uuid.length > 0 && !doc->wrong && json_compact_at(doc->body, "uuid", &uuid) &&
           (uuid.length != entry->subject.uuid.length + 2 ||
            memcmp(uuid.text + 1, entry->subject.uuid.text, entry->subject.uuid.length) != 0);
}

/* The event says it is gone. It is not where the source has it at a later revision: it was made again. */
static bool is_made_again(const struct subject_entry *entry, const struct source_document *doc)
{
    return doc->found && !doc->wrong && doc->version != VERSION_NONE && entry->subject.revision != REVISION_NONE &&
           doc->version > entry->subject.revision;
}

static void use_document(struct subjects *s, struct subject_entry *entry, const struct source_document *doc,
                         const struct relation *relation)
{
    struct error err;

    if (relation_ignores_unknown(relation) && !entry->subject.deleted && is_anothers(entry, doc)) {
        subject_set(s, entry, OUTCOME_DONE, NULL, NULL);
        return;
    }
    if (entry->subject.deleted && !is_made_again(entry, doc)) {
        entry->usable = true;
        return;
    }
    if (!entry->subject.deleted && !source_suits(s, entry, doc))
        return;
    json_decref(entry->data);
    entry->data = json_text_parse(doc->body.text, doc->body.length, JSON_DEPTH_MOST, &err);
    if (!entry->data) {
        subject_set(s, entry, OUTCOME_DEAD, "the source's document cannot be used", err.text);
    } else if (!relation_has_content(relation, entry->data)) {
        subject_set(s, entry, OUTCOME_DEAD, "the source's document has none of the fields that `copy` names", NULL);
    } else {
        if (entry->subject.uuid.length == 0)
            take_uuid(s, entry);
        if (doc->version != VERSION_NONE)
            entry->subject.revision = doc->version;
        entry->subject.deleted = false;
        entry->subject.data = entry->data;
        entry->usable = true;
    }
}

/* Those that need it, some hundred in one call. */
static bool ask_source(struct subjects *s, struct source *source, const struct relation *relation, struct error *err)
{
    struct source_document docs[IDS_A_CALL];
    struct subject_entry *entries[IDS_A_CALL];
    struct span ids[IDS_A_CALL];
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].outcome == OUTCOME_NONE) {
            ids[count] = s->items[i].subject.id;
            entries[count++] = &s->items[i];
        }
        if (count < IDS_A_CALL && (i + 1 < s->count || count == 0))
            continue;
        if (!source_get(source, ids, count, s->batch->arena, docs, err))
            return false;
        for (size_t j = 0; j < count; j++)
            use_document(s, entries[j], &docs[j], relation);
        count = 0;
    }
    return true;
}

bool subjects_read(struct subjects *s, const struct relation *relation, struct source *source, struct error *err)
{
    for (size_t i = 0; i < s->count; i++)
        read_event(s, &s->items[i]);
    find_matters(s, relation);
    leave_aside(s, relation);
    if (source)
        return ask_source(s, source, relation, err);
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].outcome == OUTCOME_NONE)
            use_event(s, &s->items[i], relation);
    return true;
}

void subject_set(struct subjects *s, struct subject_entry *entry, enum outcome outcome, const char *reason,
                 const char *reply)
{
    if (!outcome_outranks(outcome, entry->outcome))
        return;
    entry->outcome = outcome;
    entry->reason = arena_text(s->batch->arena, reason ? reason : "");
    entry->reply = arena_text(s->batch->arena, reply ? reply : "");
}

void subjects_settle(struct subjects *s)
{
    for (size_t i = 0; i < s->batch->count; i++) {
        struct delivery *d = &s->batch->items[i];
        const struct subject_entry *entry = &s->items[s->of_delivery[i]];

        if (d->outcome == OUTCOME_NONE)
            delivery_set(s->batch, d, entry->outcome, entry->reason, entry->reply);
    }
}

void subjects_release(struct subjects *s)
{
    for (size_t i = 0; i < s->count; i++)
        json_decref(s->items[i].data);
}
