#include "handlers/relation/relation.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/relation/member.h"
#include "handlers/relation/relation_parts.h"

#define DATA "data."

/* ---------------------------------------------------------------------------------------- single options, for rows */

static bool fields_check(const char *fields, bool relative, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&fields, &word, &length)) {
        bool dot = relative && length > 1 && *word == '.';

        if (!member_path_check(word + dot, length - dot, err))
            return false;
    }
    return true;
}

bool relation_match_check(const char *match, struct error *err)
{
    return fields_check(match, false, err);
}

bool relation_fields_check(const char *fields, struct error *err)
{
    return fields_check(fields, true, err);
}

static bool target_check(const char *target, size_t length, struct error *err)
{
    if (length == 1 && *target == '.')
        return true;
    return member_path_check(target + (*target == '.'), length - (*target == '.'), err);
}

bool relation_copy_check(const char *copy, struct error *err)
{
    struct content *content;
    const char *target;
    size_t length;

    while (content_next(&copy, &target, &length, &content, err)) {
        bool last = !content;

        content_free(content);
        if (last)
            return true;
        if (!target_check(target, length, err))
            return false;
    }
    return false;
}

/* -------------------------------------------------------------------------------------------------- matches */

bool match_is_whole(const struct match *m, const char *target)
{
    return strlen(target) == m->container;
}

size_t match_inside(const struct match *m)
{
    return m->container ? m->container + 1 : 0;
}

/* Whether an absolute path is the match's container or lies in it. */
static bool match_holds(const struct match *m, const char *path, size_t length)
{
    if (length < m->container || memcmp(path, m->id, m->container) != 0)
        return false;
    return m->container == 0 || length == m->container || path[m->container] == '.';
}

/* Of the absolute path the innermost container's bytes; false: it lies in none. */
static bool innermost(const struct relation *r, const char *path, size_t length, size_t *container)
{
    bool found = false;

    for (size_t i = 0; i < r->match_count; i++) {
        const struct match *m = &r->matches[i];

        if (match_holds(m, path, length) && (!found || m->container > *container)) {
            *container = m->container;
            found = true;
        }
    }
    return found;
}

/* What a path of the options means for a match; NULL: it lies elsewhere. */
static char *path_in(const struct relation *r, const struct match *m, const char *path, size_t length)
{
    struct buf full = BUF_INIT;
    size_t container = 0;

    if (*path != '.')
        return innermost(r, path, length, &container) && container == m->container && match_holds(m, path, length)
                   ? xstrndup(path, length)
                   : NULL;
    buf_add(&full, m->id, m->container);
    if (length > 1)
        buf_add(&full, path + (m->container == 0), length - (m->container == 0));
    return buf_take(&full);
}

static bool outside(const struct relation *r, const char *what, const char *path, size_t length, struct error *err)
{
    const struct match *m = &r->matches[0];

    return error_set(err, ERROR_CONFIG, "%s \"%.*s\" lies outside of \"%.*s\", where `match` finds the copy%s", what,
                     (int)length, path, (int)m->container, m->id,
                     r->match_count > 1 ? ", and of the other matches" : "; \".NAME\" is a field in it");
}

static void add_matches(struct relation *r, const char *match)
{
    const char *word;
    size_t length;

    while (text_word(&match, &word, &length)) {
        const char *dot = memrchr(word, '.', length);

        r->matches = xrealloc(r->matches, (r->match_count + 1) * sizeof *r->matches);
        r->matches[r->match_count++] = (struct match){
            .id = xstrndup(word, length),
            .container = dot ? (size_t)(dot - word) : 0,
        };
    }
}

/* ---------------------------------------------------------------------------------------------------- contents */

static void add_content(struct relation *r, struct content *content)
{
    size_t count = r->content_count + 1;

    r->contents = xrealloc(r->contents, count * sizeof(struct content *));
    r->contents[r->content_count] = content;
    for (size_t i = 0; i < r->match_count; i++) {
        struct match *m = &r->matches[i];

        m->targets = xrealloc(m->targets, count * sizeof(char *));
        m->targets[r->content_count] = NULL;
    }
    r->content_count = count;
}

/* The target in each match it is for. */
static bool add_targets(struct relation *r, const char *target, size_t length, struct error *err)
{
    bool found = false;

    for (size_t i = 0; i < r->match_count; i++) {
        struct match *m = &r->matches[i];
        char *path = m->targets[r->content_count - 1] = path_in(r, m, target, length);

        found |= path != NULL;
    }
    return found || outside(r, "copy to", target, length, err);
}

/* All of the copy meets its revision, too. */
static bool targets_overlap(const struct match *m, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; m->targets[i] && j <= i; j++)
            if (m->targets[j] &&
                (i == j ? match_is_whole(m, m->targets[i]) : member_paths_meet(m->targets[i], m->targets[j])))
                return true;
    return false;
}

static bool add_contents(struct relation *r, const char *copy, struct error *err)
{
    struct content *content;
    const char *target;
    size_t length;

    while (content_next(&copy, &target, &length, &content, err)) {
        if (!content)
            return true;
        add_content(r, content);
        if (!target_check(target, length, err) || !add_targets(r, target, length, err))
            return false;
    }
    return false;
}

