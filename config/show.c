/* The values in force, as a file that would give them again - but for secrets, which are hidden. */
#include "base/text.h"
#include "config/print.h"
#include "config/section.h"

/* Beside its section's keys a handler has those of its type. */
static const struct handler_settings *as_handler(const struct config_section *section, const void *one)
{
    const struct handler_settings *h = text_same(section->name, "handler") ? one : NULL;

    return h && h->kind ? h : NULL;
}

static void add_lines(struct buf *out, const struct config_key *keys, const void *target)
{
    for (const struct config_key *key = keys; key && key->name; key++) {
        struct buf value = BUF_INIT;

        config_value_add(key, target, &value);
        buf_printf(out, "%s =%s%s\n", key->name, value.length > 0 ? " " : "", value.data);
        buf_release(&value);
    }
}

void settings_add_shown(const struct settings *s, const struct config_outside *outside, struct buf *out)
{
    const void *one;

    (void)outside; /* a handler knows the row of its type */
    for (const struct config_section *section = config_sections; section->name; section++)
        for (size_t i = 0; (one = config_section_read(section, s, i)); i++) {
            const struct handler_settings *h = as_handler(section, one);

            if (out->length > 0)
                buf_add_char(out, '\n');
            if (section->argument)
                buf_printf(out, "[%s %s]\n", section->name, section->name_of(one));
            else
                buf_printf(out, "[%s]\n", section->name);
            add_lines(out, section->keys, one);
            if (h)
                add_lines(out, h->kind->keys, h->own);
        }
}

/* -------------------------------------------------------------------------------------------------- as JSON */

static void add_name(struct buf *out, const char *name)
{
    char last = out->length > 0 ? out->data[out->length - 1] : '{';

    buf_add_text(out, last == '{' ? "" : ", ");
    buf_add_json_text(out, name);
    buf_add_text(out, ": ");
}

static void add_members(struct buf *out, const struct config_key *keys, const void *target)
{
    for (const struct config_key *key = keys; key && key->name; key++) {
        struct buf value = BUF_INIT;

        config_value_add(key, target, &value);
        add_name(out, key->name);
        buf_add_json(out, value.data, value.length);
        buf_release(&value);
    }
}

static void add_one(struct buf *out, const struct config_section *section, const void *one)
{
    const struct handler_settings *h = as_handler(section, one);

    buf_add_char(out, '{');
    add_members(out, section->keys, one);
    if (h)
        add_members(out, h->kind->keys, h->own);
    buf_add_char(out, '}');
}

static void add_section(struct buf *out, const struct config_section *section, const struct settings *s)
{
    const void *one;

    add_name(out, section->name);
    if (!section->argument) {
        add_one(out, section, config_section_read(section, s, 0));
        return;
    }
    buf_add_char(out, '{');
    for (size_t i = 0; (one = config_section_read(section, s, i)); i++) {
        add_name(out, section->name_of(one));
        add_one(out, section, one);
    }
    buf_add_char(out, '}');
}

void settings_add_shown_json(const struct settings *s, struct buf *out)
{
    buf_add_char(out, '{');
    for (const struct config_section *section = config_sections; section->name; section++)
        add_section(out, section, s);
    buf_add_text(out, "}\n");
}
