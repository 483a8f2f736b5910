#include "config/hint.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/text.h"

enum { LISTED_MOST = 16 };

void words_add(struct words *w, const char *word)
{
    if (w->count == w->room) {
        w->room = w->room ? 2 * w->room : 32;
        w->items = xrealloc(w->items, w->room * sizeof *w->items);
    }
    w->items[w->count++] = word;
}

void words_release(struct words *w)
{
    free(w->items);
    *w = (struct words)WORDS_INIT;
}

/* Everything known is lower case, or nearly so: TIMEOUT is near to timeout. */
static const char *nearest(const char *word, const struct words *known)
{
    const char *found = text_nearest(word, known->items, known->count);
    char *lower = xstrdup(word);

    for (char *at = lower; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    if (!found)
        found = text_nearest(lower, known->items, known->count);
    free(lower);
    return found;
}

void hint_add(struct buf *out, const char *word, const struct words *known)
{
    const char *near = nearest(word, known);

    if (near) {
        buf_printf(out, "; did you mean \"%s\"?", near);
    } else if (known->count > LISTED_MOST) {
        buf_add_text(out, "; `crier config reference` lists what is known");
    } else if (known->count > 0) {
        buf_add_text(out, "; known are");
        for (size_t i = 0; i < known->count; i++)
            buf_printf(out, "%s %s", i > 0 ? "," : "", known->items[i]);
    }
}
