#include "handlers/metric.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum { WORDS_MOST = 100, PRECISION_MOST = 40000 /* OpenSearch's own */ };

static const char *const functions[] = {"sum", "min", "max", "avg", "cardinality", "unique", NULL};

/* Names of results and fields: no blank, and nothing that OpenSearch forbids in the name of an aggregation. */
static bool name_good(const char *name, size_t length)
{
    return length > 0 && strcspn(name, "()[]<>=,;\"'") >= length;
}

/* -------------------------------------------------------------------------------------------------- metrics */

static bool find_function(const char *name, size_t length, enum metric_function *out, struct error *err)
{
    char *text = xstrndup(name, length);
    const char *near = text_nearest(text, functions, ARRAY_LENGTH(functions) - 1);
    bool found = false;

    for (size_t i = 0; !found && functions[i]; i++)
        if (strcmp(functions[i], text) == 0) {
            *out = (enum metric_function)i;
            found = true;
        }
    if (!found)
        error_set(err, ERROR_CONFIG, "unknown function \"%s\"%s%s%s: sum min max avg cardinality unique", text,
                  near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    free(text);
    return found;
}

/* What stands between the brackets: FIELD, or FIELD,PRECISION of cardinality. */
static bool parse_inside(const char *inside, size_t length, struct metric *m, struct error *err)
{
    const char *comma = memchr(inside, ',', length);
    size_t field = comma ? (size_t)(comma - inside) : length;
    int64_t precision = 0;

    if (!name_good(inside, field))
        return error_set(err, ERROR_CONFIG, "a field is wanted between the brackets");
    if (comma && m->function != METRIC_CARDINALITY)
        return error_set(err, ERROR_CONFIG, "only cardinality takes a precision");
    if (comma && (!text_int(comma + 1, length - field - 1, &precision) || precision < 1 || precision > PRECISION_MOST))
        return error_set(err, ERROR_CONFIG, "a precision is a number from 1 to %d", PRECISION_MOST);
    m->field = xstrndup(inside, field);
    m->precision = (int)precision;
    return true;
}

static bool parse_metric(const char *word, size_t length, struct metric *m, struct error *err)
{
    const char *equals = memchr(word, '=', length), *end = word + length - 1;
    const char *open = equals ? memchr(equals, '(', length - (size_t)(equals - word)) : NULL;
    size_t name = equals ? (size_t)(equals - word) : 0;

    if (!open || *end != ')' || !name_good(word, name))
        return error_set(err, ERROR_CONFIG, "NAME=FUNCTION(FIELD) is wanted");
    if (!find_function(equals + 1, (size_t)(open - equals) - 1, &m->function, err) ||
        !parse_inside(open + 1, (size_t)(end - open) - 1, m, err))
        return false;
    m->name = xstrndup(word, name);
    return true;
}

static bool metric_known(const struct metrics *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->items[i].name, name) == 0)
            return true;
    return false;
}

static bool add_metric(struct metrics *out, const char *word, size_t length, struct error *err)
{
    struct metric m = {0};

    if (out->count == WORDS_MOST)
        return error_set(err, ERROR_CONFIG, "more than %d words", WORDS_MOST);
    if (!parse_metric(word, length, &m, err) ||
        (metric_known(out, m.name) && !error_set(err, ERROR_CONFIG, "the name stands there twice"))) {
        free(m.name);
        free(m.field);
        return error_in(err, "\"%.*s\"", (int)length, word);
    }
    out->items = xrealloc(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = m;
    return true;
}

bool metrics_parse(const char *words, struct metrics *out, struct error *err)
{
    const char *at = words, *word;
    size_t length;

    *out = (struct metrics){0};
    while (text_word(&at, &word, &length))
        if (!add_metric(out, word, length, err)) {
            metrics_release(out);
            return false;
        }
    return true;
}

void metrics_release(struct metrics *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->items[i].name);
        free(m->items[i].field);
    }
    free(m->items);
    *m = (struct metrics){0};
}

bool metrics_check(const char *words, struct error *err)
{
    struct metrics m;

    if (!metrics_parse(words, &m, err))
        return false;
    metrics_release(&m);
    return true;
}

/* Where none is configured the server's own is higher than any limit of ours. */
static bool is_above(const struct metric *one, int precision_most)
{
    return precision_most && (one->precision == 0 || one->precision > precision_most);
}

bool metrics_need_precision(const struct metrics *m, int precision_most, int64_t documents)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->items[i].function == METRIC_CARDINALITY && is_above(&m->items[i], precision_most) &&
            documents > precision_most)
            return true;
    return false;
}

void metrics_add_aggregations(const struct metrics *m, int precision_most, json_t *aggs)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct metric *one = &m->items[i];
        int precision = is_above(one, precision_most) ? precision_most : one->precision;
        json_t *body;

        if (one->function == METRIC_UNIQUE)
            continue;
        body = json_pack("{s:s}", "field", one->field);
        if (one->function == METRIC_CARDINALITY && precision)
            json_object_set_new(body, "precision_threshold", json_integer(precision));
        json_object_set_new(aggs, one->name, json_pack("{s:o}", functions[one->function], body));
    }
}

/* -------------------------------------------------------------------------------------------------- renames */

static bool add_rename(struct renames *out, const char *word, size_t length, struct error *err)
{
    const char *equals = memchr(word, '=', length);
    size_t to = equals ? (size_t)(equals - word) : length;
    const char *from = equals ? equals + 1 : word;
    size_t from_length = length - (size_t)(from - word);

    if (out->count == WORDS_MOST)
        return error_set(err, ERROR_CONFIG, "more than %d words", WORDS_MOST);
    if (!name_good(word, to) || !name_good(from, from_length))
        return error_set(err, ERROR_CONFIG, "\"%.*s\": NAME or NAME=FIELD is wanted", (int)length, word);
    out->items = xrealloc(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = (struct renamed){xstrndup(word, to), xstrndup(from, from_length)};
    for (size_t i = 0; i + 1 < out->count; i++)
        if (strcmp(out->items[i].to, out->items[out->count - 1].to) == 0)
            return error_set(err, ERROR_CONFIG, "\"%.*s\": the name stands there twice", (int)length, word);
    return true;
}

bool renames_parse(const char *words, struct renames *out, struct error *err)
{
    const char *at = words, *word;
    size_t length;

    *out = (struct renames){0};
    while (text_word(&at, &word, &length))
        if (!add_rename(out, word, length, err)) {
            renames_release(out);
            return false;
        }
    return true;
}

void renames_release(struct renames *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->items[i].to);
        free(r->items[i].from);
    }
    free(r->items);
    *r = (struct renames){0};
}

bool renames_check(const char *words, struct error *err)
{
    struct renames r;

    if (!renames_parse(words, &r, err))
        return false;
    renames_release(&r);
    return true;
}
