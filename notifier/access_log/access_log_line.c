#include "notifier/access_log/access_log_line.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

enum { PIECES_MOST = 64, METHOD_BYTES_MOST = 16, ADDRESS_BYTES_MOST = 256 };

enum field { ADDRESS, USER, TIME, REQUEST, METHOD, PATH, STATUS, BYTES, REFERRER, USER_AGENT, SKIPPED, FIELDS };

static const char *const field_names[FIELDS] = {"address", "user",  "time",     "request",    "method", "path",
                                                "status",  "bytes", "referrer", "user_agent", "-"};

static const char combined[] =
    "{address} {-} {user} [{time}] \"{request}\" {status} {bytes} \"{referrer}\" \"{user_agent}\"";

/* A field, and the text that must follow it. */
struct piece {
    enum field field;
    struct span after;
};

struct access_form {
    char *text;
    struct span before; /* the first field */
    struct piece pieces[PIECES_MOST];
    size_t count;
};

/* ------------------------------------------------------------------------------------------------- the pattern */

static bool find_field(const char *name, size_t length, enum field *out, struct error *err)
{
    for (int i = 0; i < FIELDS; i++)
        if (strlen(field_names[i]) == length && memcmp(field_names[i], name, length) == 0) {
            *out = (enum field)i;
            return true;
        }
    return error_set(err, ERROR_CONFIG,
                     "{%.*s} is no field: there are address user time request method path status bytes referrer "
                     "user_agent and -",
                     (int)(length < 40 ? length : 40), name);
}

static bool has(const struct access_form *f, enum field field)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->pieces[i].field == field)
            return true;
    return false;
}

static bool add_field(struct access_form *f, const char *name, size_t length, struct error *err)
{
    enum field field = SKIPPED;

    if (!find_field(name, length, &field, err))
        return false;
    if (field != SKIPPED && has(f, field))
        return error_set(err, ERROR_CONFIG, "{%s} stands there twice", field_names[field]);
    if (f->count > 0 && f->pieces[f->count - 1].after.length == 0)
        return error_set(err, ERROR_CONFIG, "between {%s} and the field before it there must be some text",
                         field_names[field]);
    if (f->count == PIECES_MOST)
        return error_set(err, ERROR_CONFIG, "more than %d fields", PIECES_MOST);
    f->pieces[f->count++].field = field;
    return true;
}

static bool read_pattern(struct access_form *f, struct error *err)
{
    const char *at = f->text;

    for (;;) {
        size_t literal = strcspn(at, "{");
        struct span *after = f->count > 0 ? &f->pieces[f->count - 1].after : &f->before;
        const char *end;

        *after = (struct span){at, literal};
        at += literal;
        if (!*at)
            return true;
        end = strchr(at, '}');
        if (!end)
            return error_set(err, ERROR_CONFIG, "a { without its }");
        if (!add_field(f, at + 1, (size_t)(end - at - 1), err))
            return false;
        at = end + 1;
    }
}

static bool complete(const struct access_form *f, struct error *err)
{
    if (!has(f, TIME) || !has(f, STATUS) || !(has(f, REQUEST) || (has(f, METHOD) && has(f, PATH))))
        return error_set(err, ERROR_CONFIG, "neither combined nor a pattern with {time}, {status} and {request}");
    if (has(f, REQUEST) && (has(f, METHOD) || has(f, PATH)))
        return error_set(err, ERROR_CONFIG, "{request} holds {method} and {path} already");
    return true;
}

struct access_form *access_form_new(const char *pattern, struct error *err)
{
    struct access_form *f = xcalloc(1, sizeof *f);

    f->text = xstrdup(text_same(pattern, "combined") ? combined : pattern);
    if (read_pattern(f, err) && complete(f, err))
        return f;
    access_form_free(f);
    return NULL;
}

void access_form_free(struct access_form *f)
{
    if (!f)
        return;
    free(f->text);
    free(f);
}

bool access_form_check(const char *pattern, struct error *err)
{
    struct access_form *f = access_form_new(pattern, err);

    access_form_free(f);
    return f != NULL;
}

/* ----------------------------------------------------------------------------------------------- single fields */

static bool read_number(struct span text, int digits_least, int digits_most, int64_t *out)
{
    int64_t number = 0;

    if (text.length < (size_t)digits_least || text.length > (size_t)digits_most)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        number = number * 10 + (text.text[i] - '0');
    }
    *out = number;
    return true;
}

static bool two(const char *at, int high, int *out)
{
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return false;
    *out = (at[0] - '0') * 10 + (at[1] - '0');
    return *out <= high;
}

static int month_of(const char *at)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++)
        if (memcmp(at, names + (size_t)3 * (size_t)i, 3) == 0)
            return i + 1;
    return 0;
}

/* "20/Nov/2026:21:40:00 +0100", what most servers write. */
static bool read_common_time(struct span text, int64_t *us)
{
    const char *t = text.text;
    struct calendar c = {0};
    int century, years, hours, minutes;

    if (text.length != 26 || t[2] != '/' || t[6] != '/' || t[11] != ':' || t[14] != ':' || t[17] != ':' ||
        t[20] != ' ' || (t[21] != '+' && t[21] != '-'))
        return false;
    c.month = month_of(t + 3);
    if (c.month == 0 || !two(t, 31, &c.day) || c.day == 0 || !two(t + 7, 99, &century) || !two(t + 9, 99, &years) ||
        !two(t + 12, 23, &c.hour) || !two(t + 15, 59, &c.minute) || !two(t + 18, 60, &c.second) ||
        !two(t + 22, 23, &hours) || !two(t + 24, 59, &minutes))
        return false;
    c.year = century * 100 + years;
    minutes += 60 * hours;
    *us = time_from_calendar(&c) + (t[21] == '+' ? -minutes : minutes) * 60 * US_PER_SECOND;
    return c.year >= 1970 && *us >= 0;
}

