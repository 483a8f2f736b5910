#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/relation/mapped.h"
#include "handlers/relation/relation_parts.h"
#include "indexer/indices.h"

enum { LEARNED_MS = 20000 /* before a second look at the changes of that time */ };

static void mapped_set(struct mapped *m, const char *field, const struct mapping_field *found)
{
    struct buf name = BUF_INIT;

    free(m->field);
    free(m->nested);
    buf_add_text(&name, field);
    if (found->keyword)
        buf_printf(&name, ".%s", found->keyword);
    *m = (struct mapped){
        .field = buf_take(&name),
        .nested = found->nested_length ? xstrndup(field, found->nested_length) : NULL,
        .number = mapping_is_number(found->type),
        .analysed = mapping_is_analysed(found->type) && !found->keyword,
    };
}

/* The first index that knows the field counts. */
static void learn_field(struct mapped *m, const json_t *indices, const char *field)
{
    struct mapping_field found;
    const char *index;
    json_t *one;

    json_object_foreach((json_t *)(uintptr_t)indices, index, one)
    {
        if (mapping_find(json_object_get(one, "mappings"), field, &found)) {
            mapped_set(m, field, &found);
            return;
        }
    }
}

bool relation_learn(struct relation *r, struct client *c, struct error *err)
{
    int64_t now_ms = clock_monotonic_ms();
    json_t *answer = NULL;
    bool missing = false;

    if (r->learned_ms && now_ms - r->learned_ms < LEARNED_MS)
        return true;
    if (!indices_ask(c, "GET", r->options->index, "/_mapping", NULL, &answer, &missing, err)) {
        err->kind = ERROR_AGAIN; /* without it a search may find nothing, and nobody would notice */
        return error_in(err, "the mapping of %s", r->options->index);
    }
    for (size_t i = 0; i < r->match_count; i++) {
        struct match *m = &r->matches[i];

        learn_field(&m->id_mapped, answer, m->id);
        if (m->revision)
            learn_field(&m->revision_mapped, answer, m->revision);
    }
    if (!missing && json_object_size(answer) > 0)
        r->learned_ms = now_ms;
    json_decref(answer);
    return true;
}

void relation_unlearn(struct relation *r)
{
    r->learned_ms = 0;
}
