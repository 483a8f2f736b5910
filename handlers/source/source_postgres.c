#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_compact.h"
#include "base/postgres.h"
#include "handlers/source/source_type.h"

enum { LIMIT_BYTES = 24 };

/* The statements of a source; what a section does not say, and crier cannot make of its query, is "". */
struct source_postgres {
    struct postgres *link;
    const char *id, *version, *document;
    struct buf get, first, list, since_first, since_list, count, since_count;
};

/* ------------------------------------------------------------------------------------------------- configuration */

static bool has_parameter(const char *sql)
{
    return strstr(sql, "$1") != NULL;
}

static bool postgres_check(const struct source_settings *o, struct error *err)
{
    bool narrowed = has_parameter(o->query);

    if (!*o->url || !*o->query)
        return error_set(err, ERROR_CONFIG, "url and query are wanted");
    if (!postgres_url_check(o->url, err))
        return error_in(err, "url");
    if (!narrowed && (*o->list_query || *o->since_query || *o->count_query))
        return error_set(err, ERROR_CONFIG,
                         "list_query, since_query and count_query go with a query that has $1 in it");
    if (*o->list_query && (!has_parameter(o->list_query) || !strstr(o->list_query, "$2")))
        return error_set(err, ERROR_CONFIG, "list_query: $1 (the id to go on after) and $2 (the most rows) are wanted");
    if (*o->since_query &&
        (!has_parameter(o->since_query) || !strstr(o->since_query, "$2") || !strstr(o->since_query, "$3")))
        return error_set(err, ERROR_CONFIG,
                         "since_query: $1 (the id to go on after), $2 (the most rows) and $3 (the "
                         "time) are wanted");
    return true;
}

static const char *or_else(const char *given, const char *fallback)
{
    return *given ? given : fallback;
}

/* "select WHAT from (the query) as crier_source"; a comment at the query's end does not swallow the rest. */
static void start_statement(const struct source *x, const char *what, struct buf *out)
{
    const char *query = x->options->query;
    size_t length = strlen(query);

    while (length > 0 && strchr("; \t\r\n", query[length - 1]))
        length--;
    buf_printf(out, "select %s from (", what);
    buf_add(out, query, length);
    buf_add_text(out, "\n) as crier_source");
}

static void add_condition(const char *before, const char *column, const char *after, struct buf *out)
{
    buf_add_text(out, before);
    postgres_add_name(out, column);
    buf_add_text(out, after);
}

static void narrow_query(const struct source *x)
{
    struct source_postgres *s = x->state;
    const char *changed = x->options->changed;

    start_statement(x, "*", &s->get);
    add_condition(" where ", s->id, " = any($1)", &s->get);
    start_statement(x, "*", &s->first);
    add_condition(" order by ", s->id, " limit $1", &s->first);
    start_statement(x, "*", &s->list);
    add_condition(" where ", s->id, " > $1", &s->list);
    add_condition(" order by ", s->id, " limit $2", &s->list);
    start_statement(x, "count(*)", &s->count);
    if (!*changed)
        return;
    start_statement(x, "*", &s->since_first);
    add_condition(" where ", changed, " >= $2", &s->since_first);
    add_condition(" order by ", s->id, " limit $1", &s->since_first);
    start_statement(x, "*", &s->since_list);
    add_condition(" where ", s->id, " > $1", &s->since_list);
    add_condition(" and ", changed, " >= $3", &s->since_list);
    add_condition(" order by ", s->id, " limit $2", &s->since_list);
    start_statement(x, "count(*)", &s->since_count);
    add_condition(" where ", changed, " >= $1", &s->since_count);
}

static void postgres_open(struct source *x)
{
    const struct source_settings *o = x->options;
    struct source_postgres *s = x->state = xcalloc(1, sizeof *s);
    struct buf *statements[] = {&s->get,        &s->first, &s->list,       &s->since_first,
                                &s->since_list, &s->count, &s->since_count};

    for (size_t i = 0; i < ARRAY_LENGTH(statements); i++)
        buf_init(statements[i]);
    s->link = postgres_new(&(struct postgres_options){
        .url = o->url,
        .password = o->password,
        .connect_ms = (int)o->connect_ms,
        .timeout_ms = (int)o->timeout_ms,
    });
    s->id = or_else(o->id, "id");
    s->version = or_else(o->version, "version");
    s->document = or_else(o->document, "document");
    if (!has_parameter(o->query)) {
        narrow_query(x);
        return;
    }
    buf_add_text(&s->get, o->query);
    buf_add_text(&s->list, o->list_query);
    buf_add_text(&s->since_list, o->since_query);
    buf_add_text(&s->count, o->count_query);
}

static void postgres_close(struct source *x)
{
    struct source_postgres *s = x->state;

    postgres_free(s->link);
    buf_release(&s->get);
    buf_release(&s->first);
    buf_release(&s->list);
    buf_release(&s->since_first);
    buf_release(&s->since_list);
    buf_release(&s->count);
    buf_release(&s->since_count);
    free(s);
}

