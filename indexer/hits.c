#include "indexer/hits.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "base/json_scan.h"
#include "indexer/client.h"

static bool unreadable(struct error *err, const char *what)
{
    return error_set(err, ERROR_AGAIN, "OpenSearch: the reply %s", what);
}

/* The text of a JSON string; NULL: it is none. */
static const char *text_of(struct span value, struct arena *arena, size_t *length)
{
    json_t *string;
    const char *text = NULL;

    if (value.length < 2 || value.text[0] != '"')
        return NULL;
    if (!memchr(value.text, '\\', value.length)) {
        *length = value.length - 2;
        return arena_copy(arena, value.text + 1, value.length - 2);
    }
    string = json_loadb(value.text, value.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (string) {
        *length = json_string_length(string);
        text = arena_copy(arena, json_string_value(string), *length);
    }
    json_decref(string);
    return text;
}

/* Neighbours are mostly of the same index: its name is kept once for all of them. */
static bool read_index(struct hit *hit, const struct hit *before, struct span value, struct arena *arena)
{
    size_t length;

    if (before && value.length >= 2 && span_is((struct span){value.text + 1, value.length - 2}, before->index)) {
        hit->index = before->index;
        return true;
    }
    hit->index = text_of(value, arena, &length);
    return hit->index != NULL;
}

static bool read_member(struct hit *hit, const struct hit *before, const struct json_scan *s, struct arena *arena)
{
    size_t length;

    if (span_is(s->key, "_index"))
        return read_index(hit, before, s->value, arena);
    if (span_is(s->key, "_id"))
        return (hit->id.text = text_of(s->value, arena, &hit->id.length)) != NULL;
    if (span_is(s->key, "_routing"))
        return (hit->routing = text_of(s->value, arena, &length)) != NULL;
    if (span_is(s->key, "_version"))
        return json_scan_int(s->value, &hit->version);
    if (span_is(s->key, "_seq_no"))
        return json_scan_int(s->value, &hit->seq_no);
    if (span_is(s->key, "_primary_term"))
        return json_scan_int(s->value, &hit->primary_term);
    if (span_is(s->key, "found"))
        hit->found = span_is(s->value, "true");
    else if (span_is(s->key, "_source"))
        hit->source = s->value;
    return true;
}

static bool read_hit(struct hit *hit, const struct hit *before, struct span text, struct arena *arena)
{
    struct json_scan s;

    *hit = (struct hit){.version = -1, .seq_no = -1, .primary_term = -1, .found = true};
    if (!json_scan_object(&s, text))
        return false;
    while (json_scan_next(&s))
        if (!read_member(hit, before, &s, arena))
            return false;
    return !s.broken && hit->index && hit->id.text;
}

/* ---------------------------------------------------------------------------------------------------- of a search */

static bool read_list(struct hits *h, struct span list, struct arena *arena)
{
    struct json_scan s;
    size_t room = 0;

    if (!json_scan_array(&s, list))
        return false;
    while (json_scan_next(&s)) {
        if (h->count == room) {
            struct hit *more = arena_alloc(arena, (room = room ? 2 * room : 64) * sizeof *more);

            if (h->count)
                memcpy(more, h->items, h->count * sizeof *more);
            h->items = more;
        }
        if (!read_hit(&h->items[h->count], h->count ? &h->items[h->count - 1] : NULL, s.value, arena))
            return false;
        h->count++;
    }
    return !s.broken;
}

bool hits_read_search(struct hits *h, struct span reply, struct arena *arena, struct error *err)
{
    struct span outer, list, shards, failed, scroll = SPAN_NONE;
    int64_t failures;

    *h = (struct hits){.scroll_id = SPAN_NONE};
    if (!json_scan_member(reply, "hits", &outer) || !json_scan_member(outer, "hits", &list))
        return unreadable(err, "to a search has no hits, or is not whole");
    if (json_scan_member(reply, "_shards", &shards) && json_scan_member(shards, "failed", &failed) &&
        json_scan_int(failed, &failures) && failures > 0)
        return unreadable(err, "to a search is of a part of the index only");
    if (json_scan_member(reply, "_scroll_id", &scroll))
        h->scroll_id.text = text_of(scroll, arena, &h->scroll_id.length);
    return (h->scroll_id.text && read_list(h, list, arena)) || unreadable(err, "to a search cannot be read");
}

/* ------------------------------------------------------------------------------------------------- of documents */

static bool is_missing_index(const json_t *error)
{
    return strcmp(json_member_text(error, "type", ""), "index_not_found_exception") == 0;
}

/* A document that was not looked for because its index is missing is not found. */
static bool settle_error(struct hit *hit, struct span text, struct error *err)
{
    struct span value;
    struct buf words = BUF_INIT;
    json_t *error;
    bool ok;

    if (!json_scan_member(text, "error", &value))
        return true;
    error = json_loadb(value.text, value.length, JSON_ALLOW_NUL, NULL);
    ok = is_missing_index(error);
    hit->found = false;
    if (!ok) {
        client_add_reason(error, &words);
        error_set(err, ERROR_AGAIN, "OpenSearch: document %s: %s", hit->id.text, words.data);
    }
    buf_release(&words);
    json_decref(error);
    return ok;
}

bool hits_read_documents(struct hits *h, struct span reply, size_t expected, struct arena *arena, struct error *err)
{
    struct span docs;
    struct json_scan s;

    *h = (struct hits){.scroll_id = SPAN_NONE};
    if (!json_scan_member(reply, "docs", &docs) || !json_scan_array(&s, docs))
        return unreadable(err, "with documents is not whole");
    h->items = arena_alloc(arena, (expected + 1) * sizeof *h->items);
    while (json_scan_next(&s) && h->count < expected) {
        struct hit *hit = &h->items[h->count++];

        if (!read_hit(hit, h->count > 1 ? hit - 1 : NULL, s.value, arena))
            return unreadable(err, "with documents cannot be read");
        if (!settle_error(hit, s.value, err))
            return false;
    }
    return (!s.broken && h->count == expected) || unreadable(err, "is about other documents");
}
