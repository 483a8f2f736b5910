#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/listing.h"
#include "notifier/operation/operations.h"
#include "notifier/verbs.h"

static void list_pairs(const char *text, size_t length)
{
    static const char *const columns[] = {"event", "type", "subject", "handler", "state", "since", "time", "reason"};
    struct listing *l = listing_new("event type subject handler state since time reason");
    struct error err;
    json_t *operation = json_text_parse(text, length, 8, &err);
    const json_t *pairs = json_object_get(operation, "handlers");

    for (size_t i = 0; i < json_array_size(pairs); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(columns); j++)
            listing_text(l, json_member_text(json_array_get(pairs, i), columns[j], NULL));
    listing_write(l, stdout, false);
    json_decref(operation);
    listing_free(l);
}

static bool show(const struct verb_call *call, const char *id, struct error *err)
{
    struct redis *redis = settings_redis(call->settings);
    struct buf text = BUF_INIT, plain = BUF_INIT;
    enum operation_fate fate;
    bool ok = operation_show(redis, id, NULL, &fate, &text, err);

    if (ok && fate == OPERATION_UNKNOWN)
        ok = error_set(err, ERROR_INPUT, "no operation \"%.80s\" is known, or not any more", id);
    if (ok && call->json) {
        text_add_json_plain(&plain, text.data, text.length);
        fputs(plain.data, stdout);
    } else if (ok) {
        list_pairs(text.data, text.length);
    }
    buf_release(&plain);
    buf_release(&text);
    redis_free(redis);
    return ok;
}

int verb_operations(struct verb_call *call)
{
    struct error err;

    if (call->argc != 2 || strcmp(call->argv[0], "show") != 0)
        return verb_usage("operations", "say show ID");
    return show(call, call->argv[1], &err) ? EXIT_DONE : verb_failed("operations show", &err);
}
