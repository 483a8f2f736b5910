#include "notifier/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"

enum {
    INDEX_NAME_BYTES_MOST = 255,
    TIME_BYTES_MOST = 128, /* of a time by its format */
    DEPTH_MOST = 2048,     /* jansson's own: the door has checked the data */
};

enum piece_kind {
    PIECE_LITERAL,
    PIECE_ATTRIBUTE, /* text: its name */
    PIECE_SUBJECT_ID,
    PIECE_SUBJECT_KIND,
    PIECE_ACTOR_ID,
    PIECE_ACTOR_KIND,
    PIECE_TIME, /* text: the strftime format */
    PIECE_DATA, /* text: the path within data */
};

struct piece {
    enum piece_kind kind;
    char *text;
    size_t length;
    int64_t tick_us; /* PIECE_TIME: within one tick the filled text stays the same */
    int64_t tick;    /* the one that filled is of */
    char filled[TIME_BYTES_MOST];
    size_t filled_length;
};

struct template
{
    struct piece *pieces;
    size_t count;
    struct buf scratch;
    const char *stand_in; /* of what an event lacks; NULL: none */
    json_t *data;         /* of the event being filled in, parsed when a piece asks for it */
};

/* What stands between braces, other than {time:...}, {data....} and the attributes. */
static const struct {
    const char *name;
    enum piece_kind kind;
} derived[] = {
    {"subject.id",   PIECE_SUBJECT_ID  },
    {"subject.kind", PIECE_SUBJECT_KIND},
    {"actor.id",     PIECE_ACTOR_ID    },
    {"actor.kind",   PIECE_ACTOR_KIND  },
};

/* ------------------------------------------------------------------------------------------------- reading */

static struct piece *add_piece(struct template *t, enum piece_kind kind, const char *text, size_t length)
{
    struct piece *p;

    t->pieces = xrealloc(t->pieces, (t->count + 1) * sizeof *t->pieces);
    p = &t->pieces[t->count++];
    *p = (struct piece){.kind = kind, .text = xstrndup(text, length), .length = length, .tick = -1};
    return p;
}

static void add_literal(struct template *t, const char *text, size_t length)
{
    struct piece *last = t->count ? &t->pieces[t->count - 1] : NULL;

    if (!last || last->kind != PIECE_LITERAL) {
        add_piece(t, PIECE_LITERAL, text, length);
        return;
    }
    last->text = xrealloc(last->text, last->length + length + 1);
    memcpy(last->text + last->length, text, length);
    last->length += length;
    last->text[last->length] = '\0';
}

/* Conversions that say the same in every locale and time zone, and how long they say it. */
static const struct {
    const char *letters;
    int64_t seconds;
} conversions[] = {
    {"YmdFjGgVuwyC%", 86400},
    {"HI",            3600 },
    {"MR",            60   },
    {"ST",            1    },
};

/* For how many seconds the letter's conversion stays the same; 0: not one of ours. */
static int64_t conversion_seconds(char letter)
{
    for (size_t i = 0; letter && i < ARRAY_LENGTH(conversions); i++)
        if (strchr(conversions[i].letters, letter))
            return conversions[i].seconds;
    return 0;
}

static bool time_piece(struct template *t, const char *format, size_t length, struct error *err)
{
    struct piece *p = add_piece(t, PIECE_TIME, format, length);
    int64_t least = conversions[0].seconds;

    for (const char *at = strchr(p->text, '%'); at; at = strchr(at + 2, '%')) {
        int64_t seconds = conversion_seconds(at[1]);

        if (seconds == 0)
            return error_set(err, ERROR_CONFIG,
                             "{time:%s}: after a %% one of Y m d H M S F T R j G g V u w y C I %% is expected",
                             p->text);
        least = seconds < least ? seconds : least;
    }
    p->tick_us = least * US_PER_SECOND;
    if (time_format(0, p->text, p->filled, sizeof p->filled) == 0)
        return error_set(err, ERROR_CONFIG, "{time:%s} is longer than %d bytes", p->text, TIME_BYTES_MOST - 1);
    return true;
}

