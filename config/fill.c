#include "config/fill.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "config/hint.h"
#include "config/secret.h"
#include "config/value.h"

/* Lines in which a key was given, straight and as NAME_file; 0: not. */
struct given {
    int line, file_line;
};

/* ------------------------------------------------------------------------------------------- finding a key */

static bool is_file_of(const struct config_key *key, const char *name)
{
    size_t length = strlen(key->name);

    return key->type == CONFIG_SECRET && strncmp(name, key->name, length) == 0 && text_same(name + length, "_file");
}

/* The row for a name; *from_file: the name is that of a secret's file. */
static const struct config_key *row_find(const struct config_key *keys, const char *name, bool *from_file)
{
    *from_file = false;
    for (const struct config_key *key = keys; key && key->name; key++)
        if (text_same(key->name, name))
            return key;
    *from_file = true;
    for (const struct config_key *key = keys; key && key->name; key++)
        if (is_file_of(key, name))
            return key;
    return NULL;
}

static const struct config_key *table_find(struct fill *f, const char *name, struct fill_table **table, bool *from_file)
{
    for (size_t i = 0; i < FILL_TABLES; i++) {
        const struct config_key *row = row_find(f->tables[i].keys, name, from_file);

        *table = &f->tables[i];
        if (row)
            return row;
    }
    return NULL;
}

void section_add_label(struct buf *out, const struct ini_section *in)
{
    buf_printf(out, "[%s%s%s]", in->kind, in->name[0] ? " " : "", in->name);
}

static void words_add_keys(struct words *w, const struct config_key *keys, struct arena *arena)
{
    for (const struct config_key *key = keys; key && key->name; key++) {
        words_add(w, key->name);
        if (key->type == CONFIG_SECRET)
            words_add(w, arena_printf(arena, "%s_file", key->name));
    }
}

/* The types of handler that have such a key: the operator may have changed the type, or copied from another one. */
static bool add_types_with(const struct fill *f, const char *name, struct buf *out)
{
    size_t found = 0;
    bool from_file;

    for (const struct config_kind *kind = f->kinds; kind->name; kind++)
        if (row_find(kind->keys, name, &from_file))
            buf_printf(out, "%s%s", found++ > 0 ? ", " : "; it belongs to handlers of type ", kind->name);
    return found > 0;
}

static void unknown_key(struct fill *f, const struct ini_key *key)
{
    bool handler = text_same(f->section->name, "handler");
    struct words known = WORDS_INIT;
    struct buf text = BUF_INIT;

    buf_printf(&text, "unknown key \"%.80s\" in ", key->name);
    section_add_label(&text, f->in);
    if (!handler || !add_types_with(f, key->name, &text)) {
        for (size_t i = 0; i < FILL_TABLES; i++)
            words_add_keys(&known, f->tables[i].keys, f->arena);
        if (handler && !f->kind)
            for (const struct config_kind *kind = f->kinds; kind->name; kind++)
                words_add_keys(&known, kind->keys, f->arena);
        hint_add(&text, key->name, &known);
    } else if (!f->kind) {
        goto out; /* its type is the mistake, and was noted */
    }
    mistake_add(f->mistakes, key->line, "%s", text.data);
out:
    words_release(&known);
    buf_release(&text);
}

/* ------------------------------------------------------------------------------------------------ one value */

/* No value holds what a line of the file cannot hold, wherever it comes from. */
static bool text_check(const char *text, struct error *err)
{
    size_t length = strlen(text);

    if (text_utf8_valid(text, length) < length)
        return error_set(err, ERROR_CONFIG, "the value is not UTF-8");
    for (const char *at = text; *at; at++)
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
            return error_set(err, ERROR_CONFIG, "the value holds a control character (byte 0x%02x)",
                             (unsigned char)*at);
    return true;
}

/* The text of a value once the environment and a secret's file are in it. */
static bool value_text(const struct ini_key *key, bool from_file, struct buf *out, struct error *err)
{
    struct buf path = BUF_INIT;
    bool ok;

    if (from_file)
        ok = config_value_expand(key->value.data, &path, err) && text_check(path.data, err) &&
             secret_read(path.data, out, err);
    else
        ok = config_value_expand(key->value.data, out, err);
    buf_release(&path);
    return ok && text_check(out->data, err);
}

