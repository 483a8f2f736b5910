/* Whatever a program outside answers: no event has an outcome that was not said of it, and what is not read is said. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "handlers/outside/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(bool good)
{
    if (!good)
        abort();
}

static void check(const struct parcel *p, const char *text, size_t length)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct delivery *d = p->items[i];

        must(d->outcome == OUTCOME_NONE || d->outcome == OUTCOME_DONE || d->outcome == OUTCOME_RETRY ||
             d->outcome == OUTCOME_DEAD);
        if (d->outcome == OUTCOME_NONE)
            continue;
        must(text_utf8_valid(d->reply, strlen(d->reply)) == strlen(d->reply));
        must(memmem(text, length, "outcome", strlen("outcome")) || memchr(text, '\\', length));
    }
}

/* The first byte says whether it is one outcome or an answer with several. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct delivery items[] = {{.event.id = {"a", 1}}, {.event.id = {"b\"", 2}}, {.event.id = {"a", 1}}};
    struct arena *arena = arena_new();
    struct batch batch = {.arena = arena, .items = items, .count = 3};
    const char *text = (const char *)bytes + 1;
    struct error err = ERROR_INIT;
    struct parcel parcel;
    bool read;

    if (length > 0) {
        parcel_init(&parcel, &batch);
        must(parcel_fill(&parcel, 10) && parcel.count == 2);
        read = bytes[0] & 1 ? answer_all(&parcel, text, length - 1, &err) : answer_one(&parcel, text, length - 1, &err);
        must(read || (err.kind == ERROR_INPUT && err.text[0]));
        must(bytes[0] & 1 || !read || parcel.open == 1);
        must(items[2].outcome == OUTCOME_NONE);
        check(&parcel, text, length - 1);
    }
    arena_free(arena);
    return 0;
}
