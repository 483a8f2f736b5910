/* Sending a webhook again: what waits at once; what was delivered or given up out of a history, under the same id. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/history.h"
#include "handlers/history/history_search.h"
#include "handlers/webhook/webhook_named.h"
#include "indexer/client.h"
#include "notifier/archived.h"

/* One that is to be sent again. */
struct search {
    const struct settings *settings;
    struct arena *arena;
    const char *target, *id;
    struct event event;
    bool found, whole;
};

/* What an attempt at the delivery says of its event: the flat fields. NULL: none is kept. */
static const struct reply *attempt_of(struct search *s, struct webhook_store *store, struct error *err)
{
    const struct reply *entries;

    if (!webhook_store_attempts(store, WEBHOOK_ATTEMPTS_MOST, s->arena, &entries, err))
        return NULL;
    for (size_t i = 0; i < entries->count; i++)
        if (text_same(reply_field_text(&entries->items[i].items[1], "id"), s->id))
            return &entries->items[i].items[1];
    error_set(err, ERROR_INPUT, "%.60s does not wait, and no attempt at it is kept: the attempts at %s have the ids",
              s->id, s->target);
    return NULL;
}

/* Whether this is the event of the delivery, and whether the history has the whole of it: an id may be that of several,
 * from different sources. */
static void look_at(struct search *s, const json_t *document)
{
    struct buf line = BUF_INIT;
    char its[WEBHOOK_ID_BYTES];
    struct error ignored = ERROR_INIT;
    json_t *data = NULL;
    bool ok;

    json_add(&line, document);
    ok = archived_read((struct span){arena_copy(s->arena, line.data, line.length), line.length}, JSON_DEPTH_MOST,
                       s->arena, &s->event, &data, &ignored) &&
         s->event.unique.length > 0;
    buf_release(&line);
    if (ok) {
        archived_set_data(&s->event, data, s->arena);
        webhook_id(s->target, &s->event, its);
    }
    json_decref(data);
    s->found = ok && text_same(its, s->id);
    s->whole = s->found && !json_object_get(document, HISTORY_LEFT_OUT);
}

static bool read_history(struct search *s, const char *event, struct client *client, struct error *err)
{
    struct history_filter filter = {.id = event, .also_type = "", .range = time_range_all};
    struct history_place place;
    struct buf after = BUF_INIT;
    bool ok = history_find(s->settings, NULL, &place, err);

    do {
        json_t *events = NULL;

        ok = ok && history_page(client, &place, &filter, TIMELINE_PAGE_MOST, &after, &events, err);
        for (size_t i = 0; ok && !s->found && i < json_array_size(events); i++)
            look_at(s, json_array_get(events, i));
        json_decref(events);
    } while (ok && !s->found && after.length > 0);
    history_place_release(&place);
    buf_release(&after);
    return ok;
}

static bool find_event(struct search *s, const struct reply *attempt, struct error *err)
{
    struct client *client = client_new(&s->settings->opensearch);
    bool ok = read_history(s, reply_field_text(attempt, "event"), client, err);

    if (ok && !s->found)
        ok = error_set(err, ERROR_INPUT, "the history has its event not, or no more");
    if (ok && !s->whole)
        ok = error_set(err, ERROR_INPUT, "the history has its event without the data, which was too large for it");
    client_free(client);
    return ok || error_in(err, "%.60s was %s", s->id,
                          text_same(reply_field_text(attempt, "fate"), "dead")
                              ? "given up: crier dead retry sends it anew, resend only by a history"
                              : "delivered: it is sent again by a history only");
}

static bool add_again(struct search *s, struct webhook_store *store, const struct webhook_options *o, struct error *err)
{
    const struct reply *attempt = attempt_of(s, store, err);
    const struct event *events[] = {&s->event};
    struct delivery_added added;

    if (!attempt || !find_event(s, attempt, err))
        return false;
    return webhook_store_add(store, &(struct webhook_news){events, 1, clock_wall_us(), o->backlog}, s->arena, &added,
                             err) &&
           (added.kept > 0 ||
            error_set(err, ERROR_INPUT,
                      added.off ? "it is turned off: resume %s first" : "too many wait for %s already", s->target));
}

bool webhook_named_resend(const struct settings *s, struct redis *r, const struct webhook_named *n, const char *id,
                          struct arena *arena, struct error *err)
{
    struct search search = {.settings = s, .arena = arena, .target = n->name, .id = id};
    struct webhook_store *store = webhook_store_new(r, n->name);
    bool was, ok = webhook_store_send_now(store, id, clock_wall_us(), &was, err) &&
                   (was || add_again(&search, store, n->handler->own, err));

    webhook_store_free(store);
    return ok;
}