/* What the layers further right have to say about a value of ours. */
static bool rules_check(const struct fill *f, const struct config_key *row, const char *text, struct error *err)
{
    for (const struct config_rule *rule = f->rules; rule->section; rule++)
        if (text_same(rule->section, f->section->name) && text_same(rule->key, row->name) && text[0] &&
            !rule->check(text, err))
            return false;
    return true;
}

/* Of the core's keys none that has a default means anything when it is empty. */
static bool empty_check(const struct config_key *row, const char *text, struct error *err)
{
    if (row->type == CONFIG_TEXT && !text[0] && row->fallback && row->fallback[0])
        return error_set(err, ERROR_CONFIG, "must not be empty; leave the line out for %s", row->fallback);
    return true;
}

static void value_load(struct fill *f, struct fill_table *table, const struct config_key *row, bool from_file,
                       const struct ini_key *key)
{
    bool core = table == &f->tables[0];
    struct buf text = BUF_INIT;
    struct error err;

    if (!value_text(key, from_file, &text, &err) || (core && !empty_check(row, text.data, &err)) ||
        !config_value_set(row, text.data, table->target, &err) || (core && !rules_check(f, row, text.data, &err)))
        mistake_add(f->mistakes, key->line, "%s: %s%s", key->name, err.text,
                    strstr(text.data, " #") ? "; behind a value a comment starts with \" ;\"" : "");
    buf_release(&text);
}

/* ---------------------------------------------------------------------------------------------- one section */

/* Notes in which line the key is given, and that it was given before. */
static void note_given(struct fill *f, struct given *given, const struct config_key *row, bool from_file,
                       const struct ini_key *key)
{
    int *same = from_file ? &given->file_line : &given->line;
    int other = from_file ? given->line : given->file_line;

    if (*same)
        mistake_add(f->mistakes, key->line, "%s is given twice; the first is in line %d", key->name, *same);
    else if (other)
        mistake_add(f->mistakes, key->line, "either %s or %s_file, not both; the other is in line %d", row->name,
                    row->name, other);
    if (!*same)
        *same = key->line;
}

static bool is_section(const char *bracketed)
{
    char kind[16];
    size_t length = strcspn(bracketed + 1, " \t]");

    if (length >= sizeof kind)
        return false;
    memcpy(kind, bracketed + 1, length);
    kind[length] = '\0';
    return config_section_find(kind) != NULL;
}

/* inih takes an indented line for more of the value before it, whatever stands there. */
static bool swallowed_check(struct fill *f, const struct ini_key *key)
{
    const char *name = key->swallowed;
    struct fill_table *table;
    bool from_file;

    if (!name || !(name[0] == '[' ? is_section(name) : table_find(f, name, &table, &from_file) != NULL))
        return true;
    mistake_add(f->mistakes, key->swallowed_line,
                "an indented line continues the value before it, here of %s: start %s at the line's beginning",
                key->name, name);
    return false;
}

static void key_load(struct fill *f, const struct ini_key *key)
{
    struct fill_table *table;
    bool from_file, whole = swallowed_check(f, key) && !key->broken;
    const struct config_key *row = table_find(f, key->name, &table, &from_file);

    if (!row) {
        unknown_key(f, key);
        return;
    }
    note_given(f, &table->given[row - table->keys], row, from_file, key);
    if (whole)
        value_load(f, table, row, from_file, key);
}

static void required_check(const struct fill *f, const struct fill_table *table)
{
    for (const struct config_key *row = table->keys; row && row->name; row++) {
        const struct given *given = &table->given[row - table->keys];
        struct buf text = BUF_INIT;

        if (config_key_required(row) && !given->line && !given->file_line) {
            section_add_label(&text, f->in);
            mistake_add(f->mistakes, f->in->line, "%s lacks the key \"%s\": %s", text.data, row->name, row->help);
        }
        buf_release(&text);
    }
}

void fill_table_add(struct fill *f, size_t index, const struct config_key *keys, void *target)
{
    size_t count = 0;

    while (keys && keys[count].name)
        count++;
    f->tables[index] = (struct fill_table){keys, target, xcalloc(count, sizeof(struct given))};
}

void fill_keys(struct fill *f)
{
    for (const struct ini_key *key = f->in->keys; key; key = key->next)
        key_load(f, key);
}

void fill_required_check(struct fill *f)
{
    for (size_t i = 0; i < FILL_TABLES; i++)
        required_check(f, &f->tables[i]);
}

void fill_release(struct fill *f)
{
    for (size_t i = 0; i < FILL_TABLES; i++)
        free(f->tables[i].given);
}
