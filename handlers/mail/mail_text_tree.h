/* handlers/mail/mail_text_tree.h - a mail template once it is read; for the files mail_text*.c. */
#ifndef HANDLERS_MAIL_MAIL_TEXT_TREE_H
#define HANDLERS_MAIL_MAIL_TEXT_TREE_H

#include <stdbool.h>
#include <stddef.h>

enum node_kind { NODE_LITERAL, NODE_VALUE, NODE_IF, NODE_ELSE, NODE_EACH, NODE_END };

enum root { ROOT_DATA, ROOT_ITEM, ROOT_ATTRIBUTE, ROOT_KIND, ROOT_ID };

/* Where a value is found: a path from data or item, an attribute, or one side of it ("kind/id"). */
struct name {
    enum root root;
    char *text; /* the path, "" for item itself; the attribute's name */
};

struct node {
    enum node_kind kind;
    char *literal;
    size_t length;
    struct name name;
    size_t next; /* IF: its ELSE or END; ELSE and EACH: their END */
};

struct mail_text {
    struct node *nodes;
    size_t count;
    bool html;
};

#endif
