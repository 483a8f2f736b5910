#define PCRE2_CODE_UNIT_WIDTH 8
#include "notifier/robots.h"

#include <limits.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "notifier/shared_file.h"

enum {
    FILE_BYTES_MOST = 1024 * 1024,
    AGENT_BYTES_MOST = 4096,
    MATCH_STEPS_MOST = 200000, /* a list's author may err; the door must not stand still for it */
    VERSION_DIGITS = 12,
    HEADS_MOST = 3, /* characters that patterns are told apart by before the rest of them is looked at */
};

/* A compiled list. */
struct list {
    pcre2_code *code;
    char version[VERSION_DIGITS + 1];
};

struct robots {
    struct shared_file *file;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

/* ------------------------------------------------------------------------------------------------- the list */

/* With regard to case, the classes of characters are those of the language the lists were written for. */
static pcre2_code *compile(const char *pattern, size_t length, enum robots_case how, struct error *err)
{
    uint32_t options = PCRE2_UTF | (how == ROBOTS_ANY_CASE ? PCRE2_CASELESS : PCRE2_UCP);
    PCRE2_UCHAR why[128];
    PCRE2_SIZE where;
    int wrong;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, length, options, &wrong, &where, NULL);

    if (!code) {
        pcre2_get_error_message(wrong, why, sizeof why);
        error_set(err, ERROR_CONFIG, "at character %zu: %s", (size_t)where + 1, (const char *)why);
    }
    return code;
}

/* Patterns that wait to be joined, or what is left of them behind a head they have in common. */
struct patterns {
    struct span *items;
    size_t count;
};

static void patterns_add(struct patterns *p, const char *text, size_t length)
{
    p->items = xrealloc(p->items, (p->count + 1) * sizeof *p->items);
    p->items[p->count++] = (struct span){text, length};
}

static bool is_comment(const char *line, size_t length)
{
    return line[0] == '#' && (length == 1 || line[1] == ' ');
}

/* Each line alone must be a pattern, or a brace in one would swallow the next. */
static bool read_patterns(const struct buf *file, struct patterns *out, struct error *err)
{
    const char *line = file->data, *end = file->data + file->length;

    for (unsigned number = 1; line < end; number++) {
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((feed ? feed : end) - line);

        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length > 0 && !(out->count == 0 && is_comment(line, length))) {
            pcre2_code *alone = compile(line, length, ROBOTS_ANY_CASE, err);

            if (!alone)
                return error_in(err, "line %u", number);
            pcre2_code_free(alone);
            patterns_add(out, line, length);
        }
        line = feed ? feed + 1 : end;
    }
    return out->count > 0 || error_set(err, ERROR_CONFIG, "holds no pattern");
}

/* The first character where it stands for itself alone, whatever follows; else 0. Letters without case, if so wanted.
 */
static char head_of(struct span pattern, enum robots_case how)
{
    char c = pattern.length > 0 ? pattern.text[0] : '\0';
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

    if ((!letter && !(c >= '0' && c <= '9') && c != '^') || memchr(pattern.text, '|', pattern.length) ||
        (pattern.length > 1 && strchr("?*+{", pattern.text[1])))
        return '\0';
    return letter && how == ROBOTS_ANY_CASE ? (char)(c | 0x20) : c;
}

/*
 * One pattern for all. Those with one head are put together behind it, b(?:ot|(?:log(?:lines|pulse))), so that most of
 * them are ruled out at once at most places of a user agent; one after the other takes five times as long.
 */
static void join_patterns(const struct patterns *p, enum robots_case how, int depth, struct buf *out)
{
    bool joined[UCHAR_MAX + 1] = {false};

    for (size_t i = 0; i < p->count; i++) {
        char head = depth > 0 ? head_of(p->items[i], how) : '\0';
        struct patterns behind = {NULL, 0};

        if (head && joined[(unsigned char)head])
            continue;
        joined[(unsigned char)head] = true;
        if (i > 0)
            buf_add_char(out, '|');
        if (!head) {
            buf_add_text(out, "(?:");
            buf_add(out, p->items[i].text, p->items[i].length);
            buf_add_char(out, ')');
            continue;
        }
        for (size_t k = i; k < p->count; k++)
            if (head_of(p->items[k], how) == head)
                patterns_add(&behind, p->items[k].text + 1, p->items[k].length - 1);
        buf_add_char(out, head);
        buf_add_text(out, "(?:");
        join_patterns(&behind, how, depth - 1, out);
        buf_add_char(out, ')');
        free(behind.items);
    }
}

