#include "handlers/outside/answer.h"

#include <string.h>

#include "base/json.h"

enum { DEPTH_MOST = 16, REASON_BYTES_MOST = 1000, SHOWN_BYTES = 80 };

static const struct {
    const char *name;
    enum outcome outcome;
    const char *reason; /* where none is given besides the peer's own words */
} known[] = {
    {"done",  OUTCOME_DONE,  ""                                           },
    {"retry", OUTCOME_RETRY, "the platform's handler asks for another try"},
    {"dead",  OUTCOME_DEAD,  "the platform's handler refuses the event"   },
};

static bool find_outcome(const char *name, size_t *at)
{
    for (*at = 0; *at < ARRAY_LENGTH(known); ++*at)
        if (strcmp(known[*at].name, name) == 0)
            return true;
    return false;
}

/* How much of a peer's word is shown of it, up to a character's end. */
static int shown(const char *word)
{
    return (int)text_utf8_valid(word, strnlen(word, SHOWN_BYTES));
}

/* The peer's words, cut at a character's end. */
static const char *words_of(struct parcel *p, const json_t *said)
{
    const char *reason = json_member_text(said, "reason", "");
    size_t length = strnlen(reason, REASON_BYTES_MOST);

    return arena_copy(p->batch->arena, reason, text_utf8_valid(reason, length));
}

static bool settle(struct parcel *p, struct delivery *d, const json_t *said, struct error *err)
{
    const char *name = json_member_text(said, "outcome", "");
    size_t at;

    if (!find_outcome(name, &at))
        return error_set(err, ERROR_INPUT, "\"%.*s\" is no outcome: done, retry or dead", shown(name), name);
    parcel_settle(p, d, known[at].outcome, known[at].reason, words_of(p, said));
    return true;
}

static bool settle_named(struct parcel *p, const json_t *said, struct error *err)
{
    const json_t *id = json_object_get(said, "id");
    struct delivery *d;

    if (!json_is_string(id))
        return error_set(err, ERROR_INPUT, "an outcome has no id: {\"id\":...,\"outcome\":...}");
    d = parcel_find(p, (struct span){json_string_value(id), json_string_length(id)});
    if (!d)
        return error_set(err, ERROR_INPUT, "no event of the id \"%.*s\" was sent", shown(json_string_value(id)),
                         json_string_value(id));
    return settle(p, d, said, err);
}

static bool none_is_named(const json_t *all)
{
    const json_t *one;
    size_t i;

    json_array_foreach(all, i, one) if (json_object_get(one, "id")) return false;
    return true;
}

/* What is wrong with one harms no other. */
static bool settle_all(struct parcel *p, const json_t *all, struct error *err)
{
    bool in_order = none_is_named(all), ok = true;
    const json_t *one;
    size_t i;

    if (!json_is_array(all))
        return error_set(err, ERROR_INPUT, "the answer holds no outcomes: {\"outcomes\":[...]}");
    if (in_order && json_array_size(all) != p->count)
        return error_set(err, ERROR_INPUT, "%zu outcomes without id for %zu events", json_array_size(all), p->count);
    json_array_foreach(all, i, one) ok &= in_order ? settle(p, p->items[i], one, err) : settle_named(p, one, err);
    return ok;
}

bool answer_one(struct parcel *p, const char *bytes, size_t length, struct error *err)
{
    json_t *said = json_text_parse(bytes, length, DEPTH_MOST, err);
    bool ok = said && settle_named(p, said, err);

    json_decref(said);
    return ok;
}

bool answer_all(struct parcel *p, const char *bytes, size_t length, struct error *err)
{
    json_t *said = json_text_parse(bytes, length, DEPTH_MOST, err);
    bool ok = said && settle_all(p, json_is_array(said) ? said : json_object_get(said, "outcomes"), err);

    json_decref(said);
    return ok;
}