/* Seconds since 1970, with a fraction or without. */
static bool read_epoch(struct span text, int64_t *us)
{
    const char *point = memchr(text.text, '.', text.length);
    size_t whole = point ? (size_t)(point - text.text) : text.length, left = point ? text.length - whole - 1 : 0;
    int64_t seconds, part = 0;

    if (!read_number((struct span){text.text, whole}, 1, 11, &seconds) ||
        (point && !read_number((struct span){point + 1, left}, 1, 6, &part)))
        return false;
    for (; left < 6; left++)
        part *= 10;
    *us = seconds * US_PER_SECOND + part;
    return true;
}

static bool read_time(struct span text, int64_t *us)
{
    return read_common_time(text, us) || time_parse(text.text, text.length, true, us) || read_epoch(text, us);
}

static struct span unless_none(struct span text)
{
    return text.length == 1 && text.text[0] == '-' ? SPAN_NONE : text;
}

static struct span method_of(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.text[i] < 'A' || text.text[i] > 'Z')
            return SPAN_NONE;
    return text.length <= METHOD_BYTES_MOST ? text : SPAN_NONE;
}

/* Path and query of a request's target, which may be a whole URL. */
static struct span path_of(struct span target)
{
    const char *end = target.text + target.length;

    if (target.length > 7 && (memcmp(target.text, "http://", 7) == 0 || memcmp(target.text, "https:/", 7) == 0)) {
        const char *slash = memchr(target.text + 8, '/', (size_t)(end - target.text - 8));

        target = slash ? (struct span){slash, (size_t)(end - slash)} : (struct span){"/", 1};
    }
    return target;
}

/* "GET /path HTTP/1.1"; what a client sent instead of a request leaves both empty. */
static void read_request(struct span text, struct access_line *out)
{
    const char *space = memchr(text.text, ' ', text.length), *last;
    struct span target;

    out->method = out->path = SPAN_NONE;
    if (!space)
        return;
    target = (struct span){space + 1, text.length - (size_t)(space + 1 - text.text)};
    last = memrchr(target.text, ' ', target.length);
    if (last && target.length - (size_t)(last - target.text) > 5 && memcmp(last + 1, "HTTP/", 5) == 0)
        target.length = (size_t)(last - target.text);
    out->method = method_of((struct span){text.text, (size_t)(space - text.text)});
    out->path = out->method.length > 0 ? path_of(target) : SPAN_NONE;
}

static bool read_field(enum field field, struct span text, struct access_line *out)
{
    int64_t number;

    switch (field) {
    case ADDRESS:
        out->address = unless_none(text);
        return text.length <= ADDRESS_BYTES_MOST;
    case USER:
        out->user = unless_none(text);
        return true;
    case TIME:
        return read_time(text, &out->time_us);
    case REQUEST:
        read_request(text, out);
        return true;
    case METHOD:
        out->method = method_of(text);
        return true;
    case PATH:
        out->path = path_of(unless_none(text));
        return true;
    case STATUS:
        if (!read_number(text, 3, 3, &number))
            return false;
        out->status = (int)number;
        return true;
    case BYTES:
        return unless_none(text).length == 0 || read_number(text, 1, 18, &out->bytes);
    case REFERRER:
        out->referrer = unless_none(text);
        return true;
    case USER_AGENT:
        out->user_agent = unless_none(text);
        return true;
    case SKIPPED:
    case FIELDS:
        break;
    }
    return true;
}

/* ---------------------------------------------------------------------------------------------------- a line */

/* Whether the character at at is one that a backslash before it keeps from its meaning. */
static bool is_escaped(const char *from, const char *at)
{
    const char *first = at;

    while (first > from && first[-1] == '\\')
        first--;
    return (at - first) % 2 != 0;
}

/* Where the text begins that ends a field; NULL: nowhere. */
static const char *find_end(const char *from, const char *end, struct span after)
{
    bool quoted = after.text[0] == '"';

    for (const char *at = from; at < end; at++) {
        at = memchr(at, after.text[0], (size_t)(end - at));
        if (!at || (size_t)(end - at) < after.length)
            return NULL;
        if (memcmp(at, after.text, after.length) == 0 && !(quoted && is_escaped(from, at)))
            return at;
    }
    return NULL;
}

bool access_line_read(const struct access_form *f, struct span line, struct access_line *out)
{
    const char *at = line.text, *end = line.text + line.length;

    *out = (struct access_line){.address = SPAN_NONE,
                                .user = SPAN_NONE,
                                .method = SPAN_NONE,
                                .path = SPAN_NONE,
                                .referrer = SPAN_NONE,
                                .user_agent = SPAN_NONE,
                                .bytes = ACCESS_BYTES_NONE};
    if (end > at && end[-1] == '\r')
        end--;
    if ((size_t)(end - at) < f->before.length || memcmp(at, f->before.text, f->before.length) != 0)
        return false;
    at += f->before.length;
    for (size_t i = 0; i < f->count; i++) {
        struct span after = f->pieces[i].after;
        const char *stop = after.length > 0 ? find_end(at, end, after) : end;

        if (!stop || !read_field(f->pieces[i].field, (struct span){at, (size_t)(stop - at)}, out))
            return false;
        at = stop + after.length;
    }
    return at == end;
}