static void list_free(void *list)
{
    struct list *l = list;

    if (!l)
        return;
    pcre2_code_free(l->code);
    free(l);
}

static void set_version(struct list *l, const struct buf *file)
{
    struct digest *d = digest_new();
    char id[ID_TEXT_BYTES];

    digest_start(d);
    digest_part(d, file->data, file->length);
    digest_end_id(d, id);
    memcpy(l->version, id, VERSION_DIGITS);
    digest_free(d);
}

static bool list_compile(struct list *l, const struct buf *file, enum robots_case how, struct error *err)
{
    struct patterns patterns = {NULL, 0};
    struct buf all = BUF_INIT;
    bool ok = read_patterns(file, &patterns, err);

    if (ok) {
        join_patterns(&patterns, how, HEADS_MOST, &all);
        ok = (l->code = compile(all.data, all.length, how, err)) != NULL;
    }
    if (ok)
        pcre2_jit_compile(l->code, PCRE2_JIT_COMPLETE); /* where the system forbids it, it is interpreted */
    free(patterns.items);
    buf_release(&all);
    return ok;
}

static void *list_read(const char *path, enum robots_case how, struct error *err)
{
    struct buf file = BUF_INIT;
    struct list *l = NULL;

    if (file_read(path, FILE_BYTES_MOST, &file, err)) {
        l = xcalloc(1, sizeof *l);
        if (list_compile(l, &file, how, err)) {
            set_version(l, &file);
        } else {
            error_in(err, "%s", path);
            list_free(l);
            l = NULL;
        }
    }
    buf_release(&file);
    return l;
}

static void *read_any_case(const char *path, struct error *err)
{
    return list_read(path, ROBOTS_ANY_CASE, err);
}

static void *read_this_case(const char *path, struct error *err)
{
    return list_read(path, ROBOTS_THIS_CASE, err);
}

static const struct file_form forms[] = {
    [ROBOTS_ANY_CASE] = {read_any_case,  list_free},
    [ROBOTS_THIS_CASE] = {read_this_case, list_free},
};

/* -------------------------------------------------------------------------------------------------- its use */

struct robots *robots_new(const char *path, enum robots_case how, struct error *err)
{
    struct shared_file *file = shared_file_hold(path, &forms[how], err);
    struct robots *r;

    if (!file)
        return NULL;
    r = xcalloc(1, sizeof *r);
    r->file = file;
    r->match = pcre2_match_data_create(1, NULL);
    r->limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(r->limits, MATCH_STEPS_MOST);
    return r;
}

void robots_free(struct robots *r)
{
    if (!r)
        return;
    pcre2_match_context_free(r->limits);
    pcre2_match_data_free(r->match);
    shared_file_release(r->file);
    free(r);
}

bool robots_renew(struct robots *r)
{
    return shared_file_renew(r->file);
}

const char *robots_version(const struct robots *r)
{
    const struct list *l = shared_file_made(r->file);

    return l->version;
}

/* The first bytes of it, cut between two characters. */
static size_t cut(const char *text, size_t length)
{
    if (length <= AGENT_BYTES_MOST)
        return length;
    length = AGENT_BYTES_MOST;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return length;
}

/* No browser's name exhausts the limits: what does is no browser. */
bool robots_find(struct robots *r, const char *user_agent, size_t length, struct span *found)
{
    const struct list *l = shared_file_made(r->file);
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(r->match);
    int matched;

    length = cut(user_agent, length);
    matched = pcre2_match(l->code, (PCRE2_SPTR)user_agent, length, 0, PCRE2_NO_UTF_CHECK, r->match, r->limits);
    *found = (struct span){user_agent, length};
    if (matched >= 0 && ends[1] >= ends[0])
        *found = (struct span){user_agent + ends[0], ends[1] - ends[0]};
    return matched != PCRE2_ERROR_NOMATCH;
}

bool robots_name(struct robots *r, const char *user_agent, size_t length)
{
    struct span found;

    return robots_find(r, user_agent, length, &found);
}
