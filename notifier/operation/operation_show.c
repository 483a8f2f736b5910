#include <string.h>

#include "base/json.h"
#include "notifier/operation/operations.h"

static const char *const fate_names[] = {
    [OPERATION_UNKNOWN] = "unknown", [OPERATION_WAITING] = "waiting", [OPERATION_RETRYING] = "retrying",
    [OPERATION_DEAD] = "dead",       [OPERATION_DONE] = "done",
};

const char *operation_fate_name(enum operation_fate fate)
{
    return fate_names[fate];
}

static enum operation_fate fate_of(const json_t *pair)
{
    const char *state = json_member_text(pair, "state", "");

    for (enum operation_fate fate = OPERATION_WAITING; fate <= OPERATION_DONE; fate++)
        if (strcmp(fate_names[fate], state) == 0)
            return fate;
    return OPERATION_WAITING;
}

/* Adds what the caller may see of the pairs to out; the fate of all. */
static size_t add_pairs(const struct reply *all, const struct caller *caller, enum operation_fate *fate,
                        struct buf *out)
{
    size_t count = 0;

    *fate = OPERATION_DONE;
    for (size_t i = 0; i + 1 < all->count; i += 2) {
        const struct reply *value = &all->items[i + 1];
        struct error err;
        json_t *pair = all->items[i].length ? json_text_parse(value->text, value->length, 4, &err) : NULL;
        enum operation_fate one = fate_of(pair); /* of those there was no room for: nobody knows */

        if (!pair || !caller || caller_may_see(caller, span_of(json_member_text(pair, "type", ""))))
            *fate = one < *fate ? one : *fate;
        if (pair && (!caller || caller_may_see(caller, span_of(json_member_text(pair, "type", ""))))) {
            buf_add_text(out, count++ ? "," : "");
            buf_add(out, value->text, value->length);
        }
        json_decref(pair);
    }
    return count;
}

bool operation_show(struct redis *r, const char *id, const struct caller *caller, enum operation_fate *fate,
                    struct buf *out, struct error *err)
{
    struct arena *arena = arena_new();
    struct buf pairs = BUF_INIT;
    const struct reply *all;
    bool ok = redis_do(r, arena, &all, err, "HGETALL crier:{operations}:of:%s", id);

    *fate = OPERATION_UNKNOWN;
    if (ok && add_pairs(all, caller, fate, &pairs) > 0) {
        buf_add_text(out, "{\"operation\":");
        buf_add_json_text(out, id);
        buf_printf(out, ",\"state\":\"%s\",\"handlers\":[", fate_names[*fate]);
        buf_add(out, pairs.data, pairs.length);
        buf_add_text(out, "]}\n");
    } else {
        *fate = OPERATION_UNKNOWN;
    }
    buf_release(&pairs);
    arena_free(arena);
    return ok;
}
