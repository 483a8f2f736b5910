/* Any bytes as the reply to a search or a reading of documents: what is lent lies inside, or all is refused. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "indexer/hits.h"

enum { DOCUMENTS_MOST = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static void expect_inside(const struct hits *h, struct span reply)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct hit *hit = &h->items[i];

        expect(hit->index && hit->id.text && hit->id.text[hit->id.length] == '\0');
        expect(hit->source.length == 0 ||
               (hit->source.text >= reply.text && hit->source.text + hit->source.length <= reply.text + reply.length));
    }
}

/* The first byte says how many documents were asked for. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena;
    struct error err = ERROR_INIT;
    struct span reply;
    struct hits h;

    if (length == 0)
        return 0;
    arena = arena_new();
    reply = (struct span){(const char *)bytes + 1, length - 1};
    if (hits_read_search(&h, reply, arena, &err))
        expect_inside(&h, reply);
    else
        expect(err.kind == ERROR_AGAIN && err.text[0]);
    if (hits_read_documents(&h, reply, bytes[0] % DOCUMENTS_MOST, arena, &err))
        expect_inside(&h, reply);
    else
        expect(err.kind == ERROR_AGAIN && err.text[0]);
    arena_free(arena);
    return 0;
}
