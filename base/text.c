#include "base/text.h"

#include <string.h>

struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

bool span_is(struct span s, const char *text)
{
    return strlen(text) == s.length && memcmp(s.text, text, s.length) == 0;
}

bool text_same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

bool text_starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool text_word(const char **at, const char **word, size_t *length)
{
    while (is_space(**at))
        ++*at;
    *word = *at;
    while (**at && !is_space(**at))
        ++*at;
    *length = (size_t)(*at - *word);
    return *length > 0;
}

bool text_has_word(const char *words, const char *word, size_t length)
{
    const char *one;
    size_t one_length;

    while (text_word(&words, &one, &one_length))
        if (one_length == length && memcmp(one, word, length) == 0)
            return true;
    return false;
}

int text_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t text_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

bool text_int(const char *text, size_t length, int64_t *number)
{
    bool negative = length > 0 && text[0] == '-';
    int64_t sum = 0;

    if (length <= (size_t)negative || length > 20)
        return false;
    for (size_t i = negative; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, text[i] - '0', &sum)) /* summed below zero, where there is one more */
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, sum, &sum))
        return false;
    *number = sum;
    return true;
}

/* The length of the UTF-8 character at bytes, its code point in *point; 0 where it is broken. */
static size_t utf8_character(const unsigned char *bytes, size_t length, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = bytes[0];
    size_t size = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

    if (size == 0 || size > length)
        return 0;
    *point = size == 1 ? c : c & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (bytes[i] & 0x3f);
    }
    return *point >= least[size] && *point <= 0x10ffff && (*point < 0xd800 || *point > 0xdfff) ? size : 0;
}

size_t text_utf8_valid(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t i = 0;
    uint32_t point;

    while (i < length) {
        size_t size = at[i] < 0x80 ? 1 : utf8_character(at + i, length - i, &point);

        if (size == 0)
            break;
        i += size;
    }
    return i;
}

static bool shown_as_it_is(uint32_t point)
{
    bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    bool bidirectional = point == 0x61c || (point >= 0x200e && point <= 0x200f) ||
                         (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);

    return !control && !bidirectional && point != 0xfeff;
}

void text_add_escaped(struct buf *out, const char *bytes, size_t length, size_t most)
{
    const unsigned char *at = (const unsigned char *)bytes;

    for (size_t i = 0, size; i < length; i += size) {
        uint32_t point = 0;

        if (i >= most) {
            buf_printf(out, "... (%zu bytes more)", length - i);
            return;
        }
        size = utf8_character(at + i, length - i, &point);
        if (size == 0) {
            buf_printf(out, "\\x%02x", at[i]);
            size = 1;
        } else if (shown_as_it_is(point)) {
            buf_add(out, bytes + i, size);
        } else {
            buf_printf(out, point < 0x100 ? "\\x%02x" : "\\u{%x}", point);
        }
    }
}

/* None of them lies beyond U+FFFF. */
void text_add_json_plain(struct buf *out, const char *json, size_t length)
{
    size_t copied = 0;

    for (size_t i = 0, size; i < length; i += size) {
        uint32_t point = (unsigned char)json[i];

        size = point < 0x80 ? 1 : utf8_character((const unsigned char *)json + i, length - i, &point);
        size = size ? size : 1;
        if (shown_as_it_is(point))
            continue;
        buf_add(out, json + copied, i - copied);
        buf_printf(out, "\\u%04x", point);
        copied = i + size;
    }
    buf_add(out, json + copied, length - copied);
}

enum { NEAREST_MOST = 48 };

/* Edit distance after Wagner and Fischer (JACM 1974), with one row kept. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NEAREST_MOST + 1], length_a = strlen(a), length_b = strlen(b);

    if (length_a > NEAREST_MOST || length_b > NEAREST_MOST)
        return NEAREST_MOST;
    for (size_t j = 0; j <= length_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            best = best < row[j] + 1 ? best : row[j] + 1;
            best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[length_b];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t best = strlen(word) / 3 + 1;
    const char *nearest = NULL;

    for (size_t i = 0; i < count; i++) {
        size_t away = distance(word, candidates[i]);

        if (away <= best && (!nearest || away < best)) {
            best = away;
            nearest = candidates[i];
        }
    }
    return nearest;
}

void text_add_csv(struct buf *out, const char *text)
{
    bool formula = *text && strchr("=+-@\t\r", *text);

    if (!formula && !strpbrk(text, ",\"\r\n")) {
        buf_add_text(out, text);
        return;
    }
    buf_add_text(out, formula ? "\"'" : "\"");
    for (; *text; text++) {
        if (*text == '"')
            buf_add_char(out, '"');
        buf_add_char(out, *text);
    }
    buf_add_char(out, '"');
}
