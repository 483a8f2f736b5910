#include "handlers/webhook/condition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers/webhook/condition_tree.h"

enum { SHOWN_BYTES = 60 };

enum token { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_ORDER, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA };

struct reader {
    const char *text, *at; /* at: behind the token */
    struct arena *arena;
    struct error *err;
    enum token token;
    const char *start; /* of the token */
    struct span word;  /* of WORD and QUOTED */
    enum condition_order order;
    int depth;
};

static const char word_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/+-@#*~%";

/* ------------------------------------------------------------------------------------------------------ tokens */

static bool wrong(struct reader *r, const char *at, const char *what)
{
    return error_set(r->err, ERROR_CONFIG, "condition, character %zu: %s, at \"%.*s\"", (size_t)(at - r->text) + 1,
                     what, SHOWN_BYTES, at);
}

static bool read_quoted(struct reader *r)
{
    char *out = arena_alloc(r->arena, strlen(r->at) + 1);
    size_t length = 0;

    for (r->at++; *r->at && *r->at != '"'; r->at++) {
        if (*r->at == '\\') {
            r->at++;
            if (*r->at != '"' && *r->at != '\\')
                return wrong(r, r->at - 1, "only \\\" and \\\\ may follow a backslash");
        }
        out[length++] = *r->at;
    }
    if (!*r->at)
        return wrong(r, r->start, "the quotes are not closed");
    r->at++;
    out[length] = '\0';
    r->word = (struct span){out, length};
    r->token = TOKEN_QUOTED;
    return true;
}

static bool read_order(struct reader *r)
{
    static const struct {
        const char *text;
        enum condition_order order;
    } orders[] = {
        {"!=", ORDER_UNEQUAL      },
        {"<=", ORDER_LESS_EQUAL   },
        {">=", ORDER_GREATER_EQUAL},
        {"=",  ORDER_EQUAL        },
        {"<",  ORDER_LESS         },
        {">",  ORDER_GREATER      },
    };

    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++)
        if (text_starts(r->at, orders[i].text)) {
            r->at += strlen(orders[i].text);
            r->order = orders[i].order;
            r->token = TOKEN_ORDER;
            return true;
        }
    return wrong(r, r->at, "this cannot stand here; put values that hold more than letters and digits in quotes");
}

static bool next(struct reader *r)
{
    static const char single[] = "(),";
    static const enum token singles[] = {TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA};
    const char *found;
    size_t length;

    r->at += strspn(r->at, " \t\r\n");
    r->start = r->at;
    if (!*r->at) {
        r->token = TOKEN_END;
        return true;
    }
    if ((found = strchr(single, *r->at))) {
        r->token = singles[found - single];
        r->at++;
        return true;
    }
    if (*r->at == '"')
        return read_quoted(r);
    length = strspn(r->at, word_bytes);
    if (length == 0)
        return read_order(r);
    r->word = (struct span){arena_copy(r->arena, r->at, length), length};
    r->at += length;
    r->token = TOKEN_WORD;
    return true;
}

static bool is_word(const struct reader *r, const char *word)
{
    return r->token == TOKEN_WORD && strcmp(r->word.text, word) == 0;
}

/* ------------------------------------------------------------------------------------------------------ grammar */

static struct condition_node *read_any(struct reader *r);

static struct condition_node *node(struct reader *r, enum condition_kind kind)
{
    struct condition_node *n = arena_zero(r->arena, sizeof *n);

    n->kind = kind;
    return n;
}

