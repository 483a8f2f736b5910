#include "config/mistakes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum { TEXT_BYTES = 1024 };

struct mistake {
    int line;
    size_t order; /* in which they were found */
    char *text;
};

void mistakes_init(struct mistakes *m, const char *path)
{
    *m = (struct mistakes){.path = path};
}

void mistakes_release(struct mistakes *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->items[i].text);
    free(m->items);
    mistakes_init(m, m->path);
}

void mistake_add(struct mistakes *m, int line, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : 16;
        m->items = xrealloc(m->items, m->room * sizeof *m->items);
    }
    m->items[m->count] = (struct mistake){line, m->count, xstrdup(text)};
    m->count++;
}

static int by_line(const void *a, const void *b)
{
    const struct mistake *left = a, *right = b;

    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

void mistakes_write(struct mistakes *m, struct buf *out)
{
    if (m->count > 0)
        qsort(m->items, m->count, sizeof *m->items, by_line);
    for (size_t i = 0; i < m->count; i++) {
        const char *text = m->items[i].text;

        buf_printf(out, "%s:%d: ", m->path, m->items[i].line);
        text_add_escaped(out, text, strlen(text), TEXT_BYTES);
        buf_add_char(out, '\n');
    }
}
