#include "notifier/access_log/access_log_text.h"

#include <string.h>

#include "base/text.h"

/* The byte that two digits at at stand for; -1: none do. */
static int hex_byte(const char *at, const char *end)
{
    int high = end - at >= 2 ? text_hex_digit(at[0]) : -1, low = high >= 0 ? text_hex_digit(at[1]) : -1;

    return low >= 0 ? high << 4 | low : -1;
}

/* What a backslash makes of the next character; sets *length to what stands for it. */
static char unescaped(const char *at, const char *end, size_t *length)
{
    static const char from[] = "nrtbvf", to[] = "\n\r\t\b\v\f";
    const char *known;
    int byte;

    *length = 2;
    if (end - at < 2) {
        *length = 1;
        return at[0];
    }
    if (at[1] == 'x' && (byte = hex_byte(at + 2, end)) >= 0) {
        *length = 4;
        return (char)byte;
    }
    known = strchr(from, at[1]);
    return known && *known ? to[known - from] : at[1];
}

/* From the byte where on the buffer is made UTF-8 without NUL. */
static void make_text(struct buf *out, size_t where)
{
    struct buf good = BUF_INIT;
    const char *at, *end;

    if (text_utf8_valid(out->data + where, out->length - where) == out->length - where &&
        !memchr(out->data + where, '\0', out->length - where))
        return;
    at = out->data + where;
    end = out->data + out->length;
    while (at < end) {
        size_t length = text_utf8_valid(at, (size_t)(end - at));
        const char *nul = memchr(at, '\0', length);

        length = nul ? (size_t)(nul - at) : length;
        buf_add(&good, at, length);
        at += length;
        if (at < end) {
            buf_add_text(&good, "\xef\xbf\xbd");
            at++;
        }
    }
    out->length = where;
    buf_add(out, good.data, good.length);
    buf_release(&good);
}

void access_text_add(struct span written, struct buf *out)
{
    const char *at = written.text, *end = at + written.length;
    size_t where = out->length;

    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t length;
        char c;

        buf_add(out, at, (size_t)((backslash ? backslash : end) - at));
        if (!backslash)
            break;
        c = unescaped(backslash, end, &length);
        buf_add_char(out, c);
        at = backslash + length;
    }
    make_text(out, where);
}

void access_path_add(struct span written, struct buf *out)
{
    const char *at = written.text, *end = at + written.length;
    size_t where = out->length;

    while (at < end) {
        int byte = *at == '%' ? hex_byte(at + 1, end) : -1;

        buf_add_char(out, byte >= 0 ? (char)byte : *at);
        at += byte >= 0 ? 3 : 1;
    }
    make_text(out, where);
}
