/* The reference of every key: the rows of all tables, for people and for programs. */
#include "config/print.h"
#include "config/profile.h"
#include "config/section.h"
#include "config/value.h"

static const char introduction[] =
    "The configuration is an ini file: sections in brackets, and a key = value a line.\n"
    "\n"
    "  comments   start with ; or # at the start of a line, or with \" ;\" behind a value\n"
    "  long lines end after 199 bytes; a value goes on in the next line where that starts with a space\n"
    "  times      500ms, 5s, 10m, 24h, 7d\n"
    "  sizes      bytes, or 256KiB, 16MiB, 1GiB\n"
    "  flags      yes or no\n"
    "  ${NAME}    in a value is taken from the environment; $${ stands for ${ itself\n"
    "  secrets    are also taken from a file: password_file = FILE, which others must not be able to read\n";

static void add_heading(struct buf *out, const struct config_section *section, const struct config_kind *kind)
{
    buf_printf(out, "\n[%s%s%s]", section->name, section->argument ? " " : "",
               section->argument ? section->argument : "");
    if (kind)
        buf_printf(out, " type = %s", kind->name);
    buf_printf(out, "\n  %s\n", kind ? kind->help : section->help);
}

static void add_key(struct buf *out, const struct config_outside *outside, const struct config_key *key)
{
    const struct config_profile *p = profiles_of(outside, key);

    buf_printf(out, "\n  %s", key->name);
    if (config_key_required(key))
        buf_add_text(out, " (required)");
    else if (key->fallback[0])
        buf_printf(out, " = %s", key->fallback);
    buf_printf(out, "\n      %s", key->help);
    if (key->type == CONFIG_SECRET)
        buf_printf(out, "\n      a secret: %s = TEXT or %s_file = FILE", key->name, key->name);
    if (key->type != CONFIG_TEXT && key->type != CONFIG_SECRET) {
        buf_add_text(out, "\n      ");
        config_value_add_allowed(key, true, out);
    }
    for (; p && p->name; p++)
        buf_printf(out, "\n      %s: %s", p->name, p->help);
    buf_add_char(out, '\n');
}

static void add_keys(struct buf *out, const struct config_outside *outside, const struct config_key *keys)
{
    for (const struct config_key *key = keys; key && key->name; key++)
        add_key(out, outside, key);
}

void settings_add_reference(const struct config_outside *outside, struct buf *out)
{
    const struct config_section *handler = config_section_find("handler");

    buf_add_text(out, introduction);
    for (const struct config_section *section = config_sections; section->name; section++) {
        add_heading(out, section, NULL);
        add_keys(out, outside, section->keys);
    }
    for (const struct config_kind *kind = outside ? outside->kinds : NULL; kind && kind->name; kind++) {
        add_heading(out, handler, kind);
        add_keys(out, outside, kind->keys);
    }
}

/* -------------------------------------------------------------------------------------------------- as JSON */

static void add_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ", \"%s\": ", name);
    if (text)
        buf_add_json_text(out, text);
    else
        buf_add_text(out, "null");
}

static void add_keys_json(struct buf *out, const char *section, const char *handler_type, const struct config_key *keys)
{
    for (const struct config_key *key = keys; key && key->name; key++) {
        struct buf allowed = BUF_INIT;

        config_value_add_allowed(key, true, &allowed);
        buf_add_text(out, out->data[out->length - 1] == '[' ? "\n {\"section\": " : ",\n {\"section\": ");
        buf_add_json_text(out, section);
        add_member(out, "handler_type", handler_type);
        add_member(out, "key", key->name);
        add_member(out, "type", config_type_name(key->type));
        buf_printf(out, ", \"required\": %s", config_key_required(key) ? "true" : "false");
        add_member(out, "default", key->fallback);
        add_member(out, "allowed", allowed.data);
        add_member(out, "help", key->help);
        buf_add_char(out, '}');
        buf_release(&allowed);
    }
}

void settings_add_reference_json(const struct config_outside *outside, struct buf *out)
{
    buf_add_char(out, '[');
    for (const struct config_section *section = config_sections; section->name; section++)
        add_keys_json(out, section->name, NULL, section->keys);
    for (const struct config_kind *kind = outside ? outside->kinds : NULL; kind && kind->name; kind++)
        add_keys_json(out, "handler", kind->name, kind->keys);
    buf_add_text(out, "\n]\n");
}
