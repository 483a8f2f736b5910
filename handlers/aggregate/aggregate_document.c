#include "handlers/aggregate/aggregate_document.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"

const char *aggregate_copy_name(size_t i, char out[COPY_NAME_BYTES])
{
    snprintf(out, COPY_NAME_BYTES, "c%zu", i);
    return out;
}

static void set_updated(const struct aggregation *a, json_t *doc)
{
    char seconds[INTERVAL_TEXT_BYTES], text[INTERVAL_TEXT_BYTES + 16];
    int64_t now_us = clock_wall_us();

    if (!a->options->updated_field[0])
        return;
    snprintf(text, sizeof text, "%s.%06d+00:00", aggregate_start_text(now_us, seconds), (int)(now_us % US_PER_SECOND));
    json_object_set_new(doc, a->options->updated_field, json_string(text));
}

static void set_metrics(const struct aggregation *a, const int64_t *uniques, const json_t *bucket, json_t *doc)
{
    for (size_t i = 0; i < a->metrics.count; i++) {
        const struct metric *m = &a->metrics.items[i];

        if (m->function == METRIC_UNIQUE)
            json_object_set_new(doc, m->name, json_integer(uniques[i]));
        else
            json_object_set(doc, m->name, json_object_get(json_object_get(bucket, m->name), "value"));
    }
}

static void set_copies(const struct aggregation *a, const json_t *bucket, bool latest, json_t *doc)
{
    const struct renames *copies = &a->copies;
    const json_t *hits = json_object_get(json_object_get(json_object_get(bucket, "latest"), "hits"), "hits");
    const json_t *event = json_object_get(json_array_get(hits, 0), "_source");
    char name[COPY_NAME_BYTES];

    for (size_t i = 0; i < copies->count; i++) {
        json_t *value;

        value = latest ? json_at(event, copies->items[i].from)
                       : json_object_get(json_object_get(bucket, "key"), aggregate_copy_name(i, name));
        json_object_set(doc, copies->items[i].to, value); /* what is not there is not set */
    }
}

json_t *aggregate_document(const struct aggregation *a, int64_t interval_us, const int64_t *uniques,
                           const json_t *bucket, bool latest)
{
    const struct aggregate_options *o = a->options;
    json_t *doc = json_object();
    char start[INTERVAL_TEXT_BYTES];

    json_object_set_new(doc, o->time_field, json_string(aggregate_start_text(interval_us, start)));
    json_object_set(doc, o->field, json_object_get(json_object_get(bucket, "key"), "k"));
    json_object_set(doc, o->count_field, json_object_get(bucket, "doc_count"));
    set_updated(a, doc);
    set_metrics(a, uniques, bucket, doc);
    set_copies(a, bucket, latest, doc);
    return doc;
}

const char *aggregate_parent(const struct aggregation *a, const json_t *document, struct arena *arena)
{
    const char *field = *a->options->parent ? a->options->parent : a->options->record;
    struct buf scratch = BUF_INIT;
    const char *text = *field ? json_scalar_text(json_at(document, field), &scratch) : NULL;

    text = text && *text ? arena_text(arena, text) : NULL;
    buf_release(&scratch);
    return text;
}
