#include "config/ini_file.h"

#include <ini.h>
#include <string.h>

#include "base/text.h"

/*
 * inih tells its handler no line and its caller only the first line that it could not read. Both are known here, as
 * inih asks for a line, and calls the handler for it, before it asks for the next.
 */
struct reader {
    const char *at, *end; /* what is left of the text */
    struct ini_file *file;
    struct mistakes *mistakes;
    int line;                    /* of the line handed out */
    bool key_expected;           /* from the line handed out */
    bool line_broken, continues; /* the line handed out */
    struct ini_section outside;  /* takes what stands before the first section */
    struct ini_section *section, **sections_end;
    struct ini_key *key; /* that an indented line would continue; NULL: none */
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trimmed(struct span s)
{
    while (s.length > 0 && is_space(s.text[0])) {
        s.text++;
        s.length--;
    }
    while (s.length > 0 && is_space(s.text[s.length - 1]))
        s.length--;
    return s;
}

/* ------------------------------------------------------------------------------------------------ sections */

static void section_start(struct reader *r, const char *kind, const char *name)
{
    struct ini_section *s = arena_zero(r->file->arena, sizeof *s);

    s->kind = kind;
    s->name = name;
    s->line = r->line;
    s->broken = r->line_broken;
    s->keys_end = &s->keys;
    *r->sections_end = s;
    r->sections_end = &s->next;
    r->section = s;
    r->key = NULL;
}

/* "[kind name] ; comment" */
static void section_read(struct reader *r, struct span line)
{
    const char *close = memchr(line.text, ']', line.length);
    struct span inside, after, kind;

    if (!close) {
        mistake_add(r->mistakes, r->line, "the \"]\" is missing: a section is written [name] or [kind name]");
        r->line_broken = true;
        section_start(r, "", "");
        return;
    }
    inside = trimmed((struct span){line.text + 1, (size_t)(close - line.text) - 1});
    after = trimmed((struct span){close + 1, line.length - (size_t)(close + 1 - line.text)});
    if (after.length > 0 && after.text[0] != ';' && after.text[0] != '#')
        mistake_add(r->mistakes, r->line, "only a comment may follow the \"]\": a key goes into a line of its own");
    kind = inside;
    kind.length = 0;
    while (kind.length < inside.length && !is_space(inside.text[kind.length]))
        kind.length++;
    inside = trimmed((struct span){inside.text + kind.length, inside.length - kind.length});
    section_start(r, arena_copy(r->file->arena, kind.text, kind.length),
                  arena_copy(r->file->arena, inside.text, inside.length));
}

/* ---------------------------------------------------------------------------------------------------- keys */

static void value_add(struct reader *r, const char *value)
{
    struct ini_key *key = r->key;
    size_t length = strlen(value);

    key->broken |= r->line_broken;
    if (key->value.length + length > INI_VALUE_BYTES_MOST) {
        if (!key->broken)
            mistake_add(r->mistakes, r->line, "%s: longer than %d KiB", key->name, INI_VALUE_BYTES_MOST / 1024);
        key->broken = true;
        return;
    }
    if (key->value.length > 0)
        buf_add_char(&key->value, ' ');
    buf_add(&key->value, value, length);
}

/* Whether an indented line was meant as a section or a key is for those to say who know their names. */
static void note_swallowed(struct reader *r, const char *line)
{
    const char *close = line[0] == '[' ? strchr(line, ']') : NULL;
    size_t name = close ? (size_t)(close - line) + 1 : strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    if (r->key->swallowed || name == 0 || (!close && line[name + strspn(line + name, " \t")] != '='))
        return;
    r->key->swallowed = arena_copy(r->file->arena, line, name);
    r->key->swallowed_line = r->line;
}

static void key_start(struct reader *r, const char *name)
{
    struct ini_key *key = arena_zero(r->file->arena, sizeof *key);

    if (r->section == &r->outside)
        mistake_add(r->mistakes, r->line, "\"%s\" stands before the first [section]: put its section above it", name);
    key->name = arena_text(r->file->arena, name);
    key->line = r->line;
    buf_init(&key->value);
    *r->section->keys_end = key;
    r->section->keys_end = &key->next;
    r->key = key;
}

/* inih's own idea of the section is left aside: it cuts names after 49 bytes. */
static int take_value(void *context, const char *section, const char *name, const char *value)
{
    struct reader *r = context;

    (void)section;
    r->key_expected = false;
    if (!r->continues && !name[0]) {
        mistake_add(r->mistakes, r->line, "no name before the \"=\": write key = value");
        r->key = NULL;
        return 1;
    }
    if (r->continues)
        note_swallowed(r, value);
    else
        key_start(r, name);
    value_add(r, value);
    return 1;
}

/* --------------------------------------------------------------------------------------------------- lines */

static struct span line_take(struct reader *r)
{
    const char *start = r->at, *feed = memchr(start, '\n', (size_t)(r->end - start));
    const char *end = feed ? feed : r->end;

