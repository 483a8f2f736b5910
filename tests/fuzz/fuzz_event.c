/* Any bytes as an event's JSON: refused with a reason, or an event that keeps the promises of its header. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "notifier/envelope.h"
#include "notifier/personal.h"

enum { FIELDS_MOST = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static void expect_same(struct span a, struct span b)
{
    expect(a.length == b.length && memcmp(a.text, b.text, a.length) == 0);
}

/* Through the fields of a stream entry and back. */
static void through_the_stream(const struct event *e)
{
    struct args args = ARGS_INIT;
    struct reply items[FIELDS_MOST], fields = {.kind = REPLY_ARRAY, .items = items};
    struct error err = ERROR_INIT;
    struct event back;

    fields.count = event_add_fields(e, &args);
    expect(fields.count <= FIELDS_MOST && fields.count % 2 == 0);
    for (size_t i = 0; i < fields.count; i++)
        items[i] = (struct reply){.kind = REPLY_TEXT, .text = args.words[i], .length = args.lengths[i]};
    expect(event_from_fields(&back, &fields, &err));
    expect_same(back.id, e->id);
    expect_same(back.source, e->source);
    expect_same(back.type, e->type);
    expect_same(back.subject, e->subject);
    expect_same(back.actor, e->actor);
    expect_same(back.data, e->data);
    expect(back.time_us == e->time_us && back.revision == e->revision);
    args_release(&args);
}

/* What goes out is a CloudEvent that comes in again as the same event. */
static void out_and_in_again(const struct event *e, struct arena *arena)
{
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;
    struct event back;
    json_t *json, *data = NULL;

    event_add_json(e, &text);
    json = json_text_parse(text.data, text.length, 100, &err);
    expect(json && envelope_read(json, arena, &back, &data, &err));
    expect_same(back.id, e->id);
    expect_same(back.type, e->type);
    expect_same(back.time, e->time);
    expect(back.revision == e->revision && (data != NULL) == (e->data.length > 0));
    json_decref(data);
    json_decref(json);
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct error err = ERROR_INIT;
    struct buf text = BUF_INIT;
    struct event e;
    json_t *json = json_text_parse((const char *)bytes, length, JSON_DEPTH_DEFAULT, &err), *data = NULL;

    if (json && envelope_read(json, arena, &e, &data, &err)) {
        if (e.id.length == 0)
            envelope_name(&e, data, NULL, arena);
        expect(e.id.length > 0 && e.source.length > 0 && e.type.length > 0 && e.time_us >= 0);
        if (data) {
            personal_strip(data);
            json_add(&text, data);
            e.data = (struct span){text.data, text.length};
        }
        through_the_stream(&e);
        out_and_in_again(&e, arena);
    } else {
        expect(err.kind == ERROR_INPUT && err.text[0] && !data);
    }
    json_decref(data);
    json_decref(json);
    buf_release(&text);
    arena_free(arena);
    return 0;
}
