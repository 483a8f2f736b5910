#include "handlers/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

/* One word of `copy`: the value at source in the data becomes the copy's member target. */
struct assignment {
    char *target, *source; /* source without "data." */
};

struct copy_rule {
    char *container; /* path of the object that is a copy; "" is the document itself */
    char *id;        /* its member with the subject's id */
    char *revision;  /* its member with the subject's revision; NULL: none */
    struct assignment *assignments;
    size_t count;
};

#define ARROW "<-"
#define DATA  "data."

static const char *find_arrow(const char *word, size_t length)
{
    return memmem(word, length, ARROW, strlen(ARROW));
}

bool copy_check(const char *copy, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&copy, &word, &length)) {
        const char *arrow = find_arrow(word, length);
        const char *source = arrow ? arrow + strlen(ARROW) : NULL;

        if (!arrow || arrow == word || (size_t)(source - word) + strlen(DATA) >= length || !text_starts(source, DATA))
            return error_set(err, ERROR_CONFIG, "\"%.*s\" is not of the form target.field<-data.field", (int)length,
                             word);
    }
    return true;
}

/* What follows the container in a path that lies inside it; NULL where it does not. */
static const char *inside(const struct copy_rule *r, const char *path)
{
    size_t length = strlen(r->container);

    if (length == 0)
        return path;
    if (strncmp(path, r->container, length) != 0 || path[length] != '.' || path[length + 1] == '\0')
        return NULL;
    return path + length + 1;
}

static bool add_assignment(struct copy_rule *r, const char *word, size_t length, struct error *err)
{
    const char *arrow = find_arrow(word, length), *source = arrow + strlen(ARROW) + strlen(DATA);
    char *target = xstrndup(word, (size_t)(arrow - word));
    const char *member = inside(r, target);

    if (member) {
        r->assignments = xrealloc(r->assignments, (r->count + 1) * sizeof *r->assignments);
        r->assignments[r->count++] =
            (struct assignment){xstrdup(member), xstrndup(source, length - (size_t)(source - word))};
    } else {
        error_set(err, ERROR_CONFIG, "copy to \"%s\" lies outside of \"%s\", where `match` finds the copy", target,
                  r->container);
    }
    free(target);
    return member != NULL;
}

static bool add_assignments(struct copy_rule *r, const char *copy, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&copy, &word, &length))
        if (!add_assignment(r, word, length, err))
            return false;
    return true;
}

struct copy_rule *copy_rule_new(const char *match, const char *copy, const char *revision, struct error *err)
{
    struct copy_rule *r = xcalloc(1, sizeof *r);
    const char *dot = strrchr(match, '.');
    const char *member;

    r->container = xstrndup(match, dot ? (size_t)(dot - match) : 0);
    r->id = xstrdup(dot ? dot + 1 : match);
    if (!copy_check(copy, err) || !add_assignments(r, copy, err))
        goto fail;
    if (*revision) {
        member = inside(r, revision);
        if (!member) {
            error_set(err, ERROR_CONFIG, "revision \"%s\" lies outside of \"%s\", where `match` finds the copy",
                      revision, r->container);
            goto fail;
        }
        r->revision = xstrdup(member);
    }
    return r;
fail:
    copy_rule_free(r);
    return NULL;
}

void copy_rule_free(struct copy_rule *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++) {
        free(r->assignments[i].target);
        free(r->assignments[i].source);
    }
    free(r->assignments);
    free(r->container);
    free(r->id);
    free(r->revision);
    free(r);
}

