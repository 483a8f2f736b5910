#include "handlers/relation/content.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/relation/member.h"

#define ARROW "<-"
#define DATA  "data"

/* Text up to a field of data; field NULL: the end. */
struct piece {
    char *text, *field;
};

struct content {
    char *field;      /* of data; "": all of it */
    json_t *constant; /* or this */
    struct piece *pieces;
    size_t piece_count; /* or these */
};

void content_free(struct content *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->piece_count; i++) {
        free(c->pieces[i].text);
        free(c->pieces[i].field);
    }
    free(c->pieces);
    free(c->field);
    json_decref(c->constant);
    free(c);
}

/* -------------------------------------------------------------------------------------------------- reading */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind the quote that ends a text; NULL: there is none. */
static const char *text_end(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? at + 1 : NULL;
}

/* White space inside of quotes is part of the word. */
static bool next_word(const char **at, const char **word, size_t *length, struct error *err)
{
    while (is_space(**at))
        ++*at;
    *word = *at;
    while (**at && !is_space(**at)) {
        const char *next = **at == '"' ? text_end(*at) : *at + 1;

        if (!next)
            return error_set(
                err, ERROR_CONFIG,
                "%.200s: the quote is not closed (a \";\" behind a space begins a comment, \\u003b stands for it)",
                *word);
        *at = next;
    }
    *length = (size_t)(*at - *word);
    return true;
}

/* "data" or "data.FIELD": what follows, "" for all of it; NULL: it is neither. */
static const char *data_field(const char *text, size_t length, size_t *field_length)
{
    size_t before = strlen(DATA);

    if (length < before || memcmp(text, DATA, before) != 0)
        return NULL;
    *field_length = length > before ? length - before - 1 : 0;
    if (length == before)
        return text + before;
    return text[before] == '.' && length > before + 1 ? text + before + 1 : NULL;
}

static void add_piece(struct content *c, struct buf *text, char *field)
{
    c->pieces = xrealloc(c->pieces, (c->piece_count + 1) * sizeof *c->pieces);
    c->pieces[c->piece_count++] = (struct piece){xstrdup(text->data), field};
    buf_reset(text);
}

/* A placeholder; *at is its brace. */
static bool read_placeholder(struct content *c, const char **at, struct buf *text, struct error *err)
{
    const char *close = strchr(*at, '}'), *field;
    size_t length = close ? (size_t)(close - *at - 1) : 0, field_length;

    field = close ? data_field(*at + 1, length, &field_length) : NULL;
    if (!field || field_length == 0)
        return error_set(err, ERROR_CONFIG, "\"%.*s\" is no {data.FIELD}; a brace itself is written twice",
                         (int)(close ? length + 2 : strlen(*at)), *at);
    if (!member_path_check(field, field_length, err))
        return false;
    add_piece(c, text, xstrndup(field, field_length));
    *at = close + 1;
    return true;
}

static bool read_pieces(struct content *c, const char *from, struct error *err)
{
    struct buf text = BUF_INIT;
    bool ok = true;

    for (const char *at = from; ok && *at;) {
        bool twice = at[0] == at[1] && (*at == '{' || *at == '}');

        if (*at == '{' && !twice) {
            ok = read_placeholder(c, &at, &text, err);
        } else if (*at == '}' && !twice) {
            ok = error_set(err, ERROR_CONFIG, "\"%.80s\" closes no brace; a brace itself is written twice", at);
        } else {
            buf_add_char(&text, *at);
            at += twice ? 2 : 1;
        }
    }
    if (ok && c->piece_count == 0)
        c->constant = json_string(text.data);
    else if (ok)
        add_piece(c, &text, NULL);
    buf_release(&text);
    return ok;
}

static bool read_quoted(struct content *c, const char *from, size_t length, struct error *err)
{
    json_t *text = json_text_parse(from, length, 1, err);
    bool ok = json_is_string(text) && read_pieces(c, json_string_value(text), err);

    if (!text || !json_is_string(text))
        error_set(err, ERROR_CONFIG, "%.*s is no text in quotes", (int)length, from);
    json_decref(text);
    return ok;
}

static bool read_scalar(struct content *c, const char *from, size_t length)
{
    struct error err;
    json_t *value = json_text_parse(from, length, 1, &err);

    if (value && !json_is_object(value) && !json_is_array(value)) {
        c->constant = value;
        return true;
    }
    json_decref(value);
    return false;
}

static bool read_content(struct content *c, const char *from, size_t length, struct error *err)
{
    size_t field_length;
    const char *field = data_field(from, length, &field_length);
    char *text;
    bool ok;

    if (field) {
        c->field = xstrndup(field, field_length);
        return field_length == 0 || member_path_check(field, field_length, err);
    }
    if (length > 0 && *from == '"')
        return read_quoted(c, from, length, err);
    if (!memchr(from, '{', length)) {
        if (read_scalar(c, from, length))
            return true;
        return error_set(err, ERROR_CONFIG,
                         "\"%.*s\" is none of data.FIELD, data, a number, true, false, null, \"text\" and "
                         "\"text with {data.FIELD}\"",
                         (int)length, from);
    }
    if (text_utf8_valid(from, length) != length)
        return error_set(err, ERROR_CONFIG, "the text is not UTF-8");
    text = xstrndup(from, length);
    ok = read_pieces(c, text, err);
    free(text);
    return ok;
}

bool content_next(const char **at, const char **target, size_t *target_length, struct content **content,
                  struct error *err)
{
    const char *word, *arrow, *from;
    size_t length = 0;

    *content = NULL;
    if (!next_word(at, &word, &length, err))
        return false;
    if (length == 0)
        return true;
    arrow = memmem(word, length, ARROW, strlen(ARROW));
    if (!arrow || arrow == word)
        return error_set(err, ERROR_CONFIG, "\"%.*s\" is not of the form TARGET<-data.FIELD", (int)length, word);
    *target = word;
    *target_length = (size_t)(arrow - word);
    from = arrow + strlen(ARROW);
    *content = xcalloc(1, sizeof **content);
    if (read_content(*content, from, length - (size_t)(from - word), err))
        return true;
    content_free(*content);
    *content = NULL;
    return error_in(err, "%.*s", (int)length, word);
}

/* -------------------------------------------------------------------------------------------------- making */

static json_t *fill(const struct content *c, const json_t *data, bool whole)
{
    struct buf text = BUF_INIT, scratch = BUF_INIT;
    size_t fields = c->piece_count - 1, found = 0;
    json_t *value = NULL;

    for (size_t i = 0; i < c->piece_count; i++) {
        const json_t *part = c->pieces[i].field ? json_at(data, c->pieces[i].field) : NULL;
        const char *scalar = json_scalar_text(part, &scratch);

        found += part != NULL;
        buf_add_text(&text, c->pieces[i].text);
        buf_add_text(&text, scalar ? scalar : "");
    }
    if (found == fields || (whole && found > 0))
        value = json_string(text.data);
    buf_release(&text);
    buf_release(&scratch);
    return value;
}

const json_t *content_of(const struct content *c, const json_t *data, bool whole, json_t **made)
{
    *made = NULL;
    if (c->constant)
        return c->constant;
    if (c->pieces)
        return *made = fill(c, data, whole);
    return *c->field ? json_at(data, c->field) : data;
}

const char *content_field(const struct content *c, size_t index)
{
    if (c->constant)
        return NULL;
    if (!c->pieces)
        return index == 0 ? c->field : NULL;
    return index < c->piece_count ? c->pieces[index].field : NULL;
}
