/* Any text as a condition, on any data: it is refused with a reason, or it and its opposite never agree. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json_compact.h"
#include "handlers/webhook/condition.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static void expect_opposite(const char *text, const struct condition *c, const struct event *e)
{
    struct error err = ERROR_INIT;
    struct buf opposite = BUF_INIT;
    struct condition *other;

    buf_printf(&opposite, "not (%s)", text);
    other = condition_new(opposite.data, &err);
    if (other && strspn(text, " \t\r\n") < strlen(text))
        expect(condition_holds(c, e) != condition_holds(other, e));
    condition_free(other);
    buf_release(&opposite);
}

/* The condition ends where the first line does; what follows is the event's data. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const uint8_t *end = memchr(bytes, '\n', length);
    size_t first = end ? (size_t)(end - bytes) : length;
    char *text = xstrndup((const char *)bytes, first);
    struct error err = ERROR_INIT;
    struct condition *c = condition_new(text, &err);
    struct buf data = BUF_INIT;
    struct event e = event_none;

    expect(c || (err.kind == ERROR_CONFIG && err.text[0]));
    if (c && end && json_compact((const char *)end + 1, length - first - 1, 64, &data, &err))
        e.data = (struct span){data.data, data.length};
    e.type = span_of("record.published");
    e.subject = span_of("records/1");
    if (c)
        expect_opposite(text, c, &e);
    condition_free(c);
    buf_release(&data);
    free(text);
    return 0;
}
