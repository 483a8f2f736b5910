#include "notifier/archived.h"

#include <string.h>

#include "base/json.h"
#include "notifier/envelope.h"

enum { DIGEST_TEXT_MOST = 128 }; /* bytes of a unique id or a click: longer than any that crier makes */

/* ---------------------------------------------------------------------------------------------------- writing */

static void add_member(struct buf *out, const char *start, struct span value)
{
    if (value.length == 0)
        return;
    buf_add_text(out, start);
    buf_add_json(out, value.text, value.length);
}

void archived_add(const struct event *e, struct buf *out)
{
    struct buf more = BUF_INIT;

    add_member(&more, ",\"crierunique\":", e->unique);
    add_member(&more, ",\"crierclick\":", e->click);
    if (e->latest_wins)
        buf_add_text(&more, ",\"crierlatest\":true");
    event_add_json_more(e, (struct span){more.data, more.length}, out);
    buf_release(&more);
}

/* ---------------------------------------------------------------------------------------------------- reading */

/* They name keys and documents: nothing but what crier's own ids are made of. */
static bool is_digest(const char *text, size_t length)
{
    static const char letters[] = "0123456789abcdefABCDEFghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ-_:.";

    return length > 0 && length <= DIGEST_TEXT_MOST && strspn(text, letters) == length;
}

static bool read_digest(const json_t *object, const char *name, struct arena *arena, struct span *out,
                        struct error *err)
{
    const json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (!value)
        return true;
    if (!text || !is_digest(text, length))
        return error_set(err, ERROR_INPUT, "%s is no id that crier made", name);
    *out = (struct span){arena_copy(arena, text, length), length};
    return true;
}

void archived_set_data(struct event *e, const json_t *data, struct arena *arena)
{
    struct buf text = BUF_INIT;

    if (!data)
        return;
    json_add(&text, data);
    e->data = (struct span){arena_copy(arena, text.data, text.length), text.length};
    buf_release(&text);
}

bool archived_read_object(const json_t *object, struct arena *arena, struct event *e, json_t **data, struct error *err)
{
    bool ok;

    *data = NULL;
    ok = envelope_read(object, arena, e, data, err) && envelope_admitted(e, err) &&
         read_digest(object, "crierunique", arena, &e->unique, err) &&
         read_digest(object, "crierclick", arena, &e->click, err);

    e->latest_wins = json_is_true(json_object_get(object, "crierlatest"));
    if (ok)
        return true;
    json_decref(*data);
    *data = NULL;
    return false;
}

bool archived_read(struct span line, int depth, struct arena *arena, struct event *e, json_t **data, struct error *err)
{
    json_t *object = json_text_parse(line.text, line.length, depth, err);
    bool ok;

    *data = NULL;
    ok = object && archived_read_object(object, arena, e, data, err);
    json_decref(object);
    return ok;
}