bool copy_has_source(const struct copy_rule *r, const json_t *data)
{
    for (size_t i = 0; i < r->count; i++)
        if (json_at(data, r->assignments[i].source))
            return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------- one copy */

/* Sets a member at a dotted path inside object, making objects on the way. True: it was something else before. */
static bool set_member(json_t *object, const char *path, json_t *value)
{
    const char *dot = strchr(path, '.');
    json_t *before, *inner;
    char *key;

    if (!dot) {
        before = json_object_get(object, path);
        if (before && json_equal(before, value))
            return false;
        json_object_set_new(object, path, json_deep_copy(value)); /* no two documents share what they may change */
        return true;
    }
    key = xstrndup(path, (size_t)(dot - path));
    inner = json_object_get(object, key);
    if (!json_is_object(inner)) {
        inner = json_object();
        json_object_set_new(object, key, inner);
    }
    free(key);
    return set_member(inner, dot + 1, value);
}

static bool remove_member(json_t *object, const char *path)
{
    const char *dot = strchr(path, '.');
    json_t *inner;
    char *key;

    if (!dot)
        return json_object_del(object, path) == 0;
    key = xstrndup(path, (size_t)(dot - path));
    inner = json_object_get(object, key);
    free(key);
    return json_is_object(inner) && remove_member(inner, dot + 1);
}

/* A copy at the subject's revision or a newer one is left alone. */
static bool is_behind(const struct copy_rule *r, const json_t *object, const struct subject *s)
{
    struct buf scratch = BUF_INIT;
    const char *text;
    int64_t revision;
    bool behind;

    if (!r->revision || s->revision < 0)
        return true;
    text = json_scalar_text(json_at(object, r->revision), &scratch);
    behind = !text || !text_int(text, strlen(text), &revision) || revision < s->revision;
    buf_release(&scratch);
    return behind;
}

/* The revision keeps the form it has in the document: platforms write it as a number or as text. */
static bool set_revision(const struct copy_rule *r, json_t *object, const struct subject *s)
{
    char digits[24];
    json_t *value;
    bool changed;

    if (!r->revision || s->revision < 0)
        return false;
    snprintf(digits, sizeof digits, "%lld", (long long)s->revision);
    value = json_is_string(json_at(object, r->revision)) ? json_string(digits) : json_integer(s->revision);
    changed = set_member(object, r->revision, value);
    json_decref(value);
    return changed;
}

static bool update_copy(const struct copy_rule *r, json_t *object, const struct subject *s)
{
    bool changed = false;

    for (size_t i = 0; i < r->count; i++) {
        const struct assignment *a = &r->assignments[i];

        if (s->deleted) {
            changed |= remove_member(object, a->target);
        } else {
            json_t *value = json_at(s->data, a->source);

            if (value)
                changed |= set_member(object, a->target, value);
        }
    }
    return set_revision(r, object, s) || changed;
}

/* --------------------------------------------------------------------------------------- all copies of a document */

struct walk {
    const struct copy_rule *rule;
    const struct copy_source *from;
    enum on_delete on_delete;
    bool changed;
};

static void note_change(struct walk *w, const struct subject *s)
{
    w->changed = true;
    w->from->changed(w->from->context, s);
}

/* The subject that this object is a copy of, where something newer is known of it. */
static const struct subject *newer_subject(const struct walk *w, const json_t *object)
{
    struct buf scratch = BUF_INIT;
    const char *id = json_scalar_text(json_at(object, w->rule->id), &scratch);
    const struct subject *s = id ? w->from->look_up(w->from->context, span_of(id)) : NULL;

    buf_release(&scratch);
    return s && is_behind(w->rule, object, s) ? s : NULL;
}

/* Updates one copy in place. True: it is to be removed from what holds it. */
static bool visit_copy(struct walk *w, json_t *object)
{
    const struct subject *s = newer_subject(w, object);

    if (!s || (s->deleted && w->on_delete == ON_DELETE_KEEP))
        return false;
    if (s->deleted && w->on_delete == ON_DELETE_REMOVE) {
        note_change(w, s);
        return true;
    }
    if (update_copy(w->rule, object, s))
        note_change(w, s);
    return false;
}

static bool visit(struct walk *w, json_t *value, const char *path);

/* From the end, so that a removal moves nothing that is still to come. */
static void visit_array(struct walk *w, json_t *array, const char *path)
{
    for (size_t i = json_array_size(array); i-- > 0;)
        if (visit(w, json_array_get(array, i), path))
            json_array_remove(array, i);
}

static void visit_member(struct walk *w, json_t *object, const char *path)
{
    size_t length = strcspn(path, ".");
    const char *rest = path[length] ? path + length + 1 : path + length;
    char *key = xstrndup(path, length);
    json_t *inner = json_object_get(object, key);

    if (inner && visit(w, inner, rest))
        json_object_del(object, key);
    free(key);
}

/* Goes down the container's path, through arrays wherever they come, to the copies. True: value is to be removed. */
static bool visit(struct walk *w, json_t *value, const char *path)
{
    if (json_is_array(value))
        visit_array(w, value, path);
    else if (json_is_object(value) && *path)
        visit_member(w, value, path);
    else if (json_is_object(value))
        return visit_copy(w, value);
    return false;
}

bool copy_apply(const struct copy_rule *r, json_t *document, const struct copy_source *from, enum on_delete on_delete)
{
    struct walk w = {.rule = r, .from = from, .on_delete = on_delete};

    if (!*r->container && on_delete == ON_DELETE_REMOVE)
        w.on_delete = ON_DELETE_KEEP; /* a document is never removed for being a copy itself */
    visit(&w, document, r->container);
    return w.changed;
}
