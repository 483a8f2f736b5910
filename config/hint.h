/* config/hint.h - for what the file names and nobody knows: the nearest that is known, or all there is. */
#ifndef CONFIG_HINT_H
#define CONFIG_HINT_H

#include <stddef.h>

#include "base/buf.h"

/* Words to choose from, lent. */
struct words {
    const char **items;
    size_t count, room;
};

#define WORDS_INIT                                                                                                     \
    {                                                                                                                  \
        NULL, 0, 0                                                                                                     \
    }

void words_add(struct words *w, const char *word);
void words_release(struct words *w);

/* `did you mean "x"?`, or `known are a, b, c`, or where more is said; nothing where nothing is known. */
void hint_add(struct buf *out, const char *word, const struct words *known);

#endif
