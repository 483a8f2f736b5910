#include "base/zone.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "base/zone_rule.h"

enum {
    FILE_BYTES_MOST = 1024 * 1024,
    PATH_BYTES = 512,
    NAME_BYTES_MOST = 100,
    OFFSET_S_MOST = 26 * 3600, /* RFC 8536, 3.2: utoff */
};

struct change {
    int64_t at_s;
    int32_t offset_s; /* from then on */
};

struct zone {
    int32_t first_offset_s; /* before the first change */
    struct change *changes;
    size_t count;
    struct zone_rule rule; /* after the last change */
    bool has_rule;
};

/* ------------------------------------------------------------------------------------------- reading the file */

struct header {
    int version;
    size_t utc_marks, standard_marks, leaps, times, types, letters;
};

struct bytes {
    const unsigned char *at;
    size_t left;
};

static bool skip(struct bytes *b, size_t length)
{
    if (length > b->left)
        return false;
    b->at += length;
    b->left -= length;
    return true;
}

static uint64_t big_endian(const unsigned char *bytes, size_t length)
{
    uint64_t number = 0;

    for (size_t i = 0; i < length; i++)
        number = number << 8 | bytes[i];
    return number;
}

static bool read_header(struct bytes *b, struct header *h)
{
    enum { HEADER_BYTES = 44, COUNTS_AT = 20 };
    size_t *const counts[] = {&h->utc_marks, &h->standard_marks, &h->leaps, &h->times, &h->types, &h->letters};
    const unsigned char *start = b->at;

    if (!skip(b, HEADER_BYTES) || memcmp(start, "TZif", 4) != 0)
        return false;
    h->version = start[4] ? start[4] - '0' : 1;
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
        *counts[i] = (size_t)big_endian(start + COUNTS_AT + 4 * i, 4);
    return true;
}

static size_t block_bytes(const struct header *h, size_t time_bytes)
{
    return h->times * (time_bytes + 1) + h->types * 6 + h->letters + h->leaps * (time_bytes + 4) + h->standard_marks +
           h->utc_marks;
}

static int32_t type_offset_s(const unsigned char *types, size_t type)
{
    return (int32_t)big_endian(types + 6 * type, 4);
}

/* The changes and their offsets. */
static bool read_block(struct bytes *b, const struct header *h, size_t time_bytes, struct zone *z)
{
    const unsigned char *times = b->at, *indexes = times + h->times * time_bytes, *types = indexes + h->times;

    if (!skip(b, block_bytes(h, time_bytes)) || h->types == 0 || h->leaps > 0)
        return false;
    for (size_t i = 0; i < h->types; i++)
        if (type_offset_s(types, i) > OFFSET_S_MOST || type_offset_s(types, i) < -OFFSET_S_MOST)
            return false;
    z->first_offset_s = type_offset_s(types, 0);
    z->changes = xcalloc(h->times + 1, sizeof *z->changes);
    for (; z->count < h->times; z->count++) {
        struct change *c = &z->changes[z->count];
        uint64_t time = big_endian(times + z->count * time_bytes, time_bytes);

        if (indexes[z->count] >= h->types)
            return false;
        c->at_s = time_bytes == 4 ? (int32_t)time : (int64_t)time;
        c->offset_s = type_offset_s(types, indexes[z->count]);
        if (z->count > 0 && c->at_s <= c[-1].at_s)
            return false;
    }
    return true;
}

/* A line break, the rule, a line break. An empty rule is none. */
static bool read_footer(struct bytes *b, struct zone *z)
{
    const char *text = (const char *)b->at + 1;
    const char *end;

    if (b->left < 2 || b->at[0] != '\n')
        return false;
    end = memchr(text, '\n', b->left - 1);
    if (!end)
        return false;
    z->has_rule = end > text;
    return !z->has_rule || zone_rule_parse(text, (size_t)(end - text), &z->rule);
}

