#define PCRE2_CODE_UNIT_WIDTH 8
#include "notifier/access_log/access_log_field.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "notifier/access_log/access_log_text.h"

enum { NAME_BYTES_MOST = 64 };

/* What stands for {name}: a named group, or what the line has. */
enum source { LITERAL, GROUP, LINE_METHOD, LINE_PATH, LINE_STATUS, LINE_BYTES, LINE_REFERRER };

static const struct {
    const char *name;
    enum source source;
} line_names[] = {
    {"method",   LINE_METHOD  },
    {"path",     LINE_PATH    },
    {"status",   LINE_STATUS  },
    {"bytes",    LINE_BYTES   },
    {"referrer", LINE_REFERRER},
};

struct part {
    enum source source;
    struct span text; /* of LITERAL, in the settings */
    uint32_t group;
};

struct word {
    char *field;
    struct part *parts;
    size_t count;
};

struct access_fields {
    const struct access_group *groups;
    size_t group_count;
    struct word *words;
    size_t count;
};

/* Fields that every event has, or that tell who it was: no group and no word of `data` may stand for them. */
static const char *const own_fields[] = {"timestamp", "ip_address", "user_agent", "user_id", "session_id", "referrer"};

/* ------------------------------------------------------------------------------------------- the configuration */

bool access_field_check(const char *name, size_t length, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(own_fields); i++)
        if (span_is((struct span){name, length}, own_fields[i]))
            return error_set(err, ERROR_CONFIG, "%s is filled from the line itself: name the field otherwise",
                             own_fields[i]);
    if (length == 0 || length > NAME_BYTES_MOST)
        return error_set(err, ERROR_CONFIG, "the name of a field has 1 to %d characters", NAME_BYTES_MOST);
    for (size_t i = 0; i < length; i++)
        if (name[i] <= ' ' || name[i] == '.' || name[i] == '"' || (unsigned char)name[i] > '~')
            return error_set(err, ERROR_CONFIG, "\"%.*s\" is no name of a field", (int)length, name);
    return true;
}

static bool find_source(const struct access_fields *f, struct span name, struct part *out, struct error *err)
{
    for (size_t i = 0; i < f->group_count; i++)
        if (span_is(name, f->groups[i].name)) {
            out->source = GROUP;
            out->group = f->groups[i].number;
            return true;
        }
    for (size_t i = 0; i < ARRAY_LENGTH(line_names); i++)
        if (span_is(name, line_names[i].name)) {
            out->source = line_names[i].source;
            return true;
        }
    return error_set(err, ERROR_CONFIG,
                     "data: {%.*s} is neither a group of the pattern nor one of method path status bytes referrer",
                     (int)(name.length < 80 ? name.length : 80), name.text);
}

static bool add_part(struct access_fields *f, struct word *w, struct part part, struct error *err)
{
    w->parts = xrealloc(w->parts, (w->count + 1) * sizeof *w->parts);
    w->parts[w->count] = part;
    w->count++;
    return part.source == LITERAL || find_source(f, part.text, &w->parts[w->count - 1], err);
}

static bool read_value(struct access_fields *f, struct word *w, const char *at, const char *end, struct error *err)
{
    bool ok = true;

    while (ok && at < end) {
        const char *brace = memchr(at, '{', (size_t)(end - at)), *close;

        if (brace != at) {
            const char *stop = brace ? brace : end;

            ok = add_part(f, w,
                          (struct part){
                              .source = LITERAL, .text = {at, (size_t)(stop - at)}
            },
                          err);
            at = stop;
            continue;
        }
        close = memchr(at, '}', (size_t)(end - at));
        if (!close)
            return error_set(err, ERROR_CONFIG, "data: a { without its }");
        ok = add_part(f, w,
                      (struct part){
                          .source = GROUP, .text = {at + 1, (size_t)(close - at - 1)}
        },
                      err);
        at = close + 1;
    }
    return ok;
}

static bool read_words(struct access_fields *f, const char *at, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&at, &word, &length)) {
        const char *sign = memchr(word, '=', length);
        struct word *w;

        if (!sign)
            return error_set(err, ERROR_CONFIG, "data: \"%.*s\" is not FIELD=VALUE", (int)(length < 80 ? length : 80),
                             word);
        if (!access_field_check(word, (size_t)(sign - word), err))
            return error_in(err, "data");
        f->words = xrealloc(f->words, (f->count + 1) * sizeof *f->words);
        w = &f->words[f->count++];
        *w = (struct word){.field = xstrndup(word, (size_t)(sign - word))};
        if (!read_value(f, w, sign + 1, word + length, err))
            return false;
    }
    return true;
}

struct access_fields *access_fields_new(const char *data, const struct access_group *groups, size_t count,
                                        struct error *err)
{
    struct access_fields *f = xcalloc(1, sizeof *f);

    f->groups = groups;
    f->group_count = count;
    if (read_words(f, data, err))
        return f;
    access_fields_free(f);
    return NULL;
}

void access_fields_free(struct access_fields *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++) {
        free(f->words[i].field);
        free(f->words[i].parts);
    }
    free(f->words);
    free(f);
}

/* ------------------------------------------------------------------------------------------------------ a line */

bool access_found_group(const struct access_found *f, uint32_t number, struct span *out)
{
    const size_t *at = f->offsets + (size_t)2 * number;

    if (number >= f->pairs || at[0] == PCRE2_UNSET || at[0] > at[1])
        return false;
    *out = (struct span){f->line->path.text + at[0], at[1] - at[0]};
    return true;
}

/* False: the line has none of it. */
static bool add_source(const struct access_found *found, const struct part *p, struct buf *out)
{
    const struct access_line *line = found->line;
    struct span text = p->text;

    switch (p->source) {
    case LITERAL:
        buf_add(out, text.text, text.length);
        return true;
    case GROUP:
        if (!access_found_group(found, p->group, &text))
            return false;
        access_path_add(text, out);
        return true;
    case LINE_METHOD:
        buf_add(out, line->method.text, line->method.length);
        return true;
    case LINE_PATH:
        access_text_add(line->path, out);
        return true;
    case LINE_STATUS:
        buf_add_int(out, line->status);
        return true;
    case LINE_BYTES:
        if (line->bytes != ACCESS_BYTES_NONE)
            buf_add_int(out, line->bytes);
        return line->bytes != ACCESS_BYTES_NONE;
    case LINE_REFERRER:
        access_text_add(line->referrer, out);
        return line->referrer.length > 0;
    }
    return false;
}

/* A number where it is written as one, or comes from a number of the line. */
static json_t *typed_value(const struct word *w, const struct buf *b)
{
    enum source source = w->count == 1 ? w->parts[0].source : GROUP;
    int64_t number;

    if (source == LITERAL && (text_same(b->data, "true") || text_same(b->data, "false")))
        return json_boolean(text_same(b->data, "true"));
    if ((source == LITERAL || source == LINE_STATUS || source == LINE_BYTES) && text_int(b->data, b->length, &number))
        return json_integer(number);
    return json_stringn(b->data, b->length);
}

void access_fields_set(const struct access_fields *f, const struct access_found *found, struct buf *scratch,
                       json_t *data)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct word *w = &f->words[i];
        bool whole = true;

        buf_reset(scratch);
        for (size_t j = 0; whole && j < w->count; j++)
            whole = add_source(found, &w->parts[j], scratch);
        if (whole)
            json_object_set_new(data, w->field, typed_value(w, scratch));
    }
}
