#include "config/profile.h"

#include <string.h>

#include "base/text.h"
#include "config/hint.h"
#include "config/value.h"

#define TYPE "{type}"
#define KIND "{kind}"

/* ----------------------------------------------------------------------------------------- finding a profile */

static const struct ini_key *profile_key(const struct ini_section *in)
{
    if (!text_same(in->kind, "event") || in->broken)
        return NULL;
    for (const struct ini_key *key = in->keys; key; key = key->next)
        if (text_same(key->name, "profile"))
            return key->broken ? NULL : key;
    return NULL;
}

static const struct config_profile *profile_find(const struct config_profile *profiles, const char *name)
{
    for (const struct config_profile *p = profiles; p && p->name; p++)
        if (text_same(p->name, name))
            return p;
    return NULL;
}

static void unknown_profile(const struct config_profile *profiles, const char *name, int line, struct mistakes *m)
{
    struct words known = WORDS_INIT;
    struct buf text = BUF_INIT;

    for (const struct config_profile *p = profiles; p && p->name; p++)
        words_add(&known, p->name);
    buf_printf(&text, "profile: there is no profile \"%.80s\"", name);
    hint_add(&text, name, &known);
    mistake_add(m, line, "%s", text.data);
    words_release(&known);
    buf_release(&text);
}

/* The profile a section asks for; NULL: none, or one that is not known, which is noted. */
static const struct config_profile *profile_wanted(const struct ini_section *in, const struct config_profile *profiles,
                                                   struct mistakes *m)
{
    const struct ini_key *key = profile_key(in);
    const struct config_profile *found = NULL;
    struct buf name = BUF_INIT;
    struct error err;

    if (key && config_value_expand(key->value.data, &name, &err) && name.length > 0) {
        found = profile_find(profiles, name.data);
        if (!found)
            unknown_profile(profiles, name.data, key->line, m);
    }
    buf_release(&name);
    return found;
}

/* -------------------------------------------------------------------------------------------------- merging */

static struct ini_section *section_in(struct ini_file *file, const struct ini_section *wanted, int line)
{
    struct ini_section **end = &file->sections, *s;

    for (; (s = *end); end = &s->next)
        if (!s->broken && text_same(s->kind, wanted->kind) && text_same(s->name, wanted->name))
            return s;
    s = arena_zero(file->arena, sizeof *s);
    s->kind = arena_text(file->arena, wanted->kind);
    s->name = arena_text(file->arena, wanted->name);
    s->line = line;
    s->keys_end = &s->keys;
    *end = s;
    return s;
}

static void key_merge(struct ini_file *file, struct ini_section *into, const struct ini_key *from, int line)
{
    struct ini_key *key;

    for (key = into->keys; key; key = key->next)
        if (text_same(key->name, from->name))
            return;
    key = arena_zero(file->arena, sizeof *key);
    key->name = arena_text(file->arena, from->name);
    key->line = line;
    buf_init(&key->value);
    buf_add(&key->value, from->value.data, from->value.length);
    *into->keys_end = key;
    into->keys_end = &key->next;
}

/* The kind is the type without its last part, which says what happened. */
static void text_fill_in(struct buf *out, const char *text, const char *type)
{
    const char *dot = strrchr(type, '.');
    const char *at;

    for (; (at = strchr(text, '{')); text = at) {
        buf_add(out, text, (size_t)(at - text));
        if (text_starts(at, TYPE)) {
            buf_add_text(out, type);
            at += strlen(TYPE);
        } else if (text_starts(at, KIND)) {
            buf_add(out, type, dot ? (size_t)(dot - type) : strlen(type));
            at += strlen(KIND);
        } else {
            buf_add_char(out, *at++);
        }
    }
    buf_add_text(out, text);
}

static void profile_merge(struct ini_file *file, const struct config_profile *p, const char *type, int line,
                          struct mistakes *m)
{
    struct buf text = BUF_INIT;
    struct mistakes own;
    struct ini_file sections;

    text_fill_in(&text, p->text, type);
    mistakes_init(&own, p->name);
    ini_file_read(&sections, text.data, text.length, &own);
    if (own.count > 0) /* the text is sound, but not with every type in it */
        mistake_add(m, line, "profile: %s does not go with a type like this", p->name);
    for (const struct ini_section *from = sections.sections; from; from = from->next) {
        struct ini_section *into = section_in(file, from, line);

        for (const struct ini_key *key = from->keys; key; key = key->next)
            key_merge(file, into, key, line);
    }
    ini_file_release(&sections);
    mistakes_release(&own);
    buf_release(&text);
}

/* The names of a profile's sections are fixed, so a second event would end in those of the first. */
static const struct ini_section *taken_before(const struct ini_file *file, const struct ini_section *in,
                                              const struct ini_key *key)
{
    for (const struct ini_section *s = file->sections; s != in; s = s->next) {
        const struct ini_key *other = profile_key(s);

        if (other && text_same(other->value.data, key->value.data))
            return s;
    }
    return NULL;
}

void profiles_merge(struct ini_file *file, const struct config_profile *profiles, struct mistakes *m)
{
    for (const struct ini_section *in = file->sections; in; in = in->next) {
        const struct config_profile *p = profile_wanted(in, profiles, m);
        const struct ini_key *key = p ? profile_key(in) : NULL;
        const struct ini_section *before = p ? taken_before(file, in, key) : NULL;

        if (before)
            mistake_add(m, key->line, "profile: %s is that of [event %.80s] already, in line %d", p->name, before->name,
                        profile_key(before)->line);
        else if (p)
            profile_merge(file, p, in->name, key->line, m);
    }
}

const struct config_profile *profiles_of(const struct config_outside *outside, const struct config_key *key)
{
    return outside && text_same(key->name, "profile") ? outside->profiles : NULL;
}