    r->at = feed ? feed + 1 : end;
    r->line++;
    return (struct span){start, (size_t)(end - start)};
}

/* Notes bytes that no line may hold. */
static void line_check(struct reader *r, struct span line)
{
    const char *zero = memchr(line.text, '\0', line.length);
    size_t valid = text_utf8_valid(line.text, line.length);

    if (zero)
        mistake_add(r->mistakes, r->line, "a NUL byte in column %zu", (size_t)(zero - line.text) + 1);
    if (valid < line.length)
        mistake_add(r->mistakes, r->line, "not UTF-8 from byte %zu of the line on: save the file as UTF-8", valid + 1);
    r->line_broken = zero || valid < line.length;
}

/* The line without the comment behind its value. */
static struct span without_comment(struct span line)
{
    for (size_t i = 1; i < line.length; i++)
        if (line.text[i] == ';' && is_space(line.text[i - 1]))
            line.length = i;
    return line;
}

/* What does not fit into inih's line is cut there and noted. */
static void line_hand_out(struct reader *r, struct span line, char *out, size_t room)
{
    while (line.length > 0 && is_space(line.text[line.length - 1]))
        line.length--;
    if (line.length >= room || r->continues) /* inih before version 56 leaves comments in continued lines */
        line = without_comment(line);
    if (line.length >= room) {
        mistake_add(
            r->mistakes, r->line,
            "the line is longer than %zu bytes: let the value go on in the next line, which starts with a space",
            room - 1);
        line.length = room - 1;
        r->line_broken = true;
    }
    for (size_t i = 0; i < line.length; i++)
        out[i] = line.text[i] ? line.text[i] : '?';
    out[line.length] = '\0';
}

static char *next_line(char *out, int room, void *context)
{
    struct reader *r = context;
    struct span line, inside;

    if (r->key_expected && !r->line_broken)
        mistake_add(r->mistakes, r->line, "neither [section] nor key = value nor a comment");
    r->key_expected = false;
    if (r->at == r->end)
        return NULL;
    line = line_take(r);
    line_check(r, line);
    inside = trimmed(line);
    r->continues = r->key && line.length > 0 && is_space(line.text[0]);
    if (inside.length == 0 || inside.text[0] == ';' || inside.text[0] == '#') {
        out[0] = '\0';
    } else if (inside.text[0] == '[' && !r->continues) {
        section_read(r, inside);
        memcpy(out, "[]", 3); /* ends the key before */
    } else {
        r->key_expected = true;
        line_hand_out(r, line, out, (size_t)room);
    }
    return out;
}

/* --------------------------------------------------------------------------------------------------- whole */

static void read_lines(struct ini_file *f, const char *text, size_t length, struct mistakes *m)
{
    struct reader r = {.at = text, .end = text + length, .file = f, .mistakes = m, .sections_end = &f->sections};

    r.outside.keys_end = &r.outside.keys;
    r.section = &r.outside;
    ini_parse_stream(next_line, &r, take_value, &r);
    for (struct ini_key *key = r.outside.keys; key; key = key->next)
        buf_release(&key->value);
}

void ini_file_read(struct ini_file *f, const char *text, size_t length, struct mistakes *m)
{
    *f = (struct ini_file){.arena = arena_new()};
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    if (length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        mistake_add(m, 1, "UTF-16: save the file as UTF-8");
    else
        read_lines(f, text, length, m);
}

void ini_file_release(struct ini_file *f)
{
    for (struct ini_section *s = f->sections; s; s = s->next)
        for (struct ini_key *key = s->keys; key; key = key->next)
            buf_release(&key->value);
    arena_free(f->arena);
    *f = (struct ini_file){0};
}
