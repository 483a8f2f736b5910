#include "handlers/report/report_shape.h"
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

struct check {
    struct buf path;
    struct error *err;
};

static bool value_check(struct check *c, const json_t *value, const struct shape_value *v);

static bool wrong(struct check *c, const char *what, const char *more)
{
    return error_set(c->err, ERROR_INPUT, "%s: %s%s", c->path.length ? c->path.data : "the report", what, more);
}

static void leave(struct check *c, size_t length)
{
    c->path.length = length;
    if (c->path.room)
        c->path.data[length] = '\0';
}

static bool size_check(struct check *c, size_t size, const struct shape_value *v, const char *of_what)
{
    char said[60];

    snprintf(said, sizeof said, "%zu %s", size, of_what);
    if (size < v->least)
        return wrong(c, "is too short: ", said);
    if (v->most && size > v->most)
        return wrong(c, "is too long: ", said);
    return true;
}

static bool text_check(struct check *c, const json_t *value, const struct shape_value *v)
{
    const char *text = json_string_value(value);

    if (!text)
        return wrong(c, "is no text", "");
    if (v->is && strcmp(text, v->is) != 0)
        return wrong(c, "must be ", v->is);
    if (v->words && !text_has_word(v->words, text, strlen(text)))
        return wrong(c, "must be one of ", v->words);
    if (v->form != FORM_ANY && !report_form_is(v->form, text))
        return wrong(c, "must be ", report_form_name(v->form));
    return size_check(c, strlen(text), v, "bytes");
}

static bool number_check(struct check *c, const json_t *value, const struct shape_value *v)
{
    if (v->type == SHAPE_COUNT && !json_is_integer(value))
        return wrong(c, "is no whole number", "");
    if (!json_is_number(value))
        return wrong(c, "is no number", "");
    if (json_number_value(value) < (double)v->least)
        return wrong(c, "is too small", "");
    return true;
}

static const struct shape_value *member_row(const struct shape *s, const char *name)
{
    for (const struct shape_value *v = s->members; v && v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return s->others && report_form_is(s->other_names, name) ? s->others : NULL;
}

static bool members_check(struct check *c, const json_t *object, const struct shape *s)
{
    size_t before = c->path.length;
    const json_t *member;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)object, name, member)
    {
        const struct shape_value *v = member_row(s, name);

        buf_printf(&c->path, "%s%s", before ? "." : "", name);
        if (!v)
            return wrong(c, "is no member that the standard has there", "");
        if (!value_check(c, member, v))
            return false;
        leave(c, before);
    }
    for (const struct shape_value *v = s->members; v && v->name; v++)
        if (v->required && !json_object_get(object, v->name))
            return wrong(c, "lacks ", v->name);
    return true;
}

static bool object_check(struct check *c, const json_t *value, const struct shape_value *v)
{
    struct error more;

    if (!json_is_object(value))
        return wrong(c, "is no object", "");
    if (!size_check(c, json_object_size(value), v, "members") || !members_check(c, value, v->of))
        return false;
    return !v->of->also || v->of->also(value, &more) || wrong(c, more.text, "");
}

static bool is_twice(const json_t *array, size_t number)
{
    for (size_t i = 0; i < number; i++)
        if (json_equal(json_array_get(array, i), json_array_get(array, number)))
            return true;
    return false;
}

static bool array_check(struct check *c, const json_t *value, const struct shape_value *v)
{
    size_t before = c->path.length, i;
    const json_t *item;

    if (!json_is_array(value))
        return wrong(c, "is no array", "");
    if (!size_check(c, json_array_size(value), v, "items"))
        return false;
    json_array_foreach(value, i, item)
    {
        buf_printf(&c->path, "[%zu]", i);
        if (!value_check(c, item, v->items))
            return false;
        if (v->unique && is_twice(value, i))
            return wrong(c, "comes twice", "");
        leave(c, before);
    }
    return true;
}

static bool value_check(struct check *c, const json_t *value, const struct shape_value *v)
{
    switch (v->type) {
    case SHAPE_TEXT:
        return text_check(c, value, v);
    case SHAPE_OBJECT:
        return object_check(c, value, v);
    case SHAPE_ARRAY:
        return array_check(c, value, v);
    default:
        return number_check(c, value, v);
    }
}

bool shape_check(const json_t *value, const struct shape_value *v, struct error *err)
{
    struct check c = {BUF_INIT, err};
    bool ok = value_check(&c, value, v);

    buf_release(&c.path);
    return ok;
}
