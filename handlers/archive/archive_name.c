#include "handlers/archive/archive_name.h"

#include <string.h>

#include "base/clock.h"

enum { DAY_BYTES = 10 }; /* 2026-11-25 */

static const struct {
    const char *end;
    enum archive_kind kind;
} ends[] = {
    {".ndjson.open",      ARCHIVE_OPEN  },
    {".ndjson",           ARCHIVE_PLAIN },
    {".ndjson.gz",        ARCHIVE_PACKED},
    {".ndjson.sha256",    ARCHIVE_DIGEST},
    {".ndjson.gz.sha256", ARCHIVE_DIGEST},
};

static bool ends_in(const char *name, const char *end, size_t *before)
{
    size_t length = strlen(name), tail = strlen(end);

    *before = length - tail;
    return length > tail && strcmp(name + length - tail, end) == 0;
}

static bool read_day(const char *name, int64_t *day_us)
{
    char time[] = "YYYY-MM-DDT00:00:00Z";

    if (strlen(name) <= DAY_BYTES || name[DAY_BYTES] != '.')
        return false;
    memcpy(time, name, DAY_BYTES);
    return time_parse(time, strlen(time), false, day_us);
}

/* A handler's name has no dot: what follows one is the number. */
static bool read_middle(struct span middle, struct archive_name *out)
{
    const char *dot = memchr(middle.text, '.', middle.length);
    size_t number = dot ? middle.length - (size_t)(dot - middle.text) - 1 : 0;

    out->handler = (struct span){middle.text, dot ? (size_t)(dot - middle.text) : middle.length};
    return out->handler.length > 0 && (!dot || (number > 0 && strspn(dot + 1, "0123456789") == number));
}

bool archive_name_read(const char *name, struct archive_name *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        size_t before;

        if (!ends_in(name, ends[i].end, &before) || before <= DAY_BYTES + 1)
            continue;
        *out = (struct archive_name){
            .kind = ends[i].kind, .day = {name, DAY_BYTES}
        };
        return read_day(name, &out->day_us) &&
               read_middle((struct span){name + DAY_BYTES + 1, before - DAY_BYTES - 1}, out);
    }
    return false;
}

void archive_name_add_open(const char *folder, const char *handler, int64_t now_us, struct buf *out)
{
    char day[DAY_BYTES + 1];

    time_format(now_us, "%Y-%m-%d", day, sizeof day);
    buf_printf(out, "%s/%s.%s.ndjson.open", folder, day, handler);
}

void archive_name_add_sealed(const struct archive_name *open, bool packed, int number, struct buf *out)
{
    buf_add(out, open->day.text, open->day.length);
    buf_add_char(out, '.');
    buf_add(out, open->handler.text, open->handler.length);
    if (number > 0)
        buf_printf(out, ".%d", number);
    buf_add_text(out, packed ? ".ndjson.gz" : ".ndjson");
}
