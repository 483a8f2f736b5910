#include "notifier/unique.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "config/key.h"

enum {
    CHAIN_MS = 30 * 1000, /* COUNTER: so long after a click another one makes it void */
    SHA1_TEXT_BYTES = 41,
};

enum word_kind { WORD_ATTRIBUTE, WORD_DATA, WORD_WINDOW };

struct word {
    enum word_kind kind;
    char *text; /* as it stands in the configuration, for messages */
    char *path; /* DATA: the path within data */
    int64_t window_us;
};

enum click_rule { CLICKS_AS_UNIQUE, CLICKS_WINDOW, CLICKS_COP51 };

struct unique {
    struct word *words;
    size_t count;
    enum id_form form;
    enum click_rule clicks;
    int64_t window_us; /* of CLICKS_WINDOW */
    struct digest *digest;
    struct raw_hash *sha1;
    char sha1_text[RAW_HASH_TEXT_BYTES];
    struct buf scratch;
};

/* What preparation steps add to data, and envelope attributes that may be part of an id. */
static const char *const prepared_names[] = {"visitor_id", "unique_session_id", "country", "is_robot", "is_machine"};
static const char *const attribute_names[] = {"id",      "source",   "type",  "time",
                                              "subject", "revision", "actor", "operation"};

/* What id = reference is made of, whatever else `unique` could name. */
static const char reference_words[] = "data.unique_id visitor_id";

static bool listed(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool read_span(const char *span, int64_t least_ms, int64_t *us, struct error *err)
{
    struct config_key row = {.name = "time", .type = CONFIG_TIME, .least = least_ms, .most = 366 * MS_PER_DAY};
    int64_t ms = 0;

    if (!config_value_set(&row, span, &ms, err))
        return false;
    *us = ms * 1000;
    return true;
}

static bool read_window(struct word *w, const char *span, struct error *err)
{
    w->kind = WORD_WINDOW;
    return read_span(span, 1, &w->window_us, err) || error_in(err, "%s", w->text);
}

/* A window of clicks is whole seconds, as its start is part of ids that hold no more; none at all is the second. */
static bool read_clicks(const char *clicks, enum click_rule *rule, int64_t *window_us, struct error *err)
{
    const char *span = clicks + 6;

    *rule = CLICKS_AS_UNIQUE;
    if (!*clicks)
        return true;
    if (strcmp(clicks, "cop51") == 0) {
        *rule = CLICKS_COP51;
        return true;
    }
    if (!text_starts(clicks, "window") || (*span != ' ' && *span != '\t'))
        return error_set(err, ERROR_CONFIG, "\"%s\" is neither cop51 nor a window, such as window 10s", clicks);
    span += strspn(span, " \t");
    *rule = CLICKS_WINDOW;
    if (!read_span(span, 0, window_us, err))
        return false;
    if (*window_us % US_PER_SECOND != 0)
        return error_set(err, ERROR_CONFIG, "a window of clicks is whole seconds, not %s", span);
    *window_us = *window_us == 0 ? US_PER_SECOND : *window_us;
    return true;
}

static bool unknown_word(const char *text, struct error *err)
{
    const char *names[ARRAY_LENGTH(prepared_names) + ARRAY_LENGTH(attribute_names)];
    const char *nearest;

    memcpy(names, prepared_names, sizeof prepared_names);
    memcpy(names + ARRAY_LENGTH(prepared_names), attribute_names, sizeof attribute_names);
    nearest = text_nearest(text, names, ARRAY_LENGTH(names));
    return error_set(err, ERROR_CONFIG, "\"%s\" is no field: write data.PATH, time/SPAN, %s%s%s", text,
                     nearest ? "or perhaps " : "an attribute (id source type time subject revision actor operation) ",
                     nearest ? nearest : "or what a step makes (visitor_id unique_session_id is_robot is_machine)",
                     nearest ? "?" : "");
}

static bool read_word(struct word *w, struct error *err)
{
    w->kind = WORD_DATA;
    if (text_starts(w->text, "time/"))
        return read_window(w, w->text + 5, err);
    if (text_starts(w->text, "data.") && w->text[5])
        w->path = xstrdup(w->text + 5);
    else if (listed(w->text, prepared_names, ARRAY_LENGTH(prepared_names)))
        w->path = xstrdup(w->text);
    else if (!listed(w->text, attribute_names, ARRAY_LENGTH(attribute_names)))
        return unknown_word(w->text, err);
    else
        w->kind = WORD_ATTRIBUTE;
    return true;
}

static bool read_words(struct unique *u, const char *words, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&words, &word, &length)) {
        u->words = xrealloc(u->words, (u->count + 1) * sizeof *u->words);
        u->words[u->count] = (struct word){.text = xstrndup(word, length)};
        if (!read_word(&u->words[u->count++], err))
            return false;
    }
    return true;
}

