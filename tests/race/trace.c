#include "race/trace.h"

#include <stdarg.h>
#include <stdio.h>

void trace_start(struct trace *t)
{
    buf_reset(&t->text);
    buf_reset(&t->why);
    t->turn = 0;
}

void trace_release(struct trace *t)
{
    buf_release(&t->text);
    buf_release(&t->why);
}

static void add(struct buf *out, const char *format, va_list values) printf_like(2, 0);

static void add(struct buf *out, const char *format, va_list values)
{
    char line[2000];

    vsnprintf(line, sizeof line, format, values);
    buf_add_text(out, line);
}

void trace_line(struct trace *t, const char *who, const char *format, ...)
{
    va_list values;

    buf_printf(&t->text, "%4ld %-9s ", t->turn, who);
    va_start(values, format);
    add(&t->text, format, values);
    va_end(values);
    buf_add_char(&t->text, '\n');
}

bool trace_wrong(struct trace *t, const char *format, ...)
{
    va_list values;

    if (t->why.length == 0) {
        va_start(values, format);
        add(&t->why, format, values);
        va_end(values);
    }
    return false;
}
