#include "support/fault_items.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"

static json_t *made_up(const char *action, int status)
{
    static const struct {
        int status;
        const char *type, *reason;
    } words[] = {
        {429, "es_rejected_execution_exception", "rejected execution of a write: queue capacity is reached"},
        {503, "unavailable_shards_exception",    "primary shard is not active"                             },
        {403, "cluster_block_exception",         "index [x] blocked by: [FORBIDDEN/8/index write (api)];"  },
    };
    size_t at = 0;

    while (at + 1 < ARRAY_LENGTH(words) && words[at].status != status)
        at++;
    return json_pack("{s:{s:i, s:{s:s, s:s}}}", action, "status", status, "error", "type", words[at].type, "reason",
                     words[at].reason);
}

/* The next line with its line feed. */
static struct span next_line(const char **at, const char *end)
{
    const char *start = *at, *feed = memchr(start, '\n', (size_t)(end - start));

    *at = feed ? feed + 1 : end;
    return (struct span){start, (size_t)(*at - start)};
}

static bool is_chosen(const struct fault *fault, const char *id, long number)
{
    if (fault->item_id_with)
        return strstr(id, fault->item_id_with) != NULL;
    return fault->item_every > 0 && number % fault->item_every == 0;
}

void fault_items_take(struct fault_items *f, const struct fault *fault, const char *body, size_t length, long *seen)
{
    const char *at = body, *end = body + length;

    *f = (struct fault_items){json_array(), BUF_INIT, 0, 0};
    while (at < end) {
        const char *start = at;
        struct span line = next_line(&at, end);
        json_t *action = json_loadb(line.text, line.length, 0, NULL);
        void *only = json_object_iter(action);
        const char *name = only ? json_object_iter_key(only) : "";
        const char *id = only ? json_member_text(json_object_iter_value(only), "_id", "") : "";

        if (strcmp(name, "delete") != 0)
            next_line(&at, end);
        if (is_chosen(fault, id, ++*seen)) {
            json_array_append_new(f->outcomes, made_up(name, fault->item_status));
            f->taken++;
        } else {
            json_array_append_new(f->outcomes, json_null());
            buf_add(&f->body, start, (size_t)(at - start));
            f->kept++;
        }
        json_decref(action);
    }
}

void fault_items_release(struct fault_items *f)
{
    json_decref(f->outcomes);
    buf_release(&f->body);
}

void fault_items_merge(const struct fault_items *f, const char *reply, size_t length, struct buf *out)
{
    json_t *read = json_loadb(reply, length, 0, NULL), *whole = read ? read : json_object(), *items = json_array();
    const json_t *real = json_object_get(whole, "items");
    size_t at = 0;

    for (size_t i = 0; i < json_array_size(f->outcomes); i++) {
        json_t *outcome = json_array_get(f->outcomes, i);

        json_array_append(items, json_is_null(outcome) ? json_array_get(real, at++) : outcome);
    }
    json_object_set_new(whole, "errors", json_boolean(f->taken > 0 || json_is_true(json_object_get(whole, "errors"))));
    json_object_set_new(whole, "items", items);
    json_add(out, whole);
    json_decref(whole);
}

void fault_items_drop_last(const char *reply, size_t length, struct buf *out)
{
    json_t *whole = json_loadb(reply, length, 0, NULL);
    json_t *items = json_object_get(whole, "items");

    if (json_array_size(items) > 0)
        json_array_remove(items, json_array_size(items) - 1);
    if (whole)
        json_add(out, whole);
    json_decref(whole);
}
