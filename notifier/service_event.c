#include "notifier/service_event.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "notifier/append.h"

/* Who sits at the command line, also behind sudo. */
static const char *operator_name(void)
{
    const char *before_sudo = getenv("SUDO_USER");
    const struct passwd *entry = getpwuid(getuid());

    if (before_sudo && *before_sudo)
        return before_sudo;
    return entry ? entry->pw_name : "unknown";
}

static void fill(struct event *e, struct arena *arena, const char *type, const char *subject, const char *actor,
                 const struct buf *data)
{
    unsigned char secret[ID_BYTES];
    char id[ID_TEXT_BYTES], host[65] = "localhost", now[TIME_TEXT_BYTES];

    random_secret(secret, sizeof secret);
    hash_hex(secret, sizeof secret, id);
    gethostname(host, sizeof host - 1);
    *e = (struct event){.revision = REVISION_NONE, .time_us = clock_wall_us()};
    e->id = e->unique = span_of(arena_text(arena, id));
    e->source = span_of(arena_printf(arena, "crier:%s", host));
    e->type = span_of(arena_printf(arena, "crier.%s", type));
    e->time = span_of(arena_text(arena, time_text(e->time_us, now)));
    e->subject = span_of(subject);
    e->actor = span_of(actor ? actor : arena_printf(arena, "operators/%s", operator_name()));
    e->operation = e->traceparent = e->only = SPAN_NONE;
    e->data = (struct span){data->data, data->length};
}

bool service_event_send(const struct settings *s, struct redis *r, const char *type, const char *subject,
                        const char *actor, json_t *data, struct error *err)
{
    struct append *append = append_new(s, r);
    struct arena *arena = arena_new();
    struct buf text = BUF_INIT;
    struct event event;
    const struct event *one = &event;
    enum append_outcome outcome;
    bool ok;

    if (data)
        json_add(&text, data);
    fill(&event, arena, type, subject, actor, &text);
    ok = append_events(append, &one, 1, &outcome, err) || error_in(err, "this could not be recorded for the audit");
    json_decref(data);
    buf_release(&text);
    arena_free(arena);
    append_free(append);
    return ok;
}
