/*
 * Any text as a mail template, on any data: it is refused with a reason, or filled the same way twice; and what comes
 * of it is a message of CRLF lines with one header. The template ends at the first NUL, the event's data follows.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "handlers/mail/mail_text.h"
#include "handlers/mail/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static void expect_message(const struct buf *filled)
{
    static const struct mailbox from = {"", "a@example.org"};
    struct message_parts parts = {
        .from = &from, .to = "b@example.org", .id = "mail_0", .unsubscribe = "", .one_click = ""};
    struct buf message = BUF_INIT;
    struct error err;
    size_t lines = 0;

    parts.subject = parts.text = parts.html = (struct span){filled->data, filled->length};
    if (message_add(&parts, &message, &err)) {
        for (size_t i = 0; i < message.length; i++)
            expect((message.data[i] == '\n') == (i > 0 && message.data[i - 1] == '\r'));
        for (const char *at = message.data; strncmp(at, "\r\n", 2) != 0; at = strstr(at, "\r\n") + 2)
            lines += *at != ' ';
        expect(lines == (filled->length > 0 ? 8 : 9)); /* of two parts, or of one */
    }
    buf_release(&message);
}

static void try_text(struct span text, bool html, const json_t *data)
{
    struct error err = ERROR_INIT;
    struct mail_text *t = mail_text_new(text, html, 1, &err);
    struct buf once = BUF_INIT, again = BUF_INIT;
    struct event e = event_none;

    expect(t || (err.kind == ERROR_CONFIG && err.text[0]));
    e.type = span_of("user.updated");
    e.subject = span_of("users/1");
    if (t && mail_text_add(t, &e, data, &once, &err)) {
        expect(mail_text_add(t, &e, data, &again, &err) && once.length == again.length);
        expect(memcmp(once.data, again.data, once.length) == 0);
        expect_message(&once);
    }
    mail_text_free(t);
    buf_release(&once);
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const uint8_t *end = length > 0 ? memchr(bytes, '\0', length) : NULL;
    size_t first = end ? (size_t)(end - bytes) : length;
    struct error err;
    json_t *data = end ? json_text_parse((const char *)end + 1, length - first - 1, 64, &err) : NULL;

    try_text((struct span){(const char *)bytes, first}, false, data);
    try_text((struct span){(const char *)bytes, first}, true, data);
    json_decref(data);
    return 0;
}
