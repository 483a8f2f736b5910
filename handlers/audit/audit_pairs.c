#include "handlers/audit/audit_pairs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "notifier/pattern.h"

bool audit_pairs_read(struct audit_pairs *p, const char *text, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&text, &word, &length)) {
        const char *equals = memchr(word, '=', length);
        size_t before = equals ? (size_t)(equals - word) : 0;
        struct audit_pair *pair;

        if (before == 0 || before + 1 == length)
            return error_set(err, ERROR_CONFIG, "\"%.*s\" is not PATTERN=WORD", (int)length, word);
        p->items = xrealloc(p->items, (p->count + 1) * sizeof *p->items);
        pair = &p->items[p->count++];
        pair->pattern = xstrndup(word, before);
        pair->word = xstrndup(equals + 1, length - before - 1);
        if (!patterns_check(pair->pattern, err))
            return false;
    }
    return true;
}

void audit_pairs_release(struct audit_pairs *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->items[i].pattern);
        free(p->items[i].word);
    }
    free(p->items);
    *p = (struct audit_pairs){0};
}

size_t audit_pairs_find(const struct audit_pairs *p, struct span name)
{
    size_t i = 0;

    while (i < p->count && !patterns_match(p->items[i].pattern, name))
        i++;
    return i;
}
