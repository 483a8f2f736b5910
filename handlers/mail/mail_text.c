#include "handlers/mail/mail_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers/mail/mail_text_tree.h"

struct reader {
    struct mail_text *text;
    const char *at, *end;
    int line;
    size_t open[MAIL_TEXT_DEPTH_MOST]; /* the blocks that are open: nodes */
    int opened_line[MAIL_TEXT_DEPTH_MOST];
    size_t depth, eaches;
};

static struct node *add_node(struct reader *r, enum node_kind kind)
{
    struct mail_text *t = r->text;

    if (t->count % 64 == 0)
        t->nodes = xrealloc(t->nodes, (t->count + 64) * sizeof *t->nodes);
    t->nodes[t->count] = (struct node){.kind = kind};
    return &t->nodes[t->count++];
}

static bool wrong(const struct reader *r, struct error *err, const char *what, const char *word, size_t length)
{
    struct buf shown = BUF_INIT;

    text_add_escaped(&shown, word, length, 60);
    error_set(err, ERROR_CONFIG, "%d: %s {%s}", r->line, what, shown.data);
    buf_release(&shown);
    return false;
}

static bool is_path(const char *text, size_t length)
{
    if (length == 0 || text[0] == '.' || text[length - 1] == '.')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
              (text[i] >= '0' && text[i] <= '9') || strchr("_-:@", text[i]) || (text[i] == '.' && text[i - 1] != '.')))
            return false;
    return true;
}

static bool is_attribute(const char *text, size_t length)
{
    for (const char *const *name = event_attribute_names; *name; name++)
        if (strlen(*name) == length && memcmp(*name, text, length) == 0)
            return true;
    return false;
}

static bool name_set(struct name *n, enum root root, const char *text, size_t length)
{
    *n = (struct name){root, xstrndup(text, length)};
    return true;
}

static bool read_name(struct name *n, const char *text, size_t length)
{
    static const struct {
        const char *name, *attribute;
        enum root root;
    } sides[] = {
        {"subject.id",   "subject", ROOT_ID  },
        {"subject.kind", "subject", ROOT_KIND},
        {"actor.id",     "actor",   ROOT_ID  },
        {"actor.kind",   "actor",   ROOT_KIND},
    };

    if (length > 5 && memcmp(text, "data.", 5) == 0)
        return is_path(text + 5, length - 5) && name_set(n, ROOT_DATA, text + 5, length - 5);
    if (length == 4 && memcmp(text, "item", 4) == 0)
        return name_set(n, ROOT_ITEM, "", 0);
    if (length > 5 && memcmp(text, "item.", 5) == 0)
        return is_path(text + 5, length - 5) && name_set(n, ROOT_ITEM, text + 5, length - 5);
    for (size_t i = 0; i < ARRAY_LENGTH(sides); i++)
        if (strlen(sides[i].name) == length && memcmp(sides[i].name, text, length) == 0)
            return name_set(n, sides[i].root, sides[i].attribute, strlen(sides[i].attribute));
    return is_attribute(text, length) && name_set(n, ROOT_ATTRIBUTE, text, length);
}

static bool open_block(struct reader *r, enum node_kind kind, struct error *err)
{
    if (r->depth == MAIL_TEXT_DEPTH_MOST)
        return error_set(err, ERROR_CONFIG, "%d: more than %d blocks one within the other", r->line,
                         MAIL_TEXT_DEPTH_MOST);
    r->opened_line[r->depth] = r->line;
    r->open[r->depth++] = r->text->count - 1;
    r->eaches += kind == NODE_EACH;
    return true;
}

static bool read_else(struct reader *r, struct error *err)
{
    size_t opener = r->depth > 0 ? r->open[r->depth - 1] : 0;

    if (r->depth == 0 || r->text->nodes[opener].kind != NODE_IF)
        return wrong(r, err, "no {if ...} is open for", "else", 4);
    r->text->nodes[opener].next = r->text->count;
    r->open[r->depth - 1] = r->text->count;
    add_node(r, NODE_ELSE);
    return true;
}

