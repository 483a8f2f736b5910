#include "handlers/reindex/shard_marks.h"

#include <stdlib.h>

#include "base/json.h"
#include "indexer/indices.h"

/* Sums up the primary of one shard. */
static bool read_primary(const json_t *copies, const char *mark, int64_t *seq_no, int64_t *deletions)
{
    json_t *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)copies, i, one) if (json_is_true(json_at(one, "routing.primary")))
    {
        *seq_no = json_integer_value(json_at(one, mark));
        *deletions += json_integer_value(json_at(one, "indexing.delete_total"));
        return true;
    }
    return false;
}

static bool read_shards(const json_t *shards, const char *index, const char *mark, struct shard_marks *out,
                        int64_t *deletions, struct error *err)
{
    char number[24];

    out->count = json_object_size(shards);
    *deletions = 0;
    if (out->count == 0 || out->count > SHARDS_MOST)
        return error_set(err, ERROR_AGAIN, "OpenSearch tells nothing of the shards of %s", index);
    for (size_t i = 0; i < out->count; i++) {
        snprintf(number, sizeof number, "%zu", i);
        if (!read_primary(json_object_get(shards, number), mark, &out->seq_no[i], deletions))
            return error_set(err, ERROR_AGAIN, "shard %zu of %s is away", i, index);
    }
    return true;
}

static bool read_marks(struct client *c, const char *index, const char *mark, struct shard_marks *out,
                       int64_t *deletions, struct error *err)
{
    json_t *answer, *indices;
    bool ok = indices_ask(c, "GET", index, "/_stats/docs,indexing?level=shards&filter_path=indices.*.shards", NULL,
                          &answer, NULL, err);

    indices = json_object_get(answer, "indices");
    ok = ok && read_shards(json_object_get(json_object_iter_value(json_object_iter(indices)), "shards"), index, mark,
                           out, deletions, err);
    json_decref(answer);
    return ok;
}

bool shard_marks_settled(struct client *c, const char *index, struct shard_marks *out, int64_t *deletions,
                         struct error *err)
{
    return read_marks(c, index, "seq_no.global_checkpoint", out, deletions, err);
}

bool shard_marks_last(struct client *c, const char *index, struct shard_marks *out, struct error *err)
{
    int64_t ignored;

    return read_marks(c, index, "seq_no.max_seq_no", out, &ignored, err);
}

void shard_marks_start(struct shard_marks *m, size_t count)
{
    m->count = count;
    for (size_t i = 0; i < count; i++)
        m->seq_no[i] = -1;
}

json_t *shard_marks_json(const struct shard_marks *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->count; i++)
        json_array_append_new(list, json_integer((json_int_t)m->seq_no[i]));
    return list;
}

void shard_marks_from_json(const json_t *list, struct shard_marks *m)
{
    m->count = json_array_size(list) < SHARDS_MOST ? json_array_size(list) : SHARDS_MOST;
    for (size_t i = 0; i < m->count; i++)
        m->seq_no[i] = json_integer_value(json_array_get(list, i));
}
