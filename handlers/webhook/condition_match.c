/* Whether a condition holds for an event: its data is walked as text, never built. */
#include <string.h>

#include "base/json_compact.h"
#include "handlers/webhook/condition_tree.h"

/* What one event is looked at with. */
struct match {
    const struct event *event;
    struct arena *arena;
    const struct condition_node *node; /* the test under way */
};

/* ------------------------------------------------------------------------------------------------------- values */

static int order_of(const struct condition_value *a, const struct condition_value *b)
{
    size_t least = a->text.length < b->text.length ? a->text.length : b->text.length;
    int order;

    if (a->is_number && b->is_number)
        return (a->number > b->number) - (a->number < b->number);
    order = memcmp(a->text.text, b->text.text, least);
    return order ? order : (a->text.length > b->text.length) - (a->text.length < b->text.length);
}

static bool fits(const struct condition_node *n, const struct condition_value *found)
{
    for (size_t i = 0; i < n->value_count; i++) {
        int order = order_of(found, &n->values[i]);

        switch (n->order) {
        case ORDER_EQUAL:
        case ORDER_UNEQUAL: /* asked as its opposite */
            if (order == 0)
                return true;
            break;
        case ORDER_LESS:
            return order < 0;
        case ORDER_LESS_EQUAL:
            return order <= 0;
        case ORDER_GREATER:
            return order > 0;
        case ORDER_GREATER_EQUAL:
            return order >= 0;
        }
    }
    return false;
}

/* true, false and null are their words; objects and arrays are no values. */
static bool value_of(struct match *m, struct span json, struct condition_value *out)
{
    *out = (struct condition_value){.text = json};
    if (json.length == 0 || strchr("{[", json.text[0]))
        return false;
    if (json.text[0] == '"')
        return json_compact_text(json, m->arena, &out->text);
    out->text.text = arena_copy(m->arena, json.text, json.length);
    out->is_number = condition_number(out->text, &out->number);
    return true;
}

/* -------------------------------------------------------------------------------------------------------- paths */

static bool walk(struct match *m, struct span json, const char *path);

static bool any_element(struct match *m, struct span array, const char *path)
{
    struct span element;
    size_t at = 0;

    while (json_compact_next(array, &at, &element))
        if (walk(m, element, path))
            return true;
    return false;
}

static bool ends_here(struct match *m, struct span json)
{
    struct condition_value value;

    if (json.length > 0 && json.text[0] == '[')
        return any_element(m, json, "");
    if (m->node->kind == CONDITION_EXISTS)
        return !span_is(json, "null");
    return value_of(m, json, &value) && fits(m->node, &value);
}

/* The path leads from object to object; where it meets an array, on from each of its elements. */
static bool walk(struct match *m, struct span json, const char *path)
{
    struct span found;

    if (!*path)
        return ends_here(m, json);
    if (json.length > 0 && json.text[0] == '[')
        return any_element(m, json, path);
    if (json_compact_at(json, path, &found))
        return ends_here(m, found);
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        const char *start = arena_copy(m->arena, path, (size_t)(dot - path));

        if (json_compact_at(json, start, &found) && found.text[0] == '[' && any_element(m, found, dot + 1))
            return true;
    }
    return false;
}

static struct span attribute(const struct event *e, const char *name, struct buf *scratch)
{
    struct span value;

    if (text_same(name, "subject.kind"))
        return event_subject_kind(e);
    if (text_same(name, "subject.id"))
        return event_subject_id(e);
    if (text_same(name, "actor.kind"))
        return reference_kind(e->actor);
    if (text_same(name, "actor.id"))
        return reference_id(e->actor);
    return event_attribute(e, name, &value, scratch) ? value : SPAN_NONE;
}

static bool attribute_fits(struct match *m)
{
    struct buf scratch = BUF_INIT;
    struct span text = attribute(m->event, m->node->field, &scratch);
    struct condition_value value = {
        .text = {arena_copy(m->arena, text.text, text.length), text.length}
    };

    buf_release(&scratch);
    if (text.length == 0)
        return false;
    value.is_number = text_same(m->node->field, "revision") && condition_number(value.text, &value.number);
    return m->node->kind == CONDITION_EXISTS || fits(m->node, &value);
}

/* ---------------------------------------------------------------------------------------------------- the tree */

static bool test(struct match *m, const struct condition_node *n)
{
    bool found;

    m->node = n;
    if (!n->in_data)
        found = attribute_fits(m);
    else
        found = m->event->data.length > 0 && walk(m, m->event->data, n->field);
    return found != (n->kind == CONDITION_COMPARE && n->order == ORDER_UNEQUAL);
}

static bool holds(struct match *m, const struct condition_node *n)
{
    switch (n->kind) {
    case CONDITION_AND:
        return holds(m, n->left) && holds(m, n->right);
    case CONDITION_OR:
        return holds(m, n->left) || holds(m, n->right);
    case CONDITION_NOT:
        return !holds(m, n->left);
    case CONDITION_EXISTS:
    case CONDITION_COMPARE:
        break;
    }
    return test(m, n);
}

bool condition_holds(const struct condition *c, const struct event *e)
{
    struct match m = {.event = e};
    bool held;

    if (!c->root)
        return true;
    m.arena = arena_new();
    held = holds(&m, c->root);
    arena_free(m.arena);
    return held;
}
