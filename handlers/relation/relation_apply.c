#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/relation/member.h"
#include "handlers/relation/relation_parts.h"
#include "handlers/relation/revision.h"
#include "notifier/event.h"

/*
 * One copy in a document: the members of object whose paths, from the byte `from` on, are the match's paths. Past the
 * container where object is the copy itself; before that where keys with dots hold it ("user.id" in object).
 */
struct copy {
    const struct relation *relation;
    const struct match *match;
    json_t *object;
    size_t from;
};

static const char *path_of(const struct copy *c, const char *path)
{
    return path + c->from;
}

static bool has_dots(const struct copy *c)
{
    return c->from < match_inside(c->match);
}

static json_t *member_of(const struct copy *c, const char *path)
{
    return path ? json_at(c->object, path_of(c, path)) : NULL;
}

/* --------------------------------------------------------------------------------------- a copy as a whole */

/* The name in the copy of a key of the object; NULL: it is none of the copy's. */
static const char *name_in(const struct copy *c, const char *key)
{
    size_t prefix = match_inside(c->match) - c->from;

    return strncmp(key, c->match->id + c->from, prefix) == 0 && key[prefix] ? key + prefix : NULL;
}

/* What a whole copy never loses: the id, its revision. */
static bool is_kept(const struct copy *c, const char *name)
{
    const struct match *m = c->match;
    size_t inside = match_inside(m);

    return member_paths_meet(name, m->id + inside) || (m->revision && member_paths_meet(name, m->revision + inside)) ||
           (m->tombstone && member_paths_meet(name, m->tombstone + inside));
}

/* Members of data that are no part of the subject where they have a meaning to us. */
static bool is_about_event(const struct relation *r, const char *key)
{
    return (text_same(key, "changed") && r->only_when_count > 0) ||
           (text_same(key, "uuid") && r->options->revision_format == REVISION_UUID);
}

/* Removes the members that content (NULL: nothing) has not. */
static void strip(const struct copy *c, const json_t *content)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(c->object, next, key, value)
    {
        const char *name = name_in(c, key);

        if (name && !is_kept(c, name) && (!json_object_get(content, name) || is_about_event(c->relation, name)))
            json_object_del(c->object, key);
    }
}

static void set_in(const struct copy *c, const char *name, const json_t *value)
{
    struct buf path = BUF_INIT;

    buf_add(&path, c->match->id + c->from, match_inside(c->match) - c->from);
    buf_add_text(&path, name);
    member_set(c->object, path.data, value, has_dots(c));
    buf_release(&path);
}

/* The member at path as it was before; value NULL: it was none. Takes the reference. */
static void put_back(const struct copy *c, const char *path, json_t *value)
{
    if (path && value)
        member_set(c->object, path_of(c, path), value, has_dots(c));
    else if (path)
        member_remove(c->object, path_of(c, path));
    json_decref(value);
}

static void replace_whole(const struct copy *c, const json_t *content)
{
    json_t *id = json_deep_copy(member_of(c, c->match->id));
    json_t *revision = json_deep_copy(member_of(c, c->match->revision));
    const char *key;
    json_t *value;

    strip(c, content);
    json_object_foreach((json_t *)(uintptr_t)content, key, value)
    {
        if (!is_about_event(c->relation, key))
            set_in(c, key, value);
    }
    put_back(c, c->match->id, id);
    put_back(c, c->match->revision, revision);
}

/* --------------------------------------------------------------------------------------- what only_when decides */