struct unique *unique_new(const struct unique_options *o, struct error *err)
{
    struct unique *u = xcalloc(1, sizeof *u);

    u->form = o->form;
    u->window_us = US_PER_SECOND;
    u->digest = digest_new();
    u->sha1 = raw_hash_new("SHA1");
    buf_init(&u->scratch);
    if (read_words(u, o->words, err) && read_clicks(o->clicks, &u->clicks, &u->window_us, err))
        return u;
    unique_free(u);
    return NULL;
}

void unique_free(struct unique *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++) {
        free(u->words[i].text);
        free(u->words[i].path);
    }
    free(u->words);
    digest_free(u->digest);
    raw_hash_free(u->sha1);
    buf_release(&u->scratch);
    free(u);
}

bool unique_check(const char *words, struct error *err)
{
    struct unique *u = unique_new(&(struct unique_options){words, "", ID_DIGEST}, err);

    unique_free(u);
    return u != NULL;
}

bool unique_clicks_check(const char *clicks, struct error *err)
{
    enum click_rule rule;
    int64_t window_us;

    return read_clicks(clicks, &rule, &window_us, err);
}

static bool has_window(const struct unique *u)
{
    for (size_t i = 0; i < u->count; i++)
        if (u->words[i].kind == WORD_WINDOW)
            return true;
    return false;
}

/* Whether the words are those that id = reference stands for, or none. */
static bool reference_fields(const struct unique *u)
{
    const char *at = reference_words, *word;
    size_t length, i = 0;

    while (text_word(&at, &word, &length) && i < u->count) {
        if (!span_is((struct span){word, length}, u->words[i].text))
            return false;
        i++;
    }
    return u->count == 0 || (u->count == 2 && i == 2);
}

static bool combination_check(const struct unique *u, int64_t lateness_ms, struct error *err)
{
    if (u->form == ID_REFERENCE && u->clicks == CLICKS_COP51)
        return error_set(err, ERROR_CONFIG, "clicks = cop51 gives each click an id of its own: write id = digest");
    if (u->form == ID_REFERENCE && !reference_fields(u))
        return error_set(err, ERROR_CONFIG,
                         "id = reference is made of %s: write so in unique, leave it out, or write id = digest",
                         reference_words);
    if (u->form == ID_DIGEST && u->clicks != CLICKS_AS_UNIQUE && u->count == 0)
        return error_set(err, ERROR_CONFIG, "clicks needs unique, which says what a click is on and whose it is");
    if (u->clicks != CLICKS_AS_UNIQUE && has_window(u))
        return error_set(err, ERROR_CONFIG, "time/SPAN in unique and clicks are two windows: write one of them");
    if (u->clicks == CLICKS_COP51 && lateness_ms < CHAIN_MS)
        return error_set(err, ERROR_CONFIG, "lateness must be at least 30s, as long as a click waits for another");
    return true;
}

static bool has_actor(const struct unique *u)
{
    for (size_t i = 0; i < u->count; i++)
        if (u->words[i].kind == WORD_ATTRIBUTE && text_same(u->words[i].text, "actor"))
            return true;
    return false;
}

bool unique_section_check(const void *event_settings, struct error *err)
{
    const struct event_settings *es = event_settings;
    struct unique *u = unique_new(&(struct unique_options){es->unique, es->clicks, (enum id_form)es->id}, err);
    bool ok = u && combination_check(u, es->lateness_ms, err);

    if (ok && *es->prepare && has_actor(u))
        ok = error_set(err, ERROR_CONFIG,
                       "actor tells who it was, which `prepare` takes out: write visitor_id in unique");

    unique_free(u);
    return ok;
}

bool unique_latest_wins(const struct unique *u)
{
    return u->form == ID_REFERENCE || (u->count > 0 && u->clicks != CLICKS_COP51);
}

