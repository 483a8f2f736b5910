/* Any bytes as a message of kombu's: an object to be an event's payload, or a reason that quotes nothing of it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "notifier/platform/kombu_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct kombu_message message;
    struct error err = ERROR_INIT;

    if (kombu_message_read((const char *)bytes, length, JSON_DEPTH_DEFAULT, arena, &message, &err))
        expect(json_is_object(message.payload));
    else
        expect(!message.payload && err.kind == ERROR_INPUT && err.text[0]);
    expect(memchr(message.tag, '\0', KOMBU_TAG_BYTES) != NULL);
    json_decref(message.payload);
    arena_free(arena);
    return 0;
}
