#include "notifier/completion.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "notifier/envelope.h"
#include "notifier/personal.h"
#include "notifier/salt.h"
#include "notifier/unique.h"

enum { SCRATCH_KEPT_BYTES = 65536 /* from one event to the next */ };

/* What an [event] section of the configuration asks for. */
struct section {
    const struct event_settings *settings;
    struct prepare *prepare;
    struct unique *unique;
};

struct completion {
    const struct settings *settings;
    struct section *sections;
    struct unique *plain; /* of types without a section */
    struct salt *salt;    /* for ids of events that come without one */
    struct buf scratch;
};

static bool section_open(struct completion *c, struct section *section, const struct event_settings *es,
                         struct redis *redis, struct error *err)
{
    section->settings = es;
    section->unique = unique_new(&(struct unique_options){es->unique, es->clicks, (enum id_form)es->id}, err);
    if (!section->unique)
        return error_in(err, "[event %s]", es->type);
    section->prepare = prepare_new(es, personal_counted(c->settings, span_of(es->type)), redis, err);
    return section->prepare != NULL;
}

struct completion *completion_new(const struct settings *settings, struct redis *redis, struct error *err)
{
    struct completion *c = xcalloc(1, sizeof *c);
    bool ok;

    c->settings = settings;
    buf_init(&c->scratch);
    c->plain = unique_new(&(struct unique_options){"", "", ID_DIGEST}, err);
    c->salt = salt_new(redis);
    c->sections = xcalloc(settings->event_count, sizeof *c->sections);
    ok = c->plain != NULL;
    for (size_t i = 0; ok && i < settings->event_count; i++)
        ok = section_open(c, &c->sections[i], &settings->events[i], redis, err);
    if (ok)
        return c;
    completion_free(c);
    return NULL;
}

void completion_free(struct completion *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->settings->event_count; i++) {
        prepare_free(c->sections[i].prepare);
        unique_free(c->sections[i].unique);
    }
    free(c->sections);
    unique_free(c->plain);
    salt_free(c->salt);
    buf_release(&c->scratch);
    free(c);
}

static const struct section *section_of(const struct completion *c, struct span type)
{
    for (size_t i = 0; i < c->settings->event_count; i++)
        if (span_is(type, c->sections[i].settings->type))
            return &c->sections[i];
    return NULL;
}

/* Of personal data the id is made under the day's salt: from a mere digest an address could be found by trying all. */
static bool name(struct completion *c, struct event *e, const json_t *data, struct arena *arena, struct error *err)
{
    struct keyed_hash *key = NULL;

    if (e->id.length > 0)
        return true;
    if (personal_in(data) && !(key = salt_of(c->salt, e->time_us, err)))
        return false;
    envelope_name(e, data, key, arena);
    return true;
}

static struct span keep_text(struct arena *arena, const char *text)
{
    size_t length = strlen(text);

    return length > 0 ? (struct span){arena_copy(arena, text, length), length} : SPAN_NONE;
}

static bool identify(struct unique *unique, struct event *e, const json_t *data, struct arena *arena, struct error *err)
{
    char id[UNIQUE_TEXT_BYTES], click[ID_TEXT_BYTES];

    if (!unique_id(unique, e, data, id, err) || !unique_click(unique, e, data, click, err))
        return false;
    e->unique = keep_text(arena, id);
    e->click = keep_text(arena, click);
    e->latest_wins = unique_latest_wins(unique);
    return true;
}

static bool write_data(struct completion *c, struct event *e, const json_t *data, struct arena *arena,
                       struct error *err)
{
    if (!data)
        return true;
    buf_trim(&c->scratch, SCRATCH_KEPT_BYTES);
    buf_reset(&c->scratch);
    json_add(&c->scratch, data);
    if ((int64_t)c->scratch.length > c->settings->http.event_bytes)
        return error_set(err, ERROR_INPUT, "data is longer than %lld bytes", (long long)c->settings->http.event_bytes);
    e->data = (struct span){arena_copy(arena, c->scratch.data, c->scratch.length), c->scratch.length};
    return true;
}

/* Who did it is as personal as what the preparation takes out. */
enum prepared completion_apply(struct completion *c, struct event *e, json_t *data, struct arena *arena,
                               struct error *err)
{
    const struct section *section = section_of(c, e->type);
    enum prepared verdict = PREPARED_KEEP;

    if (!name(c, e, data, arena, err))
        return PREPARED_FAILED;
    if (section && data)
        verdict = prepare_apply(section->prepare, e, data, err);
    if (verdict != PREPARED_KEEP)
        return verdict;
    if (!section && data && personal_counted(c->settings, e->type))
        personal_strip(data);
    if (section && section->settings->prepare[0])
        e->actor = SPAN_NONE;
    return identify(section ? section->unique : c->plain, e, data, arena, err) && write_data(c, e, data, arena, err)
               ? PREPARED_KEEP
               : PREPARED_FAILED;
}
