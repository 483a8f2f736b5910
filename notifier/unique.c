#include "notifier/unique.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "config/key.h"

enum word_kind { WORD_ATTRIBUTE, WORD_DATA, WORD_WINDOW };

struct word {
    enum word_kind kind;
    char *text; /* as it stands in the configuration, for messages */
    char *path; /* DATA: the path within data */
    int64_t window_us;
};

struct unique {
    struct word *words;
    size_t count;
    struct digest *digest;
    struct buf scratch;
};

/* What preparation steps add to data, and envelope attributes that may be part of an id. */
static const char *const prepared_names[] = {"visitor_id", "unique_session_id", "country", "is_robot", "is_machine"};
static const char *const attribute_names[] = {"id",      "source",   "type",  "time",
                                              "subject", "revision", "actor", "operation"};

static bool listed(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool read_window(struct word *w, const char *span, struct error *err)
{
    static const struct config_key row = {.name = "time", .type = CONFIG_TIME, .least = 1, .most = 366 * MS_PER_DAY};
    int64_t ms = 0;

    if (!config_value_set(&row, span, &ms, err))
        return error_in(err, "%s", w->text);
    w->kind = WORD_WINDOW;
    w->window_us = ms * 1000;
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

struct unique *unique_new(const char *words, struct error *err)
{
    struct unique *u = xcalloc(1, sizeof *u);
    const char *word;
    size_t length;

    u->digest = digest_new();
    buf_init(&u->scratch);
    while (text_word(&words, &word, &length)) {
        u->words = xrealloc(u->words, (u->count + 1) * sizeof *u->words);
        u->words[u->count] = (struct word){.text = xstrndup(word, length)};
        if (!read_word(&u->words[u->count++], err)) {
            unique_free(u);
            return NULL;
        }
    }
    return u;
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
    buf_release(&u->scratch);
    free(u);
}

bool unique_check(const char *words, struct error *err)
{
    struct unique *u = unique_new(words, err);

    unique_free(u);
    return u != NULL;
}

bool unique_latest_wins(const struct unique *u)
{
    return u->count > 0;
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

bool unique_id(struct unique *u, const struct event *e, const json_t *data, char out[ID_TEXT_BYTES], struct error *err)
{
    digest_start(u->digest);
    if (u->count == 0) {
        digest_part(u->digest, "", 0); /* no type is empty: never the same as an id made of fields */
        digest_part(u->digest, e->source.text, e->source.length);
        digest_part(u->digest, e->id.text, e->id.length);
    } else {
        digest_part(u->digest, e->type.text, e->type.length);
    }
    for (size_t i = 0; i < u->count; i++) {
        struct span value = SPAN_NONE;

        if (!word_value(u, &u->words[i], e, data, &value, err))
            return false;
        digest_part(u->digest, value.text, value.length);
    }
    digest_end_id(u->digest, out);
    return true;
}
