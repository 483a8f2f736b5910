#include "notifier/service_event.h"

#include <assert.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "notifier/append.h"
#include "notifier/pattern.h"
#include "notifier/service_action.h"

enum { NOTE_DEPTH_MOST = 64 };

/* Who sits at the command line, also behind sudo. */
static const char *operator_name(void)
{
    const char *before_sudo = getenv("SUDO_USER");
    const struct passwd *entry = getpwuid(getuid());

    if (before_sudo && *before_sudo)
        return before_sudo;
    return entry ? entry->pw_name : "unknown";
}

/* actor NULL: who is at the command line; once NULL: each time anew. */
struct said {
    const char *type, *subject, *actor, *once;
};

static void id_of(const struct said *said, char out[ID_TEXT_BYTES])
{
    const char *const parts[] = {said->type, said->subject, said->once};
    unsigned char secret[ID_BYTES];
    struct digest *d;

    if (!said->once) {
        random_secret(secret, sizeof secret);
        hash_hex(secret, sizeof secret, out);
        return;
    }
    d = digest_new();
    digest_start(d);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        digest_part(d, parts[i], strlen(parts[i]));
    digest_end_id(d, out);
    digest_free(d);
}

static void fill(struct event *e, struct arena *arena, const struct said *said, const struct buf *data)
{
    char id[ID_TEXT_BYTES], host[65] = "localhost", now[TIME_TEXT_BYTES];

    id_of(said, id);
    gethostname(host, sizeof host - 1);
    *e = (struct event){.revision = REVISION_NONE, .time_us = clock_wall_us()};
    e->id = e->unique = span_of(arena_text(arena, id));
    e->source = span_of(arena_printf(arena, "crier:%s", host));
    e->type = span_of(arena_printf(arena, "crier.%s", said->type));
    e->time = span_of(arena_text(arena, time_text(e->time_us, now)));
    e->subject = span_of(said->subject);
    e->actor = span_of(said->actor ? said->actor : arena_printf(arena, "operators/%s", operator_name()));
    e->operation = e->traceparent = e->only = SPAN_NONE;
    e->data = (struct span){data->data, data->length};
}

bool service_event_is(struct span type)
{
    return patterns_match("crier.**", type);
}

static bool append_one(const struct settings *s, struct redis *r, const struct event *event, struct error *err)
{
    struct append *append = append_new(s, r);
    enum append_outcome outcome;
    bool ok =
        append_events(append, &event, 1, &outcome, err) || error_in(err, "this could not be recorded for the audit");

    append_free(append);
    return ok;
}

static bool send(const struct settings *s, struct redis *r, const struct said *said, json_t *data, struct error *err)
{
    struct arena *arena = arena_new();
    struct buf text = BUF_INIT;
    struct event event;
    bool ok;

    assert(service_action_is(said->type));
    if (data)
        json_add(&text, data);
    fill(&event, arena, said, &text);
    ok = append_one(s, r, &event, err);
    json_decref(data);
    buf_release(&text);
    arena_free(arena);
    return ok;
}

bool service_event_send(const struct settings *s, struct redis *r, const char *type, const char *subject,
                        const char *actor, json_t *data, struct error *err)
{
    return send(s, r, &(struct said){type, subject, actor, NULL}, data, err);
}

bool service_event_send_once(const struct settings *s, struct redis *r, const char *type, const char *subject,
                             const char *once, json_t *data, struct error *err)
{
    return send(s, r, &(struct said){type, subject, "services/crier", once}, data, err);
}

/* ------------------------------------------------------------------------------------------------ noted beforehand */

static json_t *text_member(struct span text)
{
    return json_stringn_nocheck(text.text, text_utf8_valid(text.text, text.length));
}

char *service_event_note(const char *type, const char *subject, const char *actor, json_t *data)
{
    const struct said said = {type, subject, actor, NULL};
    struct arena *arena = arena_new();
    struct buf none = BUF_INIT, text = BUF_INIT;
    struct event e;
    json_t *note;

    assert(service_action_is(type));
    fill(&e, arena, &said, &none);
    note = json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "id", text_member(e.id), "source", text_member(e.source),
                     "type", text_member(e.type), "time_us", (json_int_t)e.time_us, "subject", text_member(e.subject),
                     "actor", text_member(e.actor), "data", data ? data : json_object());
    json_add(&text, note);
    json_decref(note);
    arena_free(arena);
    return buf_take(&text);
}

static struct span member(const json_t *note, const char *name, struct arena *arena)
{
    return span_of(arena_text(arena, json_member_text(note, name, "")));
}

static void fill_noted(struct event *e, struct arena *arena, const json_t *note, const struct buf *data)
{
    char now[TIME_TEXT_BYTES];

    *e = (struct event){.revision = REVISION_NONE, .time_us = json_integer_value(json_object_get(note, "time_us"))};
    e->id = e->unique = member(note, "id", arena);
    e->source = member(note, "source", arena);
    e->type = member(note, "type", arena);
    e->time = span_of(arena_text(arena, time_text(e->time_us, now)));
    e->subject = member(note, "subject", arena);
    e->actor = member(note, "actor", arena);
    e->operation = e->traceparent = e->only = SPAN_NONE;
    e->data = (struct span){data->data, data->length};
}

bool service_event_send_noted(const struct settings *s, struct redis *r, const char *note, json_t *more,
                              struct error *err)
{
    struct arena *arena = arena_new();
    struct buf text = BUF_INIT;
    struct event event;
    json_t *read = json_text_parse(note, strlen(note), NOTE_DEPTH_MOST, err), *data = json_object_get(read, "data");
    bool ok = read != NULL;

    if (ok) {
        if (more)
            json_object_update(data, more);
        if (json_object_size(data) > 0)
            json_add(&text, data);
        fill_noted(&event, arena, read, &text);
        ok = append_one(s, r, &event, err);
    }
    json_decref(more);
    json_decref(read);
    buf_release(&text);
    arena_free(arena);
    return ok;
}
