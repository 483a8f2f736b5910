#include "base/listing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"

enum { CELL_BYTES = 400, GAP = 2 };

struct cell {
    char *shown; /* for people */
    char *json;
    char *plain; /* as it is; NULL: nothing */
    bool number; /* stands to the right */
};

struct listing {
    char **columns;
    size_t width;
    struct cell *cells; /* row after row */
    size_t count, room;
};

struct listing *listing_new(const char *columns)
{
    struct listing *l = xcalloc(1, sizeof *l);
    const char *word;
    size_t length;

    while (text_word(&columns, &word, &length)) {
        l->columns = xrealloc(l->columns, (l->width + 1) * sizeof *l->columns);
        l->columns[l->width++] = xstrndup(word, length);
    }
    return l;
}

void listing_free(struct listing *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++) {
        free(l->cells[i].shown);
        free(l->cells[i].json);
        free(l->cells[i].plain);
    }
    for (size_t i = 0; i < l->width; i++)
        free(l->columns[i]);
    free(l->cells);
    free(l->columns);
    free(l);
}

static void add_cell(struct listing *l, struct buf *shown, struct buf *json, const char *plain, bool number)
{
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 64;
        l->cells = xrealloc(l->cells, l->room * sizeof *l->cells);
    }
    l->cells[l->count++] = (struct cell){buf_take(shown), buf_take(json), plain ? xstrdup(plain) : NULL, number};
}

void listing_text(struct listing *l, const char *text)
{
    struct buf shown = BUF_INIT, json = BUF_INIT;

    if (text) {
        text_add_escaped(&shown, text, strlen(text), CELL_BYTES);
        buf_add_json_text(&json, text);
    } else {
        buf_add_char(&shown, '-');
        buf_add_text(&json, "null");
    }
    add_cell(l, &shown, &json, text, false);
}

void listing_int(struct listing *l, int64_t number)
{
    struct buf shown = BUF_INIT, json = BUF_INIT;

    buf_add_int(&shown, number);
    buf_add_int(&json, number);
    add_cell(l, &shown, &json, json.data, true);
}

void listing_json(struct listing *l, const char *json)
{
    struct buf shown = BUF_INIT, copy = BUF_INIT;

    text_add_escaped(&shown, json, strlen(json), CELL_BYTES);
    buf_add_text(&copy, json);
    add_cell(l, &shown, &copy, json, false);
}

static void pad(struct buf *out, size_t count)
{
    memset(buf_grow(out, count), ' ', count);
    buf_grown(out, count);
}

static void add_padded(struct buf *out, const char *text, size_t width, bool right, bool last)
{
    size_t rest = width - text_width(text);

    if (right)
        pad(out, rest);
    buf_add_text(out, text);
    if (!last)
        pad(out, (right ? 0 : rest) + GAP);
}

/* A column of numbers has its name to the right as well; one without rows counts as text. */
static bool numbers(const struct listing *l, size_t column)
{
    for (size_t i = column; i < l->count; i += l->width)
        if (!l->cells[i].number)
            return false;
    return l->count > 0;
}

static size_t column_width(const struct listing *l, size_t column)
{
    size_t width = text_width(l->columns[column]);

    for (size_t i = column; i < l->count; i += l->width) {
        size_t cell = text_width(l->cells[i].shown);

        width = cell > width ? cell : width;
    }
    return width;
}

static void add_head(const struct listing *l, const size_t *widths, struct buf *out)
{
    for (size_t i = 0; i < l->width; i++) {
        char *name = xstrdup(l->columns[i]);

        for (char *at = strchr(name, '_'); at; at = strchr(at, '_'))
            *at = ' ';
        add_padded(out, name, widths[i], numbers(l, i), i + 1 == l->width);
        free(name);
    }
    buf_add_char(out, '\n');
}

static void add_table(const struct listing *l, struct buf *out)
{
    size_t *widths = xcalloc(l->width, sizeof *widths);

    for (size_t i = 0; i < l->width; i++)
        widths[i] = column_width(l, i);
    add_head(l, widths, out);
    for (size_t i = 0; i < l->count; i++) {
        size_t column = i % l->width;
        bool last = column + 1 == l->width;

        add_padded(out, l->cells[i].shown, widths[column], l->cells[i].number, last);
        if (last)
            buf_add_char(out, '\n');
    }
    free(widths);
}

static void add_array(const struct listing *l, struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < l->count; i++) {
        size_t column = i % l->width;

        if (column == 0)
            buf_add_text(out, i > 0 ? ",\n {" : "\n {");
        else
            buf_add_text(out, ", ");
        buf_add_json_text(out, l->columns[column]);
        buf_printf(out, ": %s%s", l->cells[i].json, column + 1 == l->width ? "}" : "");
    }
    buf_add_text(out, l->count > 0 ? "\n]\n" : "]\n");
}

static void add_csv_cell(struct buf *out, const char *plain, bool number)
{
    if (number)
        buf_add_text(out, plain);
    else
        text_add_csv(out, plain);
}

void listing_write_csv(const struct listing *l, FILE *out)
{
    struct buf text = BUF_INIT;

    for (size_t i = 0; i < l->width; i++) {
        buf_add_text(&text, i > 0 ? "," : "");
        add_csv_cell(&text, l->columns[i], false);
    }
    for (size_t i = 0; i < l->count; i++) {
        buf_add_text(&text, i % l->width > 0 ? "," : "\r\n");
        add_csv_cell(&text, l->cells[i].plain ? l->cells[i].plain : "", l->cells[i].number);
    }
    buf_add_text(&text, "\r\n");
    fwrite(text.data, 1, text.length, out);
    buf_release(&text);
}

void listing_write(const struct listing *l, FILE *out, bool json)
{
    struct buf text = BUF_INIT;

    assert(l->width > 0 && l->count % l->width == 0);
    if (json)
        add_array(l, &text);
    else
        add_table(l, &text);
    fwrite(text.data, 1, text.length, out);
    buf_release(&text);
}