/* ---------------------------------------------------------------------------------------------------------- rows */

/* Where the columns of a result are. */
struct columns {
    int id, version, document, routing; /* version, routing -1: there is none */
};

static bool find_columns(const struct source *x, const struct postgres_rows *rows, struct columns *c, struct error *err)
{
    const struct source_postgres *s = x->state;
    const char *routing = x->options->routing;

    *c = (struct columns){postgres_column(rows, s->id), postgres_column(rows, s->version),
                          postgres_column(rows, s->document), *routing ? postgres_column(rows, routing) : -1};
    if (c->id < 0 || c->document < 0)
        return error_set(err, ERROR_CONFIG, "the query has no column %s", c->id < 0 ? s->id : s->document);
    if (c->version < 0 && *x->options->version)
        return error_set(err, ERROR_CONFIG, "the query has no column %s", s->version);
    if (c->routing < 0 && *routing)
        return error_set(err, ERROR_CONFIG, "the query has no column %s", routing);
    return true;
}

static struct span copy_value(const struct postgres_rows *rows, size_t row, int column, struct arena *arena)
{
    struct span value = postgres_value(rows, row, column);

    return (struct span){arena_copy(arena, value.text, value.length), value.length};
}

static void read_body(struct span text, struct arena *arena, struct source_document *out)
{
    struct buf compact = BUF_INIT;
    struct error err;

    if (!json_compact(text.text, text.length, JSON_COMPACT_DEPTH_MOST, &compact, &err))
        out->wrong = arena_printf(arena, "its document is no JSON: %s", err.text);
    else if (compact.data[0] != '{')
        out->wrong = "its document is no JSON object";
    else
        out->body = (struct span){arena_copy(arena, compact.data, compact.length), compact.length};
    buf_release(&compact);
}

/* A document that is null is gone, at that version. */
static void read_row(const struct postgres_rows *rows, size_t row, const struct columns *c, struct arena *arena,
                     struct source_document *out)
{
    *out = (struct source_document){.id = copy_value(rows, row, c->id, arena),
                                    .version = VERSION_NONE,
                                    .body = SPAN_NONE,
                                    .routing = SPAN_NONE,
                                    .found = !postgres_is_null(rows, row, c->document)};
    if (c->routing >= 0)
        out->routing = copy_value(rows, row, c->routing, arena);
    if (out->found)
        read_body(postgres_value(rows, row, c->document), arena, out);
    if (c->version >= 0 && !postgres_is_null(rows, row, c->version)) {
        struct span version = postgres_value(rows, row, c->version);

        if (!text_int(version.text, version.length, &out->version) || out->version < 0) {
            out->version = VERSION_NONE;
            out->wrong = "its version is none: a whole number from 0 on is wanted";
        }
    }
    if (postgres_is_null(rows, row, c->id))
        out->wrong = "it has no id";
}

/* ---------------------------------------------------------------------------------------------- single documents */

/* {"a","b"}: an array as PostgreSQL reads it. */
static void add_array(struct buf *out, const struct span *ids, size_t count)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i > 0 ? ",\"" : "\"");
        for (size_t c = 0; c < ids[i].length; c++) {
            if (ids[i].text[c] == '"' || ids[i].text[c] == '\\')
                buf_add_char(out, '\\');
            buf_add_char(out, ids[i].text[c]);
        }
        buf_add_char(out, '"');
    }
    buf_add_char(out, '}');
}

/*
 * Of several rows with one id the newest counts. An id that is written in another way than it was asked for (a UUID in
 * capitals) is not to be taken for one that is not there.
 */
static bool place_row(const struct source_document *d, struct source_document *out, size_t count, struct error *err)
{
    bool placed = false;

    for (size_t i = 0; i < count; i++) {
        struct span id = out[i].id;

        if (id.length != d->id.length || memcmp(id.text, d->id.text, id.length) != 0)
            continue;
        placed = true;
        if ((out[i].found || out[i].version != VERSION_NONE) && d->version <= out[i].version)
            continue;
        out[i] = *d;
        out[i].id = id;
    }
    return placed || error_set(err, ERROR_INPUT, "it answers for \"%.100s\", which was not asked for", d->id.text);
}

static bool has_nul(const struct span *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memchr(ids[i].text, '\0', ids[i].length))
            return true;
    return false;
}

static bool postgres_get(struct source *x, const struct span *ids, size_t count, struct arena *arena,
                         struct source_document *out, struct error *err)
{
    struct source_postgres *s = x->state;
    struct postgres_rows *rows = NULL;
    struct buf array = BUF_INIT;
    struct columns columns;
    bool ok;