static bool data_value(struct unique *u, const struct word *w, const json_t *data, struct span *out, struct error *err)
{
    const json_t *value = json_at(data, w->path);
    const char *text = value ? json_scalar_text(value, &u->scratch) : NULL;

    if (!text)
        return error_set(err, ERROR_INPUT, "%s, part of the unique id, is %s", w->text,
                         value && !json_is_null(value) ? "no text, number or truth value" : "missing");
    *out = json_is_string(value) ? (struct span){text, json_string_length(value)} : span_of(text);
    return true;
}

static bool word_value(struct unique *u, const struct word *w, const struct event *e, const json_t *data,
                       struct span *out, struct error *err)
{
    switch (w->kind) {
    case WORD_DATA:
        return data_value(u, w, data, out, err);
    case WORD_WINDOW:
        buf_reset(&u->scratch);
        buf_add_int(&u->scratch, e->time_us - e->time_us % w->window_us);
        *out = (struct span){u->scratch.data, u->scratch.length};
        return true;
    case WORD_ATTRIBUTE:
        break;
    }
    if (!event_attribute(e, w->text, out, &u->scratch) || out->length == 0)
        return error_set(err, ERROR_INPUT, "%s, part of the unique id, is missing", w->text);
    return true;
}

static int64_t window_start(const struct unique *u, const struct event *e)
{
    return e->time_us - e->time_us % u->window_us;
}

/* Type and fields; a click's window is the last of them. */
static bool digest_fields(struct unique *u, const struct event *e, const json_t *data, struct error *err)
{
    digest_start(u->digest);
    digest_part(u->digest, e->type.text, e->type.length);
    for (size_t i = 0; i < u->count; i++) {
        struct span value = SPAN_NONE;

        if (!word_value(u, &u->words[i], e, data, &value, err))
            return false;
        digest_part(u->digest, value.text, value.length);
    }
    if (u->clicks == CLICKS_WINDOW) {
        buf_reset(&u->scratch);
        buf_add_int(&u->scratch, window_start(u, e));
        digest_part(u->digest, u->scratch.data, u->scratch.length);
    }
    return true;
}

static void digest_source_and_id(struct unique *u, const struct event *e)
{
    digest_start(u->digest);
    digest_part(u->digest, "", 0); /* no type is empty: never the same as an id made of fields */
    digest_part(u->digest, e->source.text, e->source.length);
    digest_part(u->digest, e->id.text, e->id.length);
}

/* A visitor that is not known is there called by Python's word for nothing. */
static bool reference_id_text(struct unique *u, const struct event *e, const json_t *data, char out[UNIQUE_TEXT_BYTES],
                              struct error *err)
{
    const json_t *thing = json_object_get(data, "unique_id"), *visitor = json_object_get(data, "visitor_id");
    size_t length;

    if (!json_is_string(thing))
        return error_set(err, ERROR_INPUT, "data.unique_id, part of the unique id, is %s",
                         thing && !json_is_null(thing) ? "no text" : "missing");
    raw_hash_start(u->sha1);
    raw_hash_add(u->sha1, json_string_value(thing), json_string_length(thing));
    if (json_is_string(visitor))
        raw_hash_add(u->sha1, json_string_value(visitor), json_string_length(visitor));
    else
        raw_hash_add(u->sha1, "None", 4);
    length = time_format(window_start(u, e), "%Y-%m-%dT%H:%M:%S-", out, UNIQUE_TEXT_BYTES);
    raw_hash_end(u->sha1, u->sha1_text);
    memcpy(out + length, u->sha1_text, SHA1_TEXT_BYTES);
    return true;
}

bool unique_id(struct unique *u, const struct event *e, const json_t *data, char out[UNIQUE_TEXT_BYTES],
               struct error *err)
{
    if (u->form == ID_REFERENCE)
        return reference_id_text(u, e, data, out, err);
    if (u->count == 0 || u->clicks == CLICKS_COP51)
        digest_source_and_id(u, e);
    else if (!digest_fields(u, e, data, err))
        return false;
    digest_end_id(u->digest, out);
    return true;
}

bool unique_click(struct unique *u, const struct event *e, const json_t *data, char out[ID_TEXT_BYTES],
                  struct error *err)
{
    out[0] = '\0';
    if (u->clicks != CLICKS_COP51)
        return true;
    if (!digest_fields(u, e, data, err))
        return false;
    digest_end_id(u->digest, out);
    return true;
}