static bool unknown_placeholder(const char *name, struct error *err)
{
    const char *names[ARRAY_LENGTH(derived) + 16];
    const char *nearest;
    size_t count = 0;

    for (const char *const *n = event_attribute_names; *n && count < 16; n++)
        names[count++] = *n;
    for (size_t i = 0; i < ARRAY_LENGTH(derived); i++)
        names[count++] = derived[i].name;
    nearest = text_nearest(name, names, count);
    if (nearest)
        return error_set(err, ERROR_CONFIG, "{%s} is no placeholder; perhaps {%s}?", name, nearest);
    return error_set(err, ERROR_CONFIG,
                     "{%s} is no placeholder: an attribute, {subject.id}, {subject.kind}, {actor.id}, "
                     "{actor.kind}, {time:%%Y-%%m} or {data.path}",
                     name);
}

static bool named_piece(struct template *t, const char *name, size_t length, struct error *err)
{
    struct span out;
    struct piece *p = add_piece(t, PIECE_ATTRIBUTE, name, length);

    for (size_t i = 0; i < ARRAY_LENGTH(derived); i++)
        if (strcmp(p->text, derived[i].name) == 0) {
            p->kind = derived[i].kind;
            return true;
        }
    return event_attribute(&event_none, p->text, &out, &t->scratch) || unknown_placeholder(p->text, err);
}

static bool placeholder(struct template *t, const char *name, size_t length, struct error *err)
{
    if (length > 5 && strncmp(name, "time:", 5) == 0)
        return time_piece(t, name + 5, length - 5, err);
    if (length > 5 && strncmp(name, "data.", 5) == 0) {
        add_piece(t, PIECE_DATA, name + 5, length - 5);
        return true;
    }
    return named_piece(t, name, length, err);
}

static bool read_pieces(struct template *t, const char *text, struct error *err)
{
    for (const char *at = text; *at;) {
        size_t plain = strcspn(at, "{}");
        const char *end;

        if (plain > 0) {
            add_literal(t, at, plain);
            at += plain;
        } else if (at[0] == at[1]) { /* "{{" or "}}" */
            add_literal(t, at, 1);
            at += 2;
        } else if (*at == '}' || !(end = strchr(at, '}'))) {
            return error_set(err, ERROR_CONFIG,
                             "a brace without its partner at \"%s\"; write {{ or }} for the brace itself", at);
        } else {
            if (!placeholder(t, at + 1, (size_t)(end - at - 1), err))
                return false;
            at = end + 1;
        }
    }
    return true;
}

struct template *template_new(const char *text, struct error *err)
{
    struct template *t = xcalloc(1, sizeof *t);

    buf_init(&t->scratch);
    if (!read_pieces(t, text, err)) {
        template_free(t);
        return NULL;
    }
    return t;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->pieces[i].text);
    free(t->pieces);
    buf_release(&t->scratch);
    free(t);
}

void template_stand_in(struct template *t, const char *word)
{
    t->stand_in = word;
}

bool template_check(const char *text, struct error *err)
{
    struct template *t = template_new(text, err);

    template_free(t);
    return t != NULL;
}

/* ------------------------------------------------------------------------------------------------- filling */

static bool missing(const char *what, struct error *err)
{
    return error_set(err, ERROR_INPUT, "the event has no %s", what);
}

static struct span time_filled(struct piece *p, int64_t time_us)
{
    int64_t tick = time_us / p->tick_us;

    if (tick != p->tick) {
        p->filled_length = time_format(time_us, p->text, p->filled, sizeof p->filled);
        p->tick = tick;
    }
    return (struct span){p->filled, p->filled_length};
}

static bool data_value(struct template *t, const struct piece *p, const struct event *e, struct span *out,
                       struct error *err)
{
    const json_t *value;
    const char *text;

    if (!t->data && e->data.length > 0)
        t->data = json_text_parse(e->data.text, e->data.length, DEPTH_MOST, err);
    value = json_at(t->data, p->text);
    text = value ? json_scalar_text(value, &t->scratch) : NULL;
    if (!text)
        return error_set(err, ERROR_INPUT, "the event's data.%s is %s", p->text,
                         value && !json_is_null(value) ? "no text, number or truth value" : "missing");
    *out = json_is_string(value) ? (struct span){text, json_string_length(value)} : span_of(text);
    return true;
}