    if (has_nul(ids, count))
        return error_set(err, ERROR_INPUT, "an id with a NUL in it");
    add_array(&array, ids, count);
    ok = postgres_query(s->link, s->get.data, &(struct span){array.data, array.length}, 1, &rows, err) &&
         find_columns(x, rows, &columns, err);
    for (size_t row = 0; ok && row < postgres_row_count(rows); row++) {
        struct source_document d;

        read_row(rows, row, &columns, arena, &d);
        ok = place_row(&d, out, count, err);
    }
    postgres_rows_free(rows);
    buf_release(&array);
    return ok;
}

/* ----------------------------------------------------------------------------------------------------- all of them */

/* A position is the last id as a JSON string. */
static bool read_position(const struct source_walk *walk, struct arena *arena, struct span *after, struct error *err)
{
    struct buf compact = BUF_INIT;
    bool ok = true;

    *after = (struct span){NULL, 0};
    if (walk->position.length)
        ok = json_compact(walk->position.text, walk->position.length, 1, &compact, err) && compact.data[0] == '"' &&
             json_compact_text((struct span){compact.data, compact.length}, arena, after);
    buf_release(&compact);
    return ok || error_set(err, ERROR_INPUT, "\"%.*s\" is no position in a table",
                           (int)(walk->position.length < 100 ? walk->position.length : 100), walk->position.text);
}

static void note_position(struct source_walk *walk, struct span id, struct arena *arena)
{
    struct buf quoted = BUF_INIT;

    buf_add_json(&quoted, id.text, id.length);
    walk->position = (struct span){arena_copy(arena, quoted.data, quoted.length), quoted.length};
    buf_release(&quoted);
}

/* One statement of a page: what it begins after, the most rows, and since when, as far as it asks for them. */
static bool ask_page(struct source_postgres *s, const struct source_walk *walk, struct span after,
                     struct postgres_rows **rows, struct error *err)
{
    char limit[LIMIT_BYTES], since[TIME_TEXT_BYTES];
    struct span parameters[3] = {after, SPAN_NONE, SPAN_NONE};
    const struct buf *first = walk->since_us ? &s->since_first : &s->first;
    const struct buf *list = walk->since_us ? &s->since_list : &s->list;
    bool begins = !after.text && first->length;
    size_t count = walk->since_us ? 3 : 2;

    snprintf(limit, sizeof limit, "%zu", walk->most);
    parameters[1] = span_of(limit);
    parameters[2] = span_of(time_text(walk->since_us, since));
    if (list->length == 0)
        return error_set(err, ERROR_CONFIG, "%s is wanted", walk->since_us ? "changed or since_query" : "list_query");
    return postgres_query(s->link, begins ? first->data : list->data, parameters + begins, count - begins, rows, err);
}

/* Behind the last row that has an id: those without come at the end of the order, and lead nowhere. */
static bool move_on(const struct postgres_rows *rows, const struct columns *c, const struct source_document *docs,
                    struct source_walk *walk, struct arena *arena, struct error *err)
{
    size_t count = postgres_row_count(rows), last = count;

    while (last > 0 && postgres_is_null(rows, last - 1, c->id))
        last--;
    if (last > 0)
        note_position(walk, docs[last - 1].id, arena);
    return last > 0 || count == 0 ||
           error_set(err, ERROR_INPUT, "all rows of a page have null for an id: the query must leave such rows out");
}

static bool postgres_page(struct source *x, struct source_walk *walk, struct arena *arena, struct source_document **out,
                          size_t *count, struct error *err)
{
    struct postgres_rows *rows = NULL;
    struct columns columns;
    struct span after;
    bool ok = read_position(walk, arena, &after, err) && ask_page(x->state, walk, after, &rows, err) &&
              find_columns(x, rows, &columns, err);

    if (ok) {
        *count = postgres_row_count(rows);
        *out = arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t row = 0; row < *count; row++)
            read_row(rows, row, &columns, arena, &(*out)[row]);
        ok = move_on(rows, &columns, *out, walk, arena, err);
    }
    postgres_rows_free(rows);
    return ok;
}

static bool postgres_count(struct source *x, int64_t since_us, int64_t *count, struct error *err)
{
    struct source_postgres *s = x->state;
    const struct buf *statement = since_us ? &s->since_count : &s->count;
    struct postgres_rows *rows = NULL;
    char since[TIME_TEXT_BYTES];
    struct span time = span_of(time_text(since_us, since)), value = SPAN_NONE;
    bool ok = statement->length == 0 || postgres_query(s->link, statement->data, &time, since_us ? 1 : 0, &rows, err);

    if (rows && postgres_row_count(rows) > 0)
        value = postgres_value(rows, 0, 0);
    if (!text_int(value.text, value.length, count) || *count < 0)
        *count = -1;
    postgres_rows_free(rows);
    return ok;
}

const struct source_type source_postgres = {
    .check = postgres_check,
    .open = postgres_open,
    .close = postgres_close,
    .get = postgres_get,
    .page = postgres_page,
    .count = postgres_count,
};