static bool read_end(struct reader *r, struct error *err)
{
    struct node *opener;

    if (r->depth == 0)
        return wrong(r, err, "nothing is open for", "end", 3);
    opener = &r->text->nodes[r->open[--r->depth]];
    r->eaches -= opener->kind == NODE_EACH;
    opener->next = r->text->count;
    add_node(r, NODE_END);
    return true;
}

/* What stands between braces. */
static bool read_place(struct reader *r, const char *word, size_t length, struct error *err)
{
    enum node_kind kind = NODE_VALUE;
    const char *name = word;
    struct node *node;

    if (length == 3 && memcmp(word, "end", 3) == 0)
        return read_end(r, err);
    if (length == 4 && memcmp(word, "else", 4) == 0)
        return read_else(r, err);
    if (length > 3 && memcmp(word, "if ", 3) == 0) {
        kind = NODE_IF;
        name += 3;
    } else if (length > 5 && memcmp(word, "each ", 5) == 0) {
        kind = NODE_EACH;
        name += 5;
    }
    node = add_node(r, kind);
    if (!read_name(&node->name, name, length - (size_t)(name - word)))
        return wrong(r, err, "nothing is known by the name", word, length);
    if (node->name.root == ROOT_ITEM && r->eaches == 0)
        return wrong(r, err, "there is an item only within {each ...}:", word, length);
    if (kind == NODE_EACH && node->name.root != ROOT_DATA && node->name.root != ROOT_ITEM)
        return wrong(r, err, "only data and item have lists:", word, length);
    return kind == NODE_VALUE || open_block(r, kind, err);
}

static void read_literal(struct reader *r)
{
    struct buf literal = BUF_INIT;
    struct node *node;

    while (r->at < r->end) {
        bool twice = r->at + 1 < r->end && r->at[1] == r->at[0];

        if (*r->at == '{' && !twice)
            break;
        if (*r->at == '}' && !twice)
            break;
        r->at += *r->at == '{' || *r->at == '}';
        r->line += *r->at == '\n';
        buf_add_char(&literal, *r->at++);
    }
    if (literal.length > 0) {
        node = add_node(r, NODE_LITERAL);
        node->length = literal.length;
        node->literal = buf_take(&literal);
    }
    buf_release(&literal);
}

static bool read_all(struct reader *r, struct error *err)
{
    for (read_literal(r); r->at < r->end; read_literal(r)) {
        const char *word = r->at + 1, *close = memchr(word, '}', (size_t)(r->end - word));

        if (*r->at == '}')
            return error_set(err, ERROR_CONFIG, "%d: a } that closes nothing; }} is the brace itself", r->line);
        if (!close || memchr(word, '\n', (size_t)(close - word)))
            return error_set(err, ERROR_CONFIG, "%d: a { without } on its line; {{ is the brace itself", r->line);
        if (!read_place(r, word, (size_t)(close - word), err))
            return false;
        r->at = close + 1;
    }
    if (r->depth > 0)
        return error_set(err, ERROR_CONFIG, "%d: what is opened here has no {end}", r->opened_line[r->depth - 1]);
    return true;
}

struct mail_text *mail_text_new(struct span text, bool html, int first_line, struct error *err)
{
    struct mail_text *t = xcalloc(1, sizeof *t);
    struct reader r = {.text = t, .at = text.text, .end = text.text + text.length, .line = first_line};
    bool ok = true;

    t->html = html;
    if (text.length > MAIL_TEXT_BYTES_MOST || text_utf8_valid(text.text, text.length) < text.length ||
        memchr(text.text, '\0', text.length))
        ok = error_set(err, ERROR_CONFIG, "%d: it is not UTF-8, holds NUL, or has more than %d KiB", first_line,
                       MAIL_TEXT_BYTES_MOST / 1024);
    if (ok && read_all(&r, err))
        return t;
    mail_text_free(t);
    return NULL;
}

void mail_text_free(struct mail_text *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++) {
        free(t->nodes[i].literal);
        free(t->nodes[i].name.text);
    }
    free(t->nodes);
    free(t);
}
