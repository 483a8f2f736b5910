#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

char buf_empty[1]; /* never written: room is 0 */

void buf_init(struct buf *b)
{
    *b = (struct buf)BUF_INIT;
}

void buf_release(struct buf *b)
{
    if (b->room)
        free(b->data);
    buf_init(b);
}

void buf_reset(struct buf *b)
{
    b->length = 0;
    if (b->room)
        b->data[0] = '\0';
}

void buf_trim(struct buf *b, size_t keep)
{
    if (b->room <= keep || b->length >= keep)
        return;
    b->data = xrealloc(b->data, keep);
    b->room = keep;
}

char *buf_grow(struct buf *b, size_t more)
{
    size_t need = b->length + more + 1;

    if (need > b->room) {
        size_t room = b->room + b->room / 2;

        room = room > need ? room : need;
        room = room > 64 ? room : 64;
        b->data = xrealloc(b->room ? b->data : NULL, room);
        b->room = room;
    }
    return b->data + b->length;
}

void buf_grown(struct buf *b, size_t length)
{
    b->length += length;
    b->data[b->length] = '\0';
}

void buf_add(struct buf *b, const char *bytes, size_t length)
{
    char *end = buf_grow(b, length);

    if (length)
        memcpy(end, bytes, length);
    buf_grown(b, length);
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
    *buf_grow(b, 1) = c;
    buf_grown(b, 1);
}

void buf_add_int(struct buf *b, int64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    buf_add(b, at, (size_t)(digits + sizeof digits - at));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return;
    buf_grow(b, (size_t)length);
    va_start(args, format);
    vsnprintf(b->data + b->length, (size_t)length + 1, format, args);
    va_end(args);
    buf_grown(b, (size_t)length);
}

static void add_escaped(struct buf *b, unsigned char c)
{
    static const char short_form[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    buf_add_char(b, '\\');
    if (c == '"' || c == '\\')
        buf_add_char(b, (char)c);
    else if (c < sizeof short_form && short_form[c])
        buf_add_char(b, short_form[c]);
    else
        buf_printf(b, "u%04x", c);
}

void buf_add_json(struct buf *b, const char *bytes, size_t length)
{
    size_t plain = 0; /* start of the run not yet copied */

    buf_add_char(b, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(b, bytes + plain, i - plain);
        add_escaped(b, c);
        plain = i + 1;
    }
    buf_add(b, bytes + plain, length - plain);
    buf_add_char(b, '"');
}

void buf_add_json_text(struct buf *b, const char *text)
{
    buf_add_json(b, text, strlen(text));
}

char *buf_take(struct buf *b)
{
    char *data = b->room ? b->data : xstrdup("");

    buf_init(b);
    return data;
}
