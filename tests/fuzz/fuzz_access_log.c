/* Any bytes as lines of an access log, in the form everybody writes and in one of ones own; and as that form itself. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "notifier/access_log/access_log_line.h"
#include "notifier/access_log/access_log_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static void expect_text(struct span written, void (*add)(struct span written, struct buf *out))
{
    struct buf out = BUF_INIT;

    add(written, &out);
    expect(text_utf8_valid(out.data, out.length) == out.length && !memchr(out.data, '\0', out.length));
    buf_release(&out);
}

static void expect_inside(struct span part, struct span line)
{
    expect(part.length == 0 || (part.text >= line.text && part.text + part.length <= line.text + line.length) ||
           span_is(part, "/")); /* of a URL that has no path */
}

static void read_line(const struct access_form *form, struct span line)
{
    struct access_line out;

    if (!access_line_read(form, line, &out))
        return;
    expect_inside(out.address, line);
    expect_inside(out.method, line);
    expect_inside(out.path, line);
    expect_inside(out.user_agent, line);
    expect(out.time_us >= 0 && out.status >= 0 && out.status <= 999 && out.bytes >= ACCESS_BYTES_NONE);
    expect_text(out.user_agent, access_text_add);
    expect_text(out.referrer, access_text_add);
    expect_text(out.path, access_path_add);
}

static void read_lines(const struct access_form *form, const char *at, const char *end)
{
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at)), *stop = feed ? feed : end;

        read_line(form, (struct span){at, (size_t)(stop - at)});
        at = stop + 1;
    }
}

/* The first line as a pattern, the rest as lines of it. */
static void own_pattern(const char *text, size_t length)
{
    const char *feed = memchr(text, '\n', length);
    struct error err = ERROR_INIT;
    struct buf pattern = BUF_INIT;
    struct access_form *form;

    if (!feed)
        return;
    buf_add(&pattern, text, (size_t)(feed - text));
    form = access_form_new(pattern.data, &err);
    expect(form || (err.kind == ERROR_CONFIG && err.text[0]));
    if (form)
        read_lines(form, feed + 1, text + length);
    access_form_free(form);
    buf_release(&pattern);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *text = (const char *)bytes;
    struct error err;
    struct access_form *form = access_form_new("combined", &err);

    expect(form);
    read_lines(form, text, text + length);
    access_form_free(form);
    own_pattern(text, length);
    return 0;
}
