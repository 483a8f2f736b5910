#include <string.h>

#include "base/json.h"
#include "handlers/mail/mail_text.h"
#include "handlers/mail/mail_text_tree.h"

enum { STEPS_MOST = 1000 * 1000 };

struct filling {
    const struct mail_text *text;
    const struct event *event;
    const json_t *data;
    struct buf *out, scratch;
    size_t start; /* of this text in out */
    size_t steps; /* nodes that were looked at: lists within lists may need many and add nothing */
    struct error *err;
};

static const json_t *json_of(const struct filling *f, const struct name *n, const json_t *item)
{
    const json_t *root = n->root == ROOT_DATA ? f->data : item;

    return *n->text ? (json_is_object(root) ? json_at(root, n->text) : NULL) : root;
}

static struct span attribute_of(struct filling *f, const struct name *n)
{
    struct span value = SPAN_NONE;

    buf_reset(&f->scratch);
    if (!event_attribute(f->event, n->text, &value, &f->scratch))
        return SPAN_NONE;
    if (n->root == ROOT_ID)
        return reference_id(value);
    return n->root == ROOT_KIND ? reference_kind(value) : value;
}

static bool is_json(const struct name *n)
{
    return n->root == ROOT_DATA || n->root == ROOT_ITEM;
}

static bool holds(struct filling *f, const struct name *n, const json_t *item)
{
    const json_t *value;

    if (!is_json(n))
        return attribute_of(f, n).length > 0;
    value = json_of(f, n, item);
    if (json_is_string(value))
        return json_string_length(value) > 0;
    if (json_is_array(value) || json_is_object(value))
        return json_array_size(value) + json_object_size(value) > 0;
    return value && !json_is_null(value) && !json_is_false(value);
}

static void add_escaped(struct buf *out, struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        switch (value.text[i]) {
        case '&':
            buf_add_text(out, "&amp;");
            break;
        case '<':
            buf_add_text(out, "&lt;");
            break;
        case '>':
            buf_add_text(out, "&gt;");
            break;
        case '"':
            buf_add_text(out, "&quot;");
            break;
        case '\'':
            buf_add_text(out, "&#39;");
            break;
        default:
            buf_add_char(out, value.text[i]);
        }
    }
}

static bool add_value(struct filling *f, const struct name *n, const json_t *item)
{
    struct span value;

    if (is_json(n)) {
        const char *text;

        buf_reset(&f->scratch);
        text = json_scalar_text(json_of(f, n, item), &f->scratch);
        if (!text)
            return error_set(f->err, ERROR_INPUT, "%s%s%s is missing, or neither text nor number",
                             n->root == ROOT_DATA ? "data." : "item", n->root == ROOT_ITEM && *n->text ? "." : "",
                             n->text);
        value = span_of(text);
    } else {
        value = attribute_of(f, n);
    }
    if (f->text->html)
        add_escaped(f->out, value);
    else
        buf_add(f->out, value.text, value.length);
    return true;
}

static bool fill(struct filling *f, size_t from, size_t to, const json_t *item);

static bool fill_each(struct filling *f, size_t at, const json_t *item)
{
    const struct node *node = &f->text->nodes[at];
    const json_t *list = json_of(f, &node->name, item);

    if (list && !json_is_array(list) && !json_is_null(list))
        return error_set(f->err, ERROR_INPUT, "%s is not a list", node->name.text);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!fill(f, at + 1, node->next + 1, json_array_get(list, i)))
            return false;
    return true;
}

/* The part that counts; returns in *at the block's END. */
static bool fill_if(struct filling *f, size_t *at, const json_t *item)
{
    const struct node *nodes = f->text->nodes;
    size_t next = nodes[*at].next, from = *at + 1;
    bool has_else = nodes[next].kind == NODE_ELSE, yes = holds(f, &nodes[*at].name, item);

    *at = has_else ? nodes[next].next : next;
    if (yes)
        return fill(f, from, next, item);
    return !has_else || fill(f, next + 1, *at, item);
}

static bool fill(struct filling *f, size_t from, size_t to, const json_t *item)
{
    for (size_t at = from; at < to; at++) {
        const struct node *node = &f->text->nodes[at];
        bool ok = true;

        if (node->kind == NODE_LITERAL) {
            buf_add(f->out, node->literal, node->length);
        } else if (node->kind == NODE_VALUE) {
            ok = add_value(f, &node->name, item);
        } else if (node->kind == NODE_IF) {
            ok = fill_if(f, &at, item);
        } else if (node->kind == NODE_EACH) {
            ok = fill_each(f, at, item);
            at = node->next;
        }
        if (!ok)
            return false;
        if (f->out->length - f->start > MAIL_FILLED_BYTES_MOST || ++f->steps > STEPS_MOST)
            return error_set(f->err, ERROR_INPUT, "the filled text has more than %d KiB, or is made of too many parts",
                             MAIL_FILLED_BYTES_MOST / 1024);
    }
    return true;
}

bool mail_text_add(const struct mail_text *t, const struct event *e, const json_t *data, struct buf *out,
                   struct error *err)
{
    struct filling f = {
        .text = t, .event = e, .data = data, .out = out, .scratch = BUF_INIT, .start = out->length, .err = err};
    bool ok = fill(&f, 0, t->count, NULL);

    buf_release(&f.scratch);
    return ok;
}
