/* config/mistakes.h - what is wrong with a file, collected with its lines. */
#ifndef CONFIG_MISTAKES_H
#define CONFIG_MISTAKES_H

#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"

struct mistakes {
    const char *path; /* lent */
    struct mistake *items;
    size_t count, room;
};

void mistakes_init(struct mistakes *m, const char *path);
void mistakes_release(struct mistakes *m);
void mistake_add(struct mistakes *m, int line, const char *format, ...) printf_like(3, 4);

/* A line each, "path:line: text", in the order of the file; what a terminal must not see is escaped. */
void mistakes_write(struct mistakes *m, struct buf *out);

#endif