static bool field_is_known(const char *name)
{
    static const char *const halves[] = {"subject.kind", "subject.id", "actor.kind", "actor.id"};

    for (size_t i = 0; i < ARRAY_LENGTH(halves); i++)
        if (strcmp(name, halves[i]) == 0)
            return true;
    for (const char *const *known = event_attribute_names; *known; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

static bool read_field(struct reader *r, struct condition_node *n)
{
    if (r->token != TOKEN_WORD)
        return wrong(r, r->start, "a field is wanted: data.PATH, or an attribute such as type");
    n->in_data = strcmp(r->word.text, "data") == 0 || text_starts(r->word.text, "data.");
    n->field = n->in_data ? r->word.text + (r->word.length > 4 ? 5 : 4) : r->word.text;
    if (n->in_data && (strstr(r->word.text, "..") || r->word.text[r->word.length - 1] == '.'))
        return wrong(r, r->start, "the path has an empty part");
    if (!n->in_data && !field_is_known(n->field))
        return wrong(r, r->start, "there is no such attribute; what is in the data begins with data.");
    return next(r);
}

static bool read_value(struct reader *r, struct condition_value *out)
{
    if (r->token != TOKEN_WORD && r->token != TOKEN_QUOTED)
        return wrong(r, r->start, "a value is wanted");
    out->text = r->word;
    out->is_number = r->token == TOKEN_WORD && condition_number(r->word, &out->number);
    return next(r);
}

/* Appends to the values, which move as they grow. */
static struct condition_value *grow(struct reader *r, struct condition_node *n, size_t *room)
{
    struct condition_value *values;

    if (n->value_count < *room)
        return n->values + n->value_count++;
    *room = *room ? 2 * *room : 4;
    values = arena_zero(r->arena, *room * sizeof *values);
    if (n->value_count > 0)
        memcpy(values, n->values, n->value_count * sizeof *values);
    n->values = values;
    return values + n->value_count++;
}

/* Behind `in`. */
static bool read_values(struct reader *r, struct condition_node *n)
{
    size_t room = 0;

    if (r->token != TOKEN_OPEN)
        return wrong(r, r->start, "in is followed by values in parentheses");
    do
        if (!next(r) || !read_value(r, grow(r, n, &room)))
            return false;
    while (r->token == TOKEN_COMMA);
    if (r->token != TOKEN_CLOSE)
        return wrong(r, r->start, "a comma or ) is wanted");
    return next(r);
}

static bool read_comparison(struct reader *r, struct condition_node *n)
{
    size_t room = 0;

    if (is_word(r, "exists")) {
        n->kind = CONDITION_EXISTS;
        return next(r);
    }
    n->kind = CONDITION_COMPARE;
    if (is_word(r, "in"))
        return next(r) && read_values(r, n);
    if (r->token != TOKEN_ORDER)
        return wrong(r, r->start, "one of = != < <= > >= in exists is wanted");
    n->order = r->order;
    return next(r) && read_value(r, grow(r, n, &room));
}

static struct condition_node *read_test(struct reader *r)
{
    struct condition_node *n = node(r, CONDITION_EXISTS);

    if (is_word(r, "exists"))
        return next(r) && read_field(r, n) ? n : NULL;
    return read_field(r, n) && read_comparison(r, n) ? n : NULL;
}

static struct condition_node *read_group(struct reader *r)
{
    struct condition_node *n = next(r) ? read_any(r) : NULL;

    if (n && r->token != TOKEN_CLOSE) {
        wrong(r, r->start, "a ) is wanted");
        return NULL;
    }
    return n && next(r) ? n : NULL;
}

static struct condition_node *read_not(struct reader *r)
{
    struct condition_node *n = NULL;

    if (++r->depth > CONDITION_DEPTH_MOST) {
        wrong(r, r->start, "this is nested too deeply");
    } else if (r->token == TOKEN_OPEN) {
        n = read_group(r);
    } else if (is_word(r, "not")) {
        n = node(r, CONDITION_NOT);
        n = next(r) && (n->left = read_not(r)) ? n : NULL;
    } else {
        n = read_test(r);
    }
    r->depth--;
    return n;
}

/* Chains lean to the left: at most as deep as the text has words. */
static struct condition_node *read_chain(struct reader *r, const char *word, enum condition_kind kind,
                                         struct condition_node *(*one)(struct reader *r))
{
    struct condition_node *left = one(r);

    while (left && is_word(r, word)) {
        struct condition_node *n = node(r, kind);

        n->left = left;
        left = next(r) && (n->right = one(r)) ? n : NULL;
    }
    return left;
}

static struct condition_node *read_all(struct reader *r)
{
    return read_chain(r, "and", CONDITION_AND, read_not);
}

static struct condition_node *read_any(struct reader *r)
{
    return read_chain(r, "or", CONDITION_OR, read_all);
}

static bool read_whole(struct reader *r, struct condition *c)
{
    if (strlen(r->text) > CONDITION_BYTES_MOST)
        return error_set(r->err, ERROR_CONFIG, "the condition is longer than %d bytes", CONDITION_BYTES_MOST);
    if (!next(r))
        return false;
    if (r->token == TOKEN_END)
        return true;
    c->root = read_any(r);
    return c->root && (r->token == TOKEN_END || wrong(r, r->start, "and, or, or the end is wanted"));
}

struct condition *condition_new(const char *text, struct error *err)
{
    struct condition *c = xcalloc(1, sizeof *c);
    struct reader r = {.text = text, .at = text, .err = err, .word = SPAN_NONE};

    r.arena = c->arena = arena_new();
    if (read_whole(&r, c))
        return c;
    condition_free(c);
    return NULL;
}

void condition_free(struct condition *c)
{
    if (!c)
        return;
    arena_free(c->arena);
    free(c);
}

bool condition_check(const char *text, struct error *err)
{
    struct condition *c = condition_new(text, err);

    condition_free(c);
    return c != NULL;
}

bool condition_number(struct span text, double *number)
{
    char *end;

    if (text.length == 0 || strspn(text.text, "0123456789+-.eE") < text.length || !strchr("-0123456789", text.text[0]))
        return false;
    *number = strtod(text.text, &end);
    return end == text.text + text.length && isfinite(*number);
}
