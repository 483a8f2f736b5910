#include "indexer/action_line.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { ID_BYTES_MOST = 512 /* OpenSearch's own limit */ };

struct action_line {
    const char *prefix;
    struct buf index, index_json; /* the last index named, and how it is written */
};

struct action_line *action_line_new(const char *prefix)
{
    struct action_line *a = xmalloc(sizeof *a);

    a->prefix = prefix;
    buf_init(&a->index);
    buf_init(&a->index_json);
    return a;
}

void action_line_free(struct action_line *a)
{
    if (!a)
        return;
    buf_release(&a->index);
    buf_release(&a->index_json);
    free(a);
}

const char *action_line_wrong(const struct bulk_target *t, size_t id_length)
{
    if (id_length == 0)
        return "the id is empty";
    if (id_length > ID_BYTES_MOST)
        return "the id is longer than 512 bytes";
    if (t->version < -1)
        return "the version is negative";
    if (t->version >= 0 && t->action == BULK_CREATE)
        return "a create takes no version";
    return NULL;
}

/* Neighbours mostly go to the same index: its name is put together once for all of them. */
static const struct buf *index_json(struct action_line *a, const struct bulk_target *t)
{
    const char *prefix = t->with_prefix ? "" : a->prefix;
    size_t prefix_length = strlen(prefix), length = strlen(t->index);

    if (a->index.length != prefix_length + length || memcmp(a->index.data, prefix, prefix_length) != 0 ||
        memcmp(a->index.data + prefix_length, t->index, length) != 0) {
        buf_reset(&a->index);
        buf_add(&a->index, prefix, prefix_length);
        buf_add(&a->index, t->index, length);
        buf_reset(&a->index_json);
        buf_add_json(&a->index_json, a->index.data, a->index.length);
    }
    return &a->index_json;
}

struct placed action_line_add(struct action_line *a, const struct bulk_target *t, size_t id_length, struct buf *out)
{
    static const char *const starts[] = {
        [BULK_INDEX] = "{\"index\":{\"_index\":",
        [BULK_CREATE] = "{\"create\":{\"_index\":",
        [BULK_DELETE] = "{\"delete\":{\"_index\":",
    };
    const struct buf *index = index_json(a, t);
    struct placed place;

    buf_add_text(out, starts[t->action]);
    place = (struct placed){out->length, index->length};
    buf_add(out, index->data, index->length);
    buf_add_text(out, ",\"_id\":");
    buf_add_json(out, t->id, id_length);
    if (t->routing) {
        buf_add_text(out, ",\"routing\":");
        buf_add_json_text(out, t->routing);
    }
    if (t->version >= 0) {
        buf_add_text(out, ",\"version\":");
        buf_add_int(out, t->version);
        buf_add_text(out, t->same_version ? ",\"version_type\":\"external_gte\"" : ",\"version_type\":\"external\"");
    }
    if (t->seq_no >= 0) {
        buf_add_text(out, ",\"if_seq_no\":");
        buf_add_int(out, t->seq_no);
        buf_add_text(out, ",\"if_primary_term\":");
        buf_add_int(out, t->primary_term);
    }
    buf_add_text(out, "}}\n");
    return place;
}