static bool piece_value(struct template *t, struct piece *p, const struct event *e, struct span *out, struct error *err)
{
    switch (p->kind) {
    case PIECE_LITERAL:
        *out = (struct span){p->text, p->length};
        return true;
    case PIECE_ATTRIBUTE:
        if (!event_attribute(e, p->text, out, &t->scratch))
            return missing(p->text, err);
        break;
    case PIECE_SUBJECT_ID:
        *out = event_subject_id(e);
        break;
    case PIECE_SUBJECT_KIND:
        *out = event_subject_kind(e);
        break;
    case PIECE_ACTOR_ID:
        *out = reference_id(e->actor);
        break;
    case PIECE_ACTOR_KIND:
        *out = reference_kind(e->actor);
        break;
    case PIECE_TIME:
        *out = time_filled(p, e->time_us);
        return true;
    case PIECE_DATA:
        return data_value(t, p, e, out, err);
    }
    return out->length > 0 || missing(p->text, err);
}

/* What OpenSearch refuses anywhere in an index name (the upper case apart). */
static bool forbidden_in_index(unsigned char c)
{
    return c <= ' ' || c == 0x7f || strchr("\\/*?\"<>|,#:", c);
}

static void add_for_index(struct buf *out, struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.text[i];

        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c - 'A' + 'a');
        buf_add_char(out, (char)(forbidden_in_index(c) ? '-' : c));
    }
}

static bool fill(struct template *t, const struct event *e, bool index, struct buf *out, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < t->count; i++) {
        struct span value = SPAN_NONE;

        ok = piece_value(t, &t->pieces[i], e, &value, err);
        if (!ok && t->stand_in) {
            value = span_of(t->stand_in);
            ok = true;
        }
        if (ok && index && t->pieces[i].kind != PIECE_LITERAL)
            add_for_index(out, value);
        else if (ok)
            buf_add(out, value.text, value.length);
    }
    json_decref(t->data);
    t->data = NULL;
    return ok;
}

bool template_add(struct template *t, const struct event *e, struct buf *out, struct error *err)
{
    return fill(t, e, false, out, err);
}

bool template_add_index(struct template *t, const struct event *e, struct buf *out, struct error *err)
{
    size_t start = out->length, length;

    if (!fill(t, e, true, out, err))
        return false;
    length = out->length - start;
    if (length == 0 || length > INDEX_NAME_BYTES_MOST)
        return error_set(err, ERROR_INPUT, "the index name made for the event has %zu bytes; 1 to %d are allowed",
                         length, INDEX_NAME_BYTES_MOST);
    if (strchr("-_+", out->data[start]) || strcmp(out->data + start, ".") == 0 || strcmp(out->data + start, "..") == 0)
        return error_set(err, ERROR_INPUT, "no index can be named \"%.80s\"", out->data + start);
    return true;
}

bool template_check_index(const char *text, struct error *err)
{
    struct template *t = template_new(text, err);
    bool ok = t != NULL;

    for (size_t i = 0; ok && i < t->count; i++)
        for (const char *c = t->pieces[i].text; ok && t->pieces[i].kind == PIECE_LITERAL && *c; c++)
            if (forbidden_in_index((unsigned char)*c) || (*c >= 'A' && *c <= 'Z'))
                ok = error_set(err, ERROR_CONFIG, "'%c' cannot stand in an index name", *c);
    if (ok && (t->count == 0 || (t->pieces[0].kind == PIECE_LITERAL && strchr("-_+", t->pieces[0].text[0]))))
        ok = error_set(err, ERROR_CONFIG, "an index name has at least one character and starts with none of - _ +");
    template_free(t);
    return ok;
}

void template_add_glob(const struct template *t, struct buf *out)
{
    bool star = false;

    for (size_t i = 0; i < t->count; i++) {
        bool literal = t->pieces[i].kind == PIECE_LITERAL;

        if (literal)
            buf_add(out, t->pieces[i].text, t->pieces[i].length);
        else if (!star)
            buf_add_char(out, '*');
        star = !literal;
    }
}
