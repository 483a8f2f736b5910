/* handlers/webhook/condition_tree.h - a condition once it is read; for the files condition*.c. */
#ifndef HANDLERS_WEBHOOK_CONDITION_TREE_H
#define HANDLERS_WEBHOOK_CONDITION_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "handlers/webhook/condition.h"

enum condition_kind { CONDITION_AND, CONDITION_OR, CONDITION_NOT, CONDITION_EXISTS, CONDITION_COMPARE };
enum condition_order { ORDER_EQUAL, ORDER_UNEQUAL, ORDER_LESS, ORDER_LESS_EQUAL, ORDER_GREATER, ORDER_GREATER_EQUAL };

struct condition_value {
    struct span text;
    double number;
    bool is_number;
};

struct condition_node {
    enum condition_kind kind;
    struct condition_node *left, *right; /* of AND and OR; NOT has left */
    const char *field;                   /* of EXISTS and COMPARE; data: what follows "data.", "" for data itself */
    bool in_data;                        /* where field is to be looked for */
    enum condition_order order;          /* of COMPARE, as what follows; `in` is EQUAL to one of the values */
    struct condition_value *values;
    size_t value_count;
};

struct condition {
    struct arena *arena;               /* all of it */
    const struct condition_node *root; /* NULL: holds always */
};

/* A number as JSON writes it, all of the text. */
bool condition_number(struct span text, double *number);

#endif
