/* Any bytes as a line of an archive, and as the name of a file of one: what is read is written again the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "handlers/archive/archive_name.h"
#include "notifier/archived.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

/* The event of a line, as the line that an archive would have. */
static bool rewrite(struct span line, struct arena *arena, struct buf *out)
{
    struct error err;
    struct event e;
    json_t *data;

    if (!archived_read(line, JSON_DEPTH_DEFAULT, arena, &e, &data, &err)) {
        expect(err.kind == ERROR_INPUT && err.text[0] && !data);
        return false;
    }
    archived_set_data(&e, data, arena);
    json_decref(data);
    archived_add(&e, out);
    expect(!memchr(out->data, '\n', out->length) && !memchr(out->data, '\0', out->length));
    return true;
}

static void read_line(struct span line)
{
    struct arena *arena = arena_new();
    struct buf first = BUF_INIT, second = BUF_INIT;

    if (rewrite(line, arena, &first)) {
        expect(rewrite((struct span){first.data, first.length}, arena, &second));
        expect(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
    }
    buf_release(&first);
    buf_release(&second);
    arena_free(arena);
}

static void read_name(const char *name)
{
    struct archive_name n;
    struct buf sealed = BUF_INIT;

    if (archive_name_read(name, &n)) {
        expect(n.day.length == 10 && n.handler.length > 0 && !memchr(n.handler.text, '.', n.handler.length));
        archive_name_add_sealed(&n, true, 0, &sealed);
        expect(archive_name_read(sealed.data, &n) && n.kind == ARCHIVE_PACKED);
    }
    buf_release(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct buf name = BUF_INIT;

    read_line((struct span){(const char *)bytes, length});
    buf_add(&name, (const char *)bytes, length);
    read_name(name.data);
    buf_release(&name);
    return 0;
}
