#include "notifier/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

void lines_start(struct lines *l, int fd, size_t most)
{
    *l = (struct lines){.fd = fd, .most = most, .kept = BUF_INIT};
}

void lines_release(struct lines *l)
{
    buf_release(&l->kept);
}

/* More bytes behind those kept; what was given before makes room. */
static bool read_more(struct lines *l, struct error *err)
{
    size_t rest = l->kept.length - l->start;
    ssize_t count;

    memmove(l->kept.data, l->kept.data + l->start, rest);
    l->kept.length = rest;
    l->start = 0;
    do
        count = read(l->fd, buf_grow(&l->kept, READ_BYTES), READ_BYTES);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return error_set(err, ERROR_INPUT, "%s", strerror(errno));
    l->ended = count == 0;
    buf_grown(&l->kept, (size_t)count);
    return true;
}

/* The bytes up to the next line feed, or to the end of the file; *whole: it is a line that can be given. */
static bool take_line(struct lines *l, struct span *line)
{
    const char *from = l->kept.data + l->start;
    size_t length = l->kept.length - l->start;
    const char *feed = memchr(from, '\n', length);

    if (!feed && !l->ended) {
        if (length > l->most) { /* its end is still to come, its beginning is of no use */
            l->skipping = true;
            l->start = l->kept.length;
        }
        return false;
    }
    *line = (struct span){from, feed ? (size_t)(feed - from) : length};
    l->start += line->length + (feed != NULL);
    return true;
}

static bool is_blank(struct span line)
{
    return strspn(line.text, " \t\r") >= line.length;
}

enum line_kind lines_next(struct lines *l, struct span *line, struct error *err)
{
    for (;;) {
        if (!take_line(l, line)) {
            if (!read_more(l, err))
                return LINE_FAILED;
            continue;
        }
        if (line->length == 0 && l->ended && l->start == l->kept.length && !l->skipping)
            return LINE_END;
        l->number++;
        if (l->skipping || line->length > l->most) {
            l->skipping = false;
            return LINE_TOO_LONG;
        }
        if (!is_blank(*line))
            return LINE_TEXT;
    }
}

const char *line_reason(const char *reason)
{
    return text_starts(reason, "line 1 ") ? reason + strlen("line 1 ") : reason;
}
