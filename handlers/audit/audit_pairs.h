/* handlers/audit/audit_pairs.h - a list in the ini file: PATTERN=WORD PATTERN=WORD ..., the first that fits. */
#ifndef HANDLERS_AUDIT_AUDIT_PAIRS_H
#define HANDLERS_AUDIT_AUDIT_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"

struct audit_pair {
    char *pattern, *word;
};

struct audit_pairs {
    struct audit_pair *items;
    size_t count;
};

/* Patterns are those of notifier/pattern.h. Released also after an error, which is ERROR_CONFIG. */
bool audit_pairs_read(struct audit_pairs *p, const char *text, struct error *err) must_check;
void audit_pairs_release(struct audit_pairs *p);

/* The number of the first that fits; count: none does. */
size_t audit_pairs_find(const struct audit_pairs *p, struct span name);

#endif
