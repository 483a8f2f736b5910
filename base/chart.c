#include "base/chart.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/attrs.h"
#include "base/text.h"

enum {
    WIDTH_DEFAULT = 80,
    WIDTH_LEAST = 20,
    WIDTH_MOST = 1000,
    GAPS = 3, /* between label, number and bar */
    EIGHTHS = 8,
};

static size_t digits_of(int64_t value)
{
    struct buf text = BUF_INIT;
    size_t length;

    buf_add_int(&text, value);
    length = text.length;
    buf_release(&text);
    return length;
}

static void repeat(struct buf *out, const char *what, size_t count)
{
    while (count-- > 0)
        buf_add_text(out, what);
}

/* The label, cut or filled up to the width. */
static void add_label(struct buf *out, const char *label, size_t width)
{
    size_t shown = 0;

    for (; *label && (shown < width || ((unsigned char)*label & 0xc0) == 0x80); label++) {
        shown += ((unsigned char)*label & 0xc0) != 0x80;
        buf_add_char(out, *label);
    }
    repeat(out, " ", width - shown);
}

/* Whatever is not nothing shows. */
static void add_bar(struct buf *out, int64_t value, int64_t most, size_t width, bool blocks)
{
    static const char *const parts[EIGHTHS] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    size_t steps = width * (blocks ? EIGHTHS : 1);
    size_t length = most > 0 && value > 0 ? (size_t)((double)value / (double)most * (double)steps + 0.5) : 0;

    if (value > 0 && length == 0)
        length = 1;
    repeat(out, blocks ? "█" : "#", blocks ? length / EIGHTHS : length);
    if (blocks)
        buf_add_text(out, parts[length % EIGHTHS]);
}

void chart_add(struct buf *out, const struct bar *bars, size_t count, size_t width, bool blocks)
{
    size_t labels = 0, numbers = 0, rest;
    int64_t most = 0;

    for (size_t i = 0; i < count; i++) {
        size_t label = text_width(bars[i].label), number = digits_of(bars[i].value);

        labels = label > labels ? label : labels;
        numbers = number > numbers ? number : numbers;
        most = bars[i].value > most ? bars[i].value : most;
    }
    labels = labels < width / 2 ? labels : width / 2;
    rest = width > labels + numbers + GAPS ? width - labels - numbers - GAPS : 1;
    for (size_t i = 0; i < count; i++) {
        add_label(out, bars[i].label, labels);
        repeat(out, " ", 2 + numbers - digits_of(bars[i].value));
        buf_add_int(out, bars[i].value);
        buf_add_char(out, ' ');
        add_bar(out, bars[i].value, most, rest, blocks);
        buf_add_char(out, '\n');
    }
}

static size_t width_of(FILE *out)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    int64_t width = 0;

    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    else if (!columns || !text_int(columns, strlen(columns), &width))
        width = WIDTH_DEFAULT;
    return width < WIDTH_LEAST ? WIDTH_LEAST : width > WIDTH_MOST ? WIDTH_MOST : (size_t)width;
}

/* As setlocale would choose it, which this program does not call. */
static bool is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const char *value = getenv(names[i]);

        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void chart_write(FILE *out, const struct bar *bars, size_t count)
{
    struct buf text = BUF_INIT;

    chart_add(&text, bars, count, width_of(out), isatty(fileno(out)) && is_utf8());
    fwrite(text.data, 1, text.length, out);
    buf_release(&text);
}
