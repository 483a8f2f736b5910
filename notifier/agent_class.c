#include "notifier/agent_class.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum {
    NAME_BYTES_MOST = 40, /* what is longer is no product's name */
    DIGITS_MOST = 4,      /* and what has more digits may be somebody's own number */
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
    return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
}

/* Whether it may be a product's name: begins with a letter, short, no address and no number in disguise. */
static bool is_name(const char *text, size_t length)
{
    size_t digits = 0;

    if (length == 0 || length > NAME_BYTES_MOST || !is_letter(text[0]))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_name_byte(text[i]))
            return false;
        digits += is_digit(text[i]);
    }
    return digits <= DIGITS_MOST && !(length > 4 && strncasecmp(text, "www.", 4) == 0);
}

static bool holds_name(const struct agent_class *c, const char *name, size_t length)
{
    const char *at = c->text, *word;
    size_t word_length;

    while (text_word(&at, &word, &word_length))
        if (word_length == length && memcmp(word, name, length) == 0)
            return true;
    return false;
}

void agent_class_start(struct agent_class *c)
{
    c->length = 0;
    c->text[0] = '\0';
}

static void add(struct agent_class *c, const char *name, size_t length)
{
    size_t space = c->length > 0;

    if (length == 0 || c->length + space + length >= c->room || holds_name(c, name, length))
        return;
    if (space)
        c->text[c->length++] = ' ';
    memcpy(c->text + c->length, name, length);
    c->length += length;
    c->text[c->length] = '\0';
}

void agent_class_add_name(struct agent_class *c, const char *name, size_t length)
{
    char kept[NAME_BYTES_MOST];
    size_t count = 0;

    for (size_t i = 0; i < length && count < sizeof kept; i++)
        if (is_name_byte(name[i]) || (name[i] == ' ' && count > 0))
            kept[count++] = name[i];
    add(c, kept, count);
}

/* The name of "name/version" or of a bare name; what is neither adds nothing. */
static void add_product(struct agent_class *c, const char *text, size_t length)
{
    const char *slash = memchr(text, '/', length);
    size_t name = slash ? (size_t)(slash - text) : length;

    if (is_name(text, name))
        add(c, text, name);
}

static struct span trimmed(const char *text, size_t length)
{
    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ')
        length--;
    return (struct span){text, length};
}

/* One part of a comment; *named: the part before it was "compatible", so that this one begins with a name. */
static void add_part(struct agent_class *c, struct span part, bool *named)
{
    const char *space = memchr(part.text, ' ', part.length), *slash = memchr(part.text, '/', part.length);
    bool compatible = part.length == 10 && strncasecmp(part.text, "compatible", 10) == 0;

    if (compatible)
        add(c, part.text, part.length);
    else if (*named)
        add_product(c, part.text, space ? (size_t)(space - part.text) : part.length);
    else if (slash && !space)
        add_product(c, part.text, part.length);
    *named = compatible;
}

/* From behind the opening parenthesis; returns how many bytes the comment has, with its end. */
static size_t add_comment(struct agent_class *c, const char *text, size_t length)
{
    size_t at = 0, part = 0;
    int depth = 1;
    bool named = false;

    for (; at < length && depth > 0; at++) {
        depth += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
        if (text[at] == ';' || text[at] == ',' || text[at] == '(' || text[at] == ')') {
            add_part(c, trimmed(text + part, at - part), &named);
            part = at + 1;
        }
    }
    if (at > part && depth > 0)
        add_part(c, trimmed(text + part, at - part), &named);
    return at;
}

void agent_class_add_products(struct agent_class *c, const char *user_agent, size_t length)
{
    size_t at = 0;

    while (at < length) {
        size_t from = at;

        if (user_agent[at] == '(') {
            at += 1 + add_comment(c, user_agent + at + 1, length - at - 1);
            continue;
        }
        while (at < length && user_agent[at] != ' ' && user_agent[at] != '(')
            at++;
        add_product(c, user_agent + from, at - from);
        if (at < length && user_agent[at] == ' ')
            at++;
    }
}

void agent_class_add_versions(const char *class, size_t length, struct buf *out)
{
    for (size_t i = 0; i <= length; i++) {
        if (i == length || class[i] == ' ')
            buf_add_text(out, "/1.1");
        if (i < length)
            buf_add_char(out, class[i]);
    }
}
