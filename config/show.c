/* The values in force, as a file that would give them again - but for secrets, which are hidden. */
#include <string.h>

#include "base/text.h"
#include "config/print.h"
#include "config/section.h"

enum { LINE_BYTES = 112 }; /* of a value in one line; the reader takes 199 */

/* The keys that a section may have, also those of a handler's type. */
struct tables {
    const struct config_key *core, *own;
};

/* Beside its section's keys a handler has those of its type. */
static const struct handler_settings *as_handler(const struct config_section *section, const void *one)
{
    const struct handler_settings *h = text_same(section->name, "handler") ? one : NULL;

    return h && h->kind ? h : NULL;
}

static bool is_key(const char *word, size_t length, const struct config_key *keys)
{
    for (const struct config_key *key = keys; key && key->name; key++)
        if (strlen(key->name) == length && memcmp(key->name, word, length) == 0)
            return true;
    return false;
}

/* Whether a line that goes on may start so, without being taken for a comment, a section or a key of its own. */
static bool may_start(const char *word, const struct tables *t)
{
    size_t name = strcspn(word, " =");

    return !strchr(" ;#[", word[0]) && (word[name + strspn(word + name, " ")] != '=' ||
                                        (!is_key(word, name, t->core) && !is_key(word, name, t->own)));
}

/* The last space at which the value can go on in the next line; its whole length where it fits, or has none. */
static size_t line_end(const char *value, size_t room, const struct tables *t)
{
    size_t length = strlen(value), end = length;

    for (size_t at = 1; length > room && at < length && (at <= room || end == length); at++)
        if (value[at] == ' ' && value[at - 1] != ' ' && may_start(value + at + 1, t))
            end = at;
    return end;
}

/* A value too long for one line of the file takes several. */
static void add_line(struct buf *out, const struct tables *t, const char *name, const char *value)
{
    size_t end = line_end(value, LINE_BYTES - strlen(name), t);

    buf_printf(out, "%s =%s%.*s\n", name, *value ? " " : "", (int)end, value);
    while (value[end]) {
        value += end + 1;
        end = line_end(value, LINE_BYTES, t);
        buf_printf(out, "    %.*s\n", (int)end, value);
    }
}

static void add_lines(struct buf *out, const struct tables *t, const struct config_key *keys, const void *target)
{
    for (const struct config_key *key = keys; key && key->name; key++) {
        struct buf value = BUF_INIT;

        config_value_add(key, target, &value);
        add_line(out, t, key->name, value.data);
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
            const struct tables tables = {section->keys, h ? h->kind->keys : NULL};

            if (out->length > 0)
                buf_add_char(out, '\n');
            if (section->argument)
                buf_printf(out, "[%s %s]\n", section->name, section->name_of(one));
            else
                buf_printf(out, "[%s]\n", section->name);
            add_lines(out, &tables, section->keys, one);
            if (h)
                add_lines(out, &tables, h->kind->keys, h->own);
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
