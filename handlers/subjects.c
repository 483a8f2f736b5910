#include "handlers/subjects.h"

#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "notifier/pattern.h"

static size_t slot_of(const struct subjects *s, struct span id)
{
    size_t i = hash_table(id.text, id.length) % s->slot_count;

    while (s->slots[i]) {
        struct span there = s->items[s->slots[i] - 1].subject.id;

        if (there.length == id.length && memcmp(there.text, id.text, id.length) == 0)
            break;
        i = (i + 1) % s->slot_count;
    }
    return i;
}

struct subject_entry *subjects_find(const struct subjects *s, struct span id)
{
    size_t slot = slot_of(s, id);

    return s->slots[slot] ? &s->items[s->slots[slot] - 1] : NULL;
}

/* By revision where both have one, else by time; of two alike the one that came later. */
static bool is_newer(const struct event *a, const struct event *b)
{
    if (a->revision != REVISION_NONE && b->revision != REVISION_NONE && a->revision != b->revision)
        return a->revision > b->revision;
    return a->time_us >= b->time_us;
}

static size_t collect_one(struct subjects *s, const struct event *e, const char *deleted)
{
    struct span id = event_subject_id(e);
    size_t slot = slot_of(s, id);
    struct subject_entry *entry;

    if (!s->slots[slot])
        s->slots[slot] = ++s->count;
    entry = &s->items[s->slots[slot] - 1];
    if (!entry->newest || is_newer(e, entry->newest)) {
        entry->newest = e;
        entry->subject.id = id;
        entry->subject.revision = e->revision;
        entry->subject.deleted = patterns_match(deleted, e->type);
    }
    return s->slots[slot] - 1;
}

void subjects_collect(struct subjects *s, struct batch *in, const char *deleted)
{
    *s = (struct subjects){.batch = in, .slot_count = 2 * in->count + 1};
    s->items = arena_zero(in->arena, in->count * sizeof *s->items);
    s->slots = arena_zero(in->arena, s->slot_count * sizeof *s->slots);
    s->of_delivery = arena_zero(in->arena, in->count * sizeof *s->of_delivery);
    for (size_t i = 0; i < in->count; i++) {
        if (in->items[i].outcome != OUTCOME_NONE)
            continue;
        if (in->items[i].event.subject.length)
            s->of_delivery[i] = collect_one(s, &in->items[i].event, deleted);
        else
            delivery_set(in, &in->items[i], OUTCOME_DEAD,
                         "the event has no subject: nothing tells whose copies to "
                         "change",
                         NULL);
    }
}

void subjects_read(struct subjects *s, const struct copy_rule *rule)
{
    for (size_t i = 0; i < s->count; i++) {
        struct subject_entry *entry = &s->items[i];
        struct error err = {ERROR_INPUT, "no data", 0};

        if (entry->subject.deleted) {
            entry->usable = true;
            continue;
        }
        if (entry->newest->data.length)
            entry->data = json_text_parse(entry->newest->data.text, entry->newest->data.length, JSON_DEPTH_MOST, &err);
        entry->subject.data = entry->data;
        if (!entry->data)
            subject_set(s, entry, OUTCOME_DEAD, "the event's data cannot be used", err.text);
        else if (!copy_has_source(rule, entry->data))
            subject_set(s, entry, OUTCOME_DEAD, "the event's data has none of the fields that `copy` names", NULL);
        else
            entry->usable = true;
    }
}

static int precedence(enum outcome o)
{
    static const int order[] = {
        [OUTCOME_NONE] = 0, [OUTCOME_DONE] = 1, [OUTCOME_DEAD] = 2, [OUTCOME_RETRY] = 3, [OUTCOME_WAIT] = 4};

    return order[o];
}

void subject_set(struct subjects *s, struct subject_entry *entry, enum outcome outcome, const char *reason,
                 const char *reply)
{
    if (precedence(outcome) <= precedence(entry->outcome))
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