/* A file of version 2 or later holds everything twice: with 32 bits for old readers, then with 64. */
static bool read_file(struct bytes b, struct zone *z)
{
    struct header h;

    if (!read_header(&b, &h))
        return false;
    if (h.version < 2)
        return read_block(&b, &h, 4, z);
    return skip(&b, block_bytes(&h, 4)) && read_header(&b, &h) && read_block(&b, &h, 8, z) && read_footer(&b, z);
}

/* Letters, digits, "_", "-", "+" and single slashes inside: no dots, so no way out of the folder. */
static bool name_is_safe(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+/";
    size_t length = strlen(name);

    return length > 0 && length <= NAME_BYTES_MOST && strspn(name, allowed) == length && name[0] != '/' &&
           name[length - 1] != '/' && !strstr(name, "//");
}

static bool find_file(const char *folder, const char *name, char path[PATH_BYTES], struct error *err)
{
    struct buf b = BUF_INIT;
    struct stat found;
    bool fits;

    if (!name_is_safe(name))
        return error_set(err, ERROR_CONFIG, "time zone \"%.100s\": names look like Europe/Berlin", name);
    if (stat(folder, &found) != 0)
        return error_set(err, ERROR_CONFIG, "time zone %s: there is no %s; install the package tzdata, or use UTC",
                         name, folder);
    buf_printf(&b, "%s/%s", folder, name);
    fits = b.length < PATH_BYTES;
    if (fits)
        memcpy(path, b.data, b.length + 1);
    buf_release(&b);
    if (fits && stat(path, &found) == 0 && S_ISREG(found.st_mode))
        return true;
    return error_set(err, ERROR_CONFIG,
                     "time zone %s: not in %s; names look like Europe/Berlin (the package tzdata-legacy, where there "
                     "is one, holds old names)",
                     name, folder);
}

struct zone *zone_new(const char *folder, const char *name, struct error *err)
{
    struct zone *z = xcalloc(1, sizeof *z);
    struct buf file = BUF_INIT;
    char path[PATH_BYTES];
    bool ok = find_file(folder, name, path, err) && file_read(path, FILE_BYTES_MOST, &file, err);

    if (ok && !read_file((struct bytes){(const unsigned char *)file.data, file.length}, z))
        ok =
            error_set(err, ERROR_CONFIG, "time zone %s: %s is no time zone file, or one with leap seconds", name, path);
    buf_release(&file);
    if (ok)
        return z;
    zone_free(z);
    return NULL;
}

void zone_free(struct zone *z)
{
    if (!z)
        return;
    free(z->changes);
    free(z);
}

/* ------------------------------------------------------------------------------------------------- using it */

/* How many changes have happened by then. */
static size_t changes_until(const struct zone *z, int64_t utc_s)
{
    size_t low = 0, high = z->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (z->changes[middle].at_s <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct zone_period period_at(const struct zone *z, int64_t utc_s)
{
    size_t past = changes_until(z, utc_s);
    struct zone_period period = {INT64_MIN, INT64_MAX, z->first_offset_s};

    if (past == z->count && z->has_rule)
        period = zone_rule_period(&z->rule, utc_s);
    else if (past > 0)
        period.offset_s = z->changes[past - 1].offset_s;
    if (past > 0 && period.begin_s < z->changes[past - 1].at_s)
        period.begin_s = z->changes[past - 1].at_s;
    if (past < z->count)
        period.end_s = z->changes[past].at_s;
    return period;
}

int32_t zone_offset_s(const struct zone *z, int64_t utc_s)
{
    return period_at(z, utc_s).offset_s;
}

/*
 * The first period whose clocks have not yet passed the local time when it ends. They show it in that period or, if
 * they were set forward beyond it at its beginning, never.
 */
int64_t zone_utc_s(const struct zone *z, int64_t local_s)
{
    struct zone_period period = period_at(z, local_s - OFFSET_S_MOST);

    while (local_s - period.offset_s >= period.end_s)
        period = period_at(z, period.end_s);
    return local_s - period.offset_s > period.begin_s ? local_s - period.offset_s : period.begin_s;
}
