#include "race/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

/* Where a query stands: inside a nested object its fields are that object's alone. */
struct place {
    const struct matched *document;
    const json_t *root;
    const char *nested; /* path of the nested object that root is; "": the document */
};

void match_unknown(const char *what, const json_t *where)
{
    char *text = where ? json_dumps(where, JSON_ENCODE_ANY) : NULL;

    fprintf(stderr, "the model of OpenSearch knows no %s: %.2000s\n", what, text ? text : "");
    abort();
}

/* ------------------------------------------------------------------------------------------------ a field's values */

static void gather(const json_t *value, const char *path, json_t *out)
{
    const json_t *inner;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(value, i, inner) gather(inner, path, out);
    } else if (*path == '\0') {
        if (value && !json_is_null(value))
            json_array_append(out, (json_t *)(uintptr_t)value);
    } else if (json_is_object(value)) { /* a key may hold dots itself */
        for (size_t end = strcspn(path, ".");; end += 1 + strcspn(path + end + 1, ".")) {
            char *key = xstrndup(path, end);

            gather(json_object_get(value, key), path[end] ? path + end + 1 : path + end, out);
            free(key);
            if (path[end] == '\0')
                break;
        }
    }
}

json_t *match_values(const json_t *source, const char *field)
{
    json_t *out = json_array();

    gather(source, field, out);
    return out;
}

/* Of a mapping: the properties or the type at a path. */
static const json_t *mapped_at(const json_t *properties, const char *path, size_t length)
{
    const json_t *at = NULL;

    for (size_t from = 0, end; from < length; from = end + 1) {
        char *key;

        end = from + strcspn(path + from, ".");
        key = xstrndup(path + from, end - from);
        at = json_object_get(at ? json_object_get(at, "properties") : properties, key);
        free(key);
    }
    return at;
}

/* The path of the innermost nested object that a field lies in, as a length; 0: none. */
static size_t nested_length(const json_t *properties, const char *field)
{
    size_t found = 0;

    for (size_t end = strcspn(field, "."); field[end]; end += 1 + strcspn(field + end + 1, "."))
        if (strcmp(json_member_text(mapped_at(properties, field, end), "type", ""), "nested") == 0)
            found = end;
    return found;
}

/* Fields of nested objects are found from inside of them only. */
static json_t *values_at(const struct place *p, const char *field)
{
    size_t inside = strlen(p->nested);

    if (strcmp(field, "_id") == 0)
        return json_pack("[s]", p->document->id);
    if (nested_length(p->document->properties, field) != inside)
        return json_array();
    return match_values(p->root, inside ? field + inside + 1 : field);
}

/* ------------------------------------------------------------------------------------------------------ leaves */

static bool same(const json_t *a, const json_t *b)
{
    struct buf a_scratch = BUF_INIT, b_scratch = BUF_INIT;
    const char *a_text = json_scalar_text(a, &a_scratch), *b_text = json_scalar_text(b, &b_scratch);
    bool equal = a_text && b_text && strcmp(a_text, b_text) == 0;

    buf_release(&a_scratch);
    buf_release(&b_scratch);
    return equal;
}

static int compare(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return (json_number_value(a) > json_number_value(b)) - (json_number_value(a) < json_number_value(b));
    if (!json_is_string(a) || !json_is_string(b))
        match_unknown("comparison of a", a);
    return strcmp(json_string_value(a), json_string_value(b));
}

static bool in_range(const json_t *value, const json_t *limits)
{
    const char *name;
    json_t *limit;
    bool ok = true;

    json_object_foreach((json_t *)(uintptr_t)limits, name, limit)
    {
        int order;

        if (strcmp(name, "format") == 0 || strcmp(name, "boost") == 0)
            continue;
        order = compare(value, limit);
        if (strcmp(name, "gte") == 0)
            ok = ok && order >= 0;
        else if (strcmp(name, "gt") == 0)
            ok = ok && order > 0;
        else if (strcmp(name, "lte") == 0)
            ok = ok && order <= 0;
        else if (strcmp(name, "lt") == 0)
            ok = ok && order < 0;
        else
            match_unknown("range", limits);
    }
    return ok;
}

typedef bool leaf_test(const json_t *value, const json_t *wanted);

static bool is_one_of(const json_t *value, const json_t *wanted)
{
    const json_t *one;
    size_t i;

    json_array_foreach(wanted, i, one) if (same(value, one)) return true;
    return false;
}

static bool is_term(const json_t *value, const json_t *wanted)
{
    return same(value, json_is_object(wanted) ? json_object_get(wanted, "value") : wanted);
}

