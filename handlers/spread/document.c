#include "handlers/spread/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_scan.h"

enum { ROOTS_MOST = 8 };

struct roots {
    char *names[ROOTS_MOST];
    size_t count; /* 0: the whole document */
};

static bool has_root(const struct roots *r, const char *name, size_t length)
{
    for (size_t i = 0; i < r->count; i++)
        if (strlen(r->names[i]) == length && memcmp(r->names[i], name, length) == 0)
            return true;
    return false;
}

static void whole(struct roots *r)
{
    while (r->count > 0)
        free(r->names[--r->count]);
}

struct roots *roots_new(const char *match)
{
    struct roots *r = xcalloc(1, sizeof *r);
    const char *word;
    size_t length;

    while (text_word(&match, &word, &length)) {
        const char *dot = memchr(word, '.', length);

        if (!dot || r->count == ROOTS_MOST) { /* the document is a copy itself */
            whole(r);
            break;
        }
        if (!has_root(r, word, (size_t)(dot - word)))
            r->names[r->count++] = xstrndup(word, (size_t)(dot - word));
    }
    return r;
}

void roots_free(struct roots *r)
{
    if (!r)
        return;
    whole(r);
    free(r);
}

/* --------------------------------------------------------------------------------------------- only some members */

/* Where the roots' values stand, in the order of the text. */
struct places {
    struct span keys[ROOTS_MOST], values[ROOTS_MOST];
    size_t count;
};

/* A name with escapes or dots may mean a root in another way: then the whole document is to be looked at. */
static bool may_mean_root(const struct roots *r, struct span key)
{
    if (memchr(key.text, '\\', key.length))
        return true;
    for (size_t i = 0; i < r->count; i++) {
        size_t length = strlen(r->names[i]);

        if (key.length > length && key.text[length] == '.' && memcmp(key.text, r->names[i], length) == 0)
            return true;
    }
    return false;
}

/* False: the document is to be looked at as a whole. */
static bool find_roots(const struct roots *r, struct span text, struct places *p)
{
    struct json_scan s;

    p->count = 0;
    if (r->count == 0 || !json_scan_object(&s, text))
        return false;
    while (json_scan_next(&s)) {
        if (may_mean_root(r, s.key))
            return false;
        if (!has_root(r, s.key.text, s.key.length))
            continue;
        for (size_t i = 0; i < p->count; i++)
            if (span_is(s.key, "") ||
                (p->keys[i].length == s.key.length && memcmp(p->keys[i].text, s.key.text, s.key.length) == 0))
                return false;
        p->keys[p->count] = s.key;
        p->values[p->count++] = s.value;
    }
    return !s.broken && p->count > 0;
}

/* {"root": value, ...}; NULL: one cannot be read. */
static json_t *parse_roots(const struct places *p, json_error_t *wrong)
{
    json_t *part = json_object(), *value;

    for (size_t i = 0; i < p->count; i++) {
        value = json_loadb(p->values[i].text, p->values[i].length, JSON_ALLOW_NUL | JSON_DECODE_ANY, wrong);
        if (!value) {
            json_decref(part);
            return NULL;
        }
        json_object_setn_new(part, p->keys[i].text, p->keys[i].length, value);
    }
    return part;
}

/* False: a root went or came: the text around it changes, too. */
static bool put_roots(const struct places *p, struct span text, const json_t *part, struct buf *out)
{
    const char *at = text.text;

    if (json_object_size(part) != p->count)
        return false;
    for (size_t i = 0; i < p->count; i++) {
        const json_t *value = json_object_getn(part, p->keys[i].text, p->keys[i].length);

        if (!value)
            return false;
        buf_add(out, at, (size_t)(p->values[i].text - at));
        json_add(out, value);
        at = p->values[i].text + p->values[i].length;
    }
    buf_add(out, at, (size_t)(text.text + text.length - at));
    return true;
}

/* ------------------------------------------------------------------------------------------------------- the whole */

static bool unreadable(const json_error_t *wrong, struct error *err)
{
    return error_set(err, ERROR_INPUT, "the document cannot be read: %s at byte %d", wrong->text, wrong->position);
}

static bool apply_whole(const struct relation *relation, struct span text, const struct copy_source *from,
                        struct buf *out, bool *changed, struct error *err)
{
    json_error_t wrong;
    json_t *document = json_loadb(text.text, text.length, JSON_ALLOW_NUL, &wrong);

    if (!document)
        return unreadable(&wrong, err);
    *changed = relation_apply(relation, document, from);
    if (*changed)
        json_add(out, document);
    json_decref(document);
    return true;
}

bool document_apply(const struct relation *relation, const struct roots *roots, struct span text,
                    const struct copy_source *from, struct buf *out, bool *changed, struct error *err)
{
    struct places places;
    json_error_t wrong;
    size_t start = out->length;
    json_t *part;
    bool put = true;

    if (!find_roots(roots, text, &places))
        return apply_whole(relation, text, from, out, changed, err);
    part = parse_roots(&places, &wrong);
    if (!part)
        return unreadable(&wrong, err);
    *changed = relation_apply(relation, part, from);
    if (*changed)
        put = put_roots(&places, text, part, out);
    json_decref(part);
    if (put)
        return true;
    out->length = start;
    return apply_whole(relation, text, from, out, changed, err);
}