/* ----------------------------------------------------------------------------------------------- the other options */

/* Words for a field of each match, such as its revision; where[i] is that of the i-th. */
static bool place(struct relation *r, const char *what, const char *words, char **(*where)(struct match *m),
                  struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&words, &word, &length)) {
        bool found = false;

        for (size_t i = 0; i < r->match_count; i++) {
            struct match *m = &r->matches[i];
            char *path = path_in(r, m, word, length);

            if (path && (match_is_whole(m, path) || member_paths_meet(path, m->id))) {
                free(path);
                return error_set(err, ERROR_CONFIG, "%s \"%.*s\" is no field of its own beside the id", what,
                                 (int)length, word);
            }
            if (path) {
                free(*where(m));
                *where(m) = path;
                found = true;
            }
        }
        if (!found)
            return outside(r, what, word, length, err);
    }
    return true;
}

static char **revision_of(struct match *m)
{
    return &m->revision;
}

static char **tombstone_of(struct match *m)
{
    return &m->tombstone;
}

static bool place_fields(struct relation *r, struct error *err)
{
    const struct relation_options *o = r->options;

    if (!place(r, "revision", o->revision, revision_of, err))
        return false;
    if (o->on_delete == ON_DELETE_TOMBSTONE && !place(r, "tombstone", o->tombstone, tombstone_of, err))
        return false;
    for (size_t i = 0; i < r->match_count; i++)
        if (o->on_delete == ON_DELETE_REMOVE && r->matches[i].container == 0)
            return error_set(err, ERROR_CONFIG,
                             "on_delete = remove would remove the document: match \"%s\" lies in no object of it",
                             r->matches[i].id);
        else if (o->on_delete == ON_DELETE_TOMBSTONE && !r->matches[i].tombstone)
            return error_set(err, ERROR_CONFIG, "tombstone names no field for match \"%s\"", r->matches[i].id);
    return true;
}

static void add_only_when(struct relation *r, const char *fields)
{
    const char *word;
    size_t length;

    while (text_word(&fields, &word, &length)) {
        size_t before = length > strlen(DATA) && text_starts(word, DATA) ? strlen(DATA) : 0;

        r->only_when = xrealloc(r->only_when, (r->only_when_count + 1) * sizeof(char *));
        r->only_when[r->only_when_count++] = xstrndup(word + before, length - before);
    }
}

static bool is_decisive(const struct relation *r, const struct content *c)
{
    const char *field;

    for (size_t i = 0; (field = content_field(c, i)); i++)
        for (size_t j = 0; j < r->only_when_count; j++)
            if (member_paths_meet(field, r->only_when[j]))
                return true;
    return false;
}

/* What only_when names and nothing copies would be waited for in vain. */
static bool decide(struct relation *r, struct error *err)
{
    bool any = r->only_when_count == 0;

    r->decides = xcalloc(r->content_count + 1, sizeof *r->decides);
    for (size_t i = 0; i < r->content_count; i++)
        any |= r->decides[i] = is_decisive(r, r->contents[i]);
    return any || error_set(err, ERROR_CONFIG, "only_when: `copy` copies none of these fields of data");
}

struct relation *relation_new(const struct relation_options *o, struct error *err)
{
    struct relation *r = xcalloc(1, sizeof *r);

    r->options = o;
    r->whole = o->absent == ABSENT_REMOVE || (o->absent == ABSENT_AUTO && !text_same(o->source, "payload"));
    if (!relation_match_check(o->match, err) || !relation_fields_check(o->revision, err) ||
        !relation_fields_check(o->tombstone, err) || !relation_fields_check(o->only_when, err))
        goto fail;
    add_matches(r, o->match);
    if (r->match_count == 0) {
        error_set(err, ERROR_CONFIG, "match names no field");
        goto fail;
    }
    if (!place_fields(r, err) || !add_contents(r, o->copy, err))
        goto fail;
    if (r->content_count == 0) {
        error_set(err, ERROR_CONFIG, "copy names nothing: TARGET<-data.FIELD is wanted");
        goto fail;
    }
    if (!relation_has_no_conflict(r, err))
        goto fail;
    for (size_t i = 0; i < r->match_count; i++)
        r->matches[i].overlaps = targets_overlap(&r->matches[i], r->content_count);
    add_only_when(r, o->only_when);
    if (decide(r, err))
        return r;
fail:
    relation_free(r);
    return NULL;
}

static void match_release(struct match *m, size_t content_count)
{
    for (size_t i = 0; i < content_count; i++)
        free(m->targets[i]);
    free(m->targets);
    free(m->id);
    free(m->revision);
    free(m->tombstone);
    free(m->id_mapped.field);
    free(m->id_mapped.nested);
    free(m->revision_mapped.field);
    free(m->revision_mapped.nested);
}

void relation_free(struct relation *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->match_count; i++)
        match_release(&r->matches[i], r->content_count);
    for (size_t i = 0; i < r->content_count; i++)
        content_free(r->contents[i]);
    for (size_t i = 0; i < r->only_when_count; i++)
        free(r->only_when[i]);
    free(r->matches);
    free(r->contents);
    free(r->decides);
    free(r->only_when);
    free(r);
}