static bool has_prefix(const json_t *value, const json_t *wanted)
{
    const char *prefix = json_string_value(json_is_object(wanted) ? json_object_get(wanted, "value") : wanted);

    return json_is_string(value) && strncmp(json_string_value(value), prefix, strlen(prefix)) == 0;
}

/* {FIELD: wanted} where one of the field's values passes. */
static bool any_value(const struct place *p, const json_t *body, leaf_test *test)
{
    const char *field;
    json_t *wanted;
    bool found = false;

    json_object_foreach((json_t *)(uintptr_t)body, field, wanted)
    {
        json_t *values, *value;
        size_t i;

        if (strcmp(field, "boost") == 0)
            continue;
        values = values_at(p, field);
        json_array_foreach(values, i, value) found = found || test(value, wanted);
        json_decref(values);
    }
    return found;
}

static bool exists(const struct place *p, const json_t *body)
{
    const char *field = json_member_text(body, "field", "");
    json_t *values = values_at(p, field);
    bool found = json_array_size(values) > 0;

    json_decref(values);
    return found;
}

/* ------------------------------------------------------------------------------------------------ what holds others */

static bool match_at(const json_t *query, const struct place *p);

/* How many of one clause or of a list of them hold; *all: their number. */
static size_t holding(const json_t *clauses, const struct place *p, size_t *all)
{
    const json_t *one;
    size_t i, count = 0;

    *all = json_is_array(clauses) ? json_array_size(clauses) : clauses != NULL;
    if (json_is_object(clauses))
        return match_at(clauses, p);
    json_array_foreach(clauses, i, one) count += match_at(one, p);
    return count;
}

static bool match_bool(const json_t *body, const struct place *p)
{
    static const char *const known[] = {"must", "filter", "must_not", "should", "minimum_should_match", "boost"};
    const json_t *least = json_object_get(body, "minimum_should_match");
    size_t must, filter, must_not, should, needed, held;
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        count += json_object_get(body, known[i]) != NULL;
    if (count != json_object_size(body))
        match_unknown("bool", body);
    if (holding(json_object_get(body, "must"), p, &must) != must ||
        holding(json_object_get(body, "filter"), p, &filter) != filter ||
        holding(json_object_get(body, "must_not"), p, &must_not) != 0)
        return false;
    held = holding(json_object_get(body, "should"), p, &should);
    needed = should > 0 && must == 0 && filter == 0;
    if (json_is_integer(least))
        needed = (size_t)json_integer_value(least);
    else if (json_is_string(least))
        needed = (size_t)strtoul(json_string_value(least), NULL, 10);
    return held >= needed;
}

static bool match_nested(const json_t *body, const struct place *p)
{
    const char *path = json_member_text(body, "path", "");
    struct place inside = {p->document, NULL, path};
    size_t above = strlen(p->nested), i;
    json_t *objects = match_values(p->root, above ? path + above + 1 : path), *object;
    bool found = false;

    if (strcmp(json_member_text(mapped_at(p->document->properties, path, strlen(path)), "type", ""), "nested") != 0)
        match_unknown("nested path", body);
    json_array_foreach(objects, i, object)
    {
        inside.root = object;
        found = found || match_at(json_object_get(body, "query"), &inside);
    }
    json_decref(objects);
    return found;
}

static bool match_at(const json_t *query, const struct place *p)
{
    void *only = json_object_iter((json_t *)(uintptr_t)query);
    const char *name = only ? json_object_iter_key(only) : "";
    const json_t *body = only ? json_object_iter_value(only) : NULL;

    if (json_object_size(query) != 1)
        match_unknown("query", query);
    if (strcmp(name, "bool") == 0)
        return match_bool(body, p);
    if (strcmp(name, "nested") == 0)
        return match_nested(body, p);
    if (strcmp(name, "constant_score") == 0)
        return match_at(json_object_get(body, "filter"), p);
    if (strcmp(name, "terms") == 0)
        return any_value(p, body, is_one_of);
    if (strcmp(name, "term") == 0)
        return any_value(p, body, is_term);
    if (strcmp(name, "range") == 0)
        return any_value(p, body, in_range);
    if (strcmp(name, "prefix") == 0)
        return any_value(p, body, has_prefix);
    if (strcmp(name, "exists") == 0)
        return exists(p, body);
    if (strcmp(name, "ids") == 0) {
        json_t *id = json_string(p->document->id);
        bool found = is_one_of(id, json_object_get(body, "values"));

        json_decref(id);
        return found;
    }
    if (strcmp(name, "match_all") == 0 || strcmp(name, "match_none") == 0)
        return name[6] == 'a';
    match_unknown("query", query);
}

bool match(const json_t *query, const struct matched *m)
{
    return !query || match_at(query, &(struct place){m, m->source, ""});
}
