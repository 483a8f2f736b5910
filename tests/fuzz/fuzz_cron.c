/* Any text as a schedule: it is refused with a reason, or its runs come one after another. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "scheduler/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

/* The first eight bytes are the moment from which to look. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct error err = ERROR_INIT;
    struct schedule *s;
    int64_t at_us;
    char *text;

    if (length < sizeof at_us)
        return 0;
    memcpy(&at_us, bytes, sizeof at_us);
    text = xstrndup((const char *)bytes + sizeof at_us, length - sizeof at_us);
    s = schedule_new(text, &err);
    expect(s || (err.kind == ERROR_CONFIG && err.text[0]));
    for (int run = 0; s && run < 4; run++) {
        int64_t next_us = schedule_next_us(s, at_us);

        if (next_us < 0)
            break;
        expect(next_us > at_us && schedule_next_us(s, next_us - 1) == next_us);
        at_us = next_us;
    }
    schedule_free(s);
    free(text);
    return 0;
}
