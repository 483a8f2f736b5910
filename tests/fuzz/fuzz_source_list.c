/* Whatever a platform answers for a page of its list: text that is packed is what it was, and a page leads on or ends.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_compact.h"
#include "handlers/source/source_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

/* What jansson takes is taken, and is the same; packed once more it does not change. */
static void compare(const char *bytes, size_t length, bool packed, const struct buf *compact)
{
    json_t *before = json_loadb(bytes, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *after;
    struct buf again = BUF_INIT;
    struct error err;

    must(packed || !before || memchr(bytes, '\0', length)); /* jansson ends at a NUL */
    if (before && packed) {
        after = json_loadb(compact->data, compact->length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        must(after && json_equal(before, after));
        json_decref(after);
    }
    if (packed) {
        must(json_compact(compact->data, compact->length, JSON_COMPACT_DEPTH_MOST, &again, &err));
        must(again.length == compact->length && memcmp(again.data, compact->data, again.length) == 0);
    }
    buf_release(&again);
    json_decref(before);
}

static void read_as(const struct source_list *list, const struct buf *compact)
{
    struct arena *arena = arena_new();
    struct span text = {arena_copy(arena, compact->data, compact->length), compact->length};
    struct source_walk walk = {.position = SPAN_NONE, .most = 10};
    struct source_document *docs = NULL;
    struct buf url = BUF_INIT;
    struct error err;
    size_t count = 0;

    if (source_list_read(list, text, &walk, arena, &docs, &count, &err)) {
        for (size_t i = 0; i < count; i++)
            must(docs[i].wrong || json_compact_is_object(docs[i].body));
        must(walk.position.length > 0 && !memchr(walk.position.text, '\n', walk.position.length));
        must(source_list_ended(walk.position) || source_list_add_url(list, &walk, &url, &err));
        must(url.length == 0 || memcmp(url.data, "http://a/", 9) == 0);
    }
    buf_release(&url);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct source_list lists[] = {
        {"http://a/b?page={page}",   0, "hits.hits", "",           {"id", "revision_id", "", "r"}       },
        {"http://a/b?after={after}", 0, "hits.hits", "",           {"id", "v", "metadata", ""}          },
        {"http://a/b?after={after}", 0, "",          "links.next", {"id", "v", "", ""}                  },
        {"http://a/b",               0, "hits.hits", "",           {"id", "revision_id", "metadata", ""}},
    };
    struct buf compact = BUF_INIT;
    struct error err;
    bool packed = json_compact((const char *)data, size, JSON_COMPACT_DEPTH_MOST, &compact, &err);

    compare((const char *)data, size, packed, &compact);
    for (size_t i = 0; packed && i < sizeof lists / sizeof *lists; i++)
        read_as(&lists[i], &compact);
    buf_release(&compact);
    return 0;
}
