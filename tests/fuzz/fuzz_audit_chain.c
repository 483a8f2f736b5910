/* Any bytes as a line of the audit file or as its head: what is read is exactly what would have been written. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/audit/audit_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static void add_signature(struct span signature, struct buf *out)
{
    if (!signature.length)
        return;
    buf_add_text(out, ",\"signature\":\"");
    buf_add(out, signature.text, signature.length);
    buf_add_char(out, '"');
}

static void expect_written(struct span text, size_t same, const struct buf *rest)
{
    expect(text.length == same + rest->length && memcmp(text.text + same, rest->data, rest->length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span text = {(const char *)bytes, length};
    struct buf rest = BUF_INIT;
    struct audit_chained c;

    if (audit_chain_read(text, &c)) {
        expect(c.covered < length && c.before.length == DIGEST_TEXT_BYTES - 1);
        buf_printf(&rest, ",\"digest\":\"%s\"", c.link.digest);
        add_signature(c.signature, &rest);
        buf_add_text(&rest, "}}");
        expect_written(text, c.covered, &rest);
    }
    buf_reset(&rest);
    if (audit_head_read(text, &c)) {
        buf_printf(&rest, "{\"place\":%lld,\"digest\":\"%s\"", (long long)c.link.place, c.link.digest);
        add_signature(c.signature, &rest);
        buf_add_text(&rest, "}\n");
        expect_written(text, 0, &rest);
    }
    buf_release(&rest);
    return 0;
}
