/*
 * Any text as a template and as the words of a unique id: refused with a reason, or filled the same way twice. The
 * first line is the template or the words, what follows is the event's data.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "notifier/template.h"
#include "notifier/unique.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static struct event sample(const struct buf *data)
{
    struct event e = event_none;

    e.id = span_of("e-1");
    e.source = span_of("/Source");
    e.type = span_of("Record.Viewed");
    e.time = span_of("2026-11-20T21:40:05Z");
    e.time_us = INT64_C(1795210805000000);
    e.subject = span_of("records/A");
    e.data = (struct span){data->data, data->length};
    return e;
}

static void expect_index_name(const char *name)
{
    expect(name[0] && !strchr("-_+", name[0]) && strlen(name) <= 255);
}

static void try_template(const char *text, const struct event *e)
{
    struct error err = ERROR_INIT;
    struct template *t = template_new(text, &err);
    struct buf once = BUF_INIT, again = BUF_INIT;

    expect(t || (err.kind == ERROR_CONFIG && err.text[0]));
    if (!t)
        return;
    if (template_add(t, e, &once, &err)) {
        expect(template_add(t, e, &again, &err));
        expect(strcmp(once.data, again.data) == 0);
    }
    buf_reset(&once);
    if (template_add_index(t, e, &once, &err))
        expect_index_name(once.data);
    buf_reset(&once);
    template_add_glob(t, &once);
    buf_release(&once);
    buf_release(&again);
    template_free(t);
}

static void try_unique(const struct unique_options *o, size_t length, const struct event *e, const json_t *data)
{
    char once[UNIQUE_TEXT_BYTES], again[UNIQUE_TEXT_BYTES], click[ID_TEXT_BYTES];
    struct error err = ERROR_INIT;
    struct unique *u = unique_new(o, &err);

    expect(u || (err.kind == ERROR_CONFIG && err.text[0]));
    if (u && unique_id(u, e, data, once, &err)) {
        expect(strlen(once) == length);
        expect(unique_id(u, e, data, again, &err) && strcmp(once, again) == 0);
        if (unique_click(u, e, data, click, &err))
            expect(click[0] == '\0' || strlen(click) == ID_TEXT_BYTES - 1);
    }
    unique_free(u);
}

/* The line as the fields of an id, and as a rule for clicks. */
static void try_ids(const char *line, const struct event *e, const json_t *data)
{
    try_unique(&(struct unique_options){line, "", ID_DIGEST}, ID_TEXT_BYTES - 1, e, data);
    try_unique(&(struct unique_options){line, "cop51", ID_DIGEST}, ID_TEXT_BYTES - 1, e, data);
    try_unique(&(struct unique_options){"data.a", line, ID_DIGEST}, ID_TEXT_BYTES - 1, e, data);
    try_unique(&(struct unique_options){"", line, ID_REFERENCE}, 60, e, data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *feed = length ? memchr(bytes, '\n', length) : NULL;
    size_t first = feed ? (size_t)(feed - (const char *)bytes) : length;
    char *line = xstrndup(length ? (const char *)bytes : "", first);
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;
    struct event e;
    json_t *data = feed ? json_text_parse(feed + 1, length - first - 1, JSON_DEPTH_DEFAULT, &err) : NULL;

    if (json_is_object(data))
        json_add(&text, data);
    e = sample(&text);
    try_template(line, &e);
    try_ids(line, &e, data);
    template_check_index(line, &err);
    json_decref(data);
    buf_release(&text);
    free(line);
    return 0;
}