static bool same(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

/* Of a copy made as a whole only the fields that only_when names count. */
static bool whole_differs(const struct copy *c, const struct subject *s, const char *field)
{
    const struct relation *r = c->relation;
    size_t length = strlen(field);

    for (size_t i = 0; i < r->only_when_count; i++) {
        const char *named = r->only_when[i], *rest = length == 0 ? named : named + length + 1;
        struct buf path = BUF_INIT;
        bool differs;

        if (strlen(named) <= length) /* all of it is named */
            return true;
        if (!member_paths_meet(field, named))
            continue;
        buf_add(&path, c->match->id, match_inside(c->match));
        buf_add_text(&path, rest);
        differs = !same(member_of(c, path.data), json_at(s->data, named));
        buf_release(&path);
        if (differs)
            return true;
    }
    return false;
}

static bool content_differs(const struct copy *c, const struct subject *s, size_t i)
{
    const char *target = c->match->targets[i];
    json_t *made;
    const json_t *content = content_of(c->relation->contents[i], s->data, c->relation->whole, &made);
    bool differs;

    if (match_is_whole(c->match, target))
        differs = json_is_object(content) && whole_differs(c, s, content_field(c->relation->contents[i], 0));
    else
        differs = content ? !same(member_of(c, target), content) : c->relation->whole && member_of(c, target);
    json_decref(made);
    return differs;
}

/* Whether what only_when names makes a difference in this copy. */
static bool is_worth_it(const struct copy *c, const struct subject *s)
{
    if (s->deleted || c->relation->only_when_count == 0 || member_of(c, c->match->tombstone))
        return true;
    for (size_t i = 0; i < c->relation->content_count; i++)
        if (c->relation->decides[i] && c->match->targets[i] && content_differs(c, s, i))
            return true;
    return false;
}

/* -------------------------------------------------------------------------------------------------- one copy */

static bool is_behind(const struct copy *c, const struct subject *s)
{
    enum revision_state state;

    if (!c->match->revision || s->revision < 0)
        return true;
    state = revision_compare((enum revision_format)c->relation->options->revision_format,
                             member_of(c, c->match->revision), s);
    return state == REVISION_BEHIND || (state == REVISION_SAME && s->deleted); /* the end comes after the last change */
}

static bool set_revision(const struct copy *c, const struct subject *s)
{
    json_t *value;
    bool changed;

    if (!c->match->revision || s->revision < 0)
        return false;
    value =
        revision_make((enum revision_format)c->relation->options->revision_format, member_of(c, c->match->revision), s);
    changed = member_set(c->object, path_of(c, c->match->revision), value, has_dots(c));
    json_decref(value);
    return changed;
}

static bool set_content(const struct copy *c, const struct subject *s, size_t i)
{
    const char *target = c->match->targets[i];
    json_t *made;
    const json_t *content = content_of(c->relation->contents[i], s->data, c->relation->whole, &made);
    bool changed = false;

    if (match_is_whole(c->match, target)) {
        if (json_is_object(content))
            replace_whole(c, content);
    } else if (content) {
        changed = member_set(c->object, path_of(c, target), content, has_dots(c));
    } else if (c->relation->whole) {
        changed = member_remove(c->object, path_of(c, target));
    }
    json_decref(made);
    return changed;
}

static bool clear_content(const struct copy *c, size_t i)
{
    const char *target = c->match->targets[i];

    if (!match_is_whole(c->match, target))
        return member_remove(c->object, path_of(c, target));
    strip(c, NULL);
    return false;
}

static bool set_tombstone(const struct copy *c, const struct subject *s)
{
    const char *path = c->match->tombstone;

    if (!path)
        return false;
    return s->deleted ? member_set(c->object, path_of(c, path), json_true(), has_dots(c))
                      : member_remove(c->object, path_of(c, path));
}

static bool update_copy(const struct copy *c, const struct subject *s)
{
    json_t *before = c->match->overlaps ? json_deep_copy(c->object) : NULL;
    bool changed = false;

    for (size_t i = 0; i < c->relation->content_count; i++)
        if (c->match->targets[i])
            changed |= s->deleted ? clear_content(c, i) : set_content(c, s, i);
    changed |= set_tombstone(c, s);
    changed |= set_revision(c, s);
    if (before)
        changed = !json_equal(before, c->object);
    json_decref(before);
    return changed;
}

/* --------------------------------------------------------------------------------------- all copies of a document */

struct walk {
    const struct relation *relation;
    const struct match *match;
    const struct copy_source *from;
    bool changed;
};

static void note_change(struct walk *w, const struct subject *s)
{
    w->changed = true;
    w->from->changed(w->from->context, s);
}

/* The subject that this is a copy of, where something newer is known of it. */
static const struct subject *newer_subject(const struct walk *w, const struct copy *c)
{
    struct buf scratch = BUF_INIT;
    const char *id = json_scalar_text(member_of(c, c->match->id), &scratch);
    const struct subject *s = id ? w->from->look_up(w->from->context, span_of(id)) : NULL;

    buf_release(&scratch);
    return s && !relation_keeps(w->relation, s) && is_behind(c, s) && is_worth_it(c, s) ? s : NULL;
}

/* All keys of a copy that is held by keys with dots. */
static void remove_keys(const struct copy *c)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(c->object, next, key, value)
    {
        if (name_in(c, key))
            json_object_del(c->object, key);
    }
}

/* Updates one copy in place. True: it is to be removed from what holds it. */
static bool visit_copy(struct walk *w, json_t *object, size_t from)
{
    const struct copy c = {w->relation, w->match, object, from};
    const struct subject *s = newer_subject(w, &c);

    if (!s)
        return false;
    if (s->deleted && w->relation->options->on_delete == ON_DELETE_REMOVE) {
        note_change(w, s);
        if (!has_dots(&c))
            return true;
        remove_keys(&c);
    } else if (update_copy(&c, s)) {
        note_change(w, s);
    }
    return false;
}

static bool visit(struct walk *w, json_t *value, size_t at);

/* From the end, so that a removal moves nothing that is still to come. */
static void visit_array(struct walk *w, json_t *array, size_t at)
{
    for (size_t i = json_array_size(array); i-- > 0;)
        if (visit(w, json_array_get(array, i), at))
            json_array_remove(array, i);
}

/* The container's path goes on in a key that is one part of it, or several. */
static void visit_members(struct walk *w, json_t *object, size_t at)
{
    const char *path = w->match->id + at, *end = w->match->id + w->match->container;

    for (const char *dot = path; dot && dot < end;) {
        size_t length;
        json_t *inner;

        dot = memchr(dot, '.', (size_t)(end - dot));
        length = (size_t)((dot ? dot : end) - path);
        inner = json_object_getn(object, path, length);
        if (inner && visit(w, inner, at + length + 1))
            json_object_deln(object, path, length);
        if (dot)
            dot++;
    }
    if (json_object_get(object, path)) /* with dots, from here to the id */
        visit_copy(w, object, at);
}

/* Goes down the container's path, from its byte `at` on, to the copies. True: value is to be removed. */
static bool visit(struct walk *w, json_t *value, size_t at)
{
    if (json_is_array(value))
        visit_array(w, value, at);
    else if (json_is_object(value) && at < w->match->container)
        visit_members(w, value, at);
    else if (json_is_object(value))
        return visit_copy(w, value, match_inside(w->match));
    return false;
}

bool relation_apply(const struct relation *r, json_t *document, const struct copy_source *from)
{
    bool changed = false;

    for (size_t i = 0; i < r->match_count; i++) {
        struct walk w = {.relation = r, .match = &r->matches[i], .from = from};

        visit(&w, document, 0);
        changed |= w.changed;
    }
    return changed;
}
