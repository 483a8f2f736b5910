/* Any bytes as the reply to a bulk: the fast reading and jansson's agree on every item, or both refuse. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "indexer/bulk_reply.h"

enum { ITEMS_MOST = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

/* The first byte says how many items were sent. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const struct bulk_target target = {BULK_DELETE, .version = -1, .seq_no = -1};
    struct bulk_answer fast[ITEMS_MOST], slow[ITEMS_MOST];
    struct arena *arena;
    struct error err = ERROR_INIT;
    size_t count;
    bool read;

    if (length == 0)
        return 0;
    arena = arena_new();
    count = bytes[0] % ITEMS_MOST;
    read = bulk_reply_read((const char *)bytes + 1, length - 1, count, arena, fast, &err);
    expect(read == bulk_reply_read_any((const char *)bytes + 1, length - 1, count, arena, slow, &err));
    for (size_t i = 0; read && i < count; i++) {
        expect(fast[i].status == slow[i].status && fast[i].seq_no == slow[i].seq_no &&
               strcmp(fast[i].type, slow[i].type) == 0 && strcmp(fast[i].reason, slow[i].reason) == 0);
        expect(bulk_outcome_of(&fast[i], &target) != BULK_UNSENT);
    }
    expect(read || (err.kind == ERROR_AGAIN && err.text[0]));
    arena_free(arena);
    return 0;
}
