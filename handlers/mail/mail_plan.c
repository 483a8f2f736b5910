#include "handlers/mail/mail_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/mail/mail_preferences.h"
#include "handlers/mail/mail_recipients.h"

#define MIB (INT64_C(1024) * 1024)

static const int64_t copies_bytes_most = 16 * MIB; /* an event is kept once for each of its recipients */

static struct delivery_order *add_order(struct mail_plan *o)
{
    if (o->count == o->room) {
        o->room = o->room ? 2 * o->room : 64;
        o->items = xrealloc(o->items, o->room * sizeof *o->items);
    }
    return &o->items[o->count++];
}

static struct mail_digest_order *add_digest_order(struct mail_plan *o)
{
    if (o->digest_count == o->digest_room) {
        o->digest_room = o->digest_room ? 2 * o->digest_room : 64;
        o->digests = xrealloc(o->digests, o->digest_room * sizeof *o->digests);
    }
    return &o->digests[o->digest_count++];
}

/* What an event comes to in one language. */
struct edition {
    const char *language; /* "": the event's */
    struct span item;     /* as digests list it, in the arena; length 0: not made yet */
};

struct editions {
    struct edition *items; /* in the arena */
    size_t count;
};

static struct edition *edition_of(struct editions *all, const char *language)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].language, language) == 0)
            return &all->items[i];
    return NULL;
}

/* One mail in each language is made to see that it can be. */
static bool make_editions(const struct mail_planner *p, const struct event *e, const json_t *data,
                          const struct mail_recipients *to, struct editions *out, struct arena *arena,
                          struct error *err)
{
    struct buf letter = BUF_INIT;
    bool ok = true;

    *out = (struct editions){.items = arena_zero(arena, (to->count + 1) * sizeof *out->items)};
    for (size_t i = 0; ok && i < to->count; i++) {
        if (edition_of(out, to->languages[i]))
            continue;
        buf_reset(&letter);
        ok = mail_letter_add(p->office, &(struct mail_letter){e, data, to->items[i], to->languages[i], "trial", "", 0},
                             &letter, err);
        out->items[out->count++].language = to->languages[i];
    }
    buf_release(&letter);
    return ok;
}

/* Once it is seen that the digest's template takes it. */
static bool make_item(const struct mail_planner *p, const struct event *e, const json_t *data, const char *to,
                      struct edition *edition, struct arena *arena, struct error *err)
{
    struct buf text = BUF_INIT;
    bool ok = mail_digest_item_add(p->office, e, data, edition->language, &text, err);

    edition->item = (struct span){arena_copy(arena, text.data, text.length), text.length};
    buf_release(&text);
    return ok && mail_digest_trial(p->office, to, edition->item, err);
}

static void order(const struct mail_planner *p, const struct event *e, const struct mail_recipients *to, size_t i,
                  struct arena *arena, struct delivery_order *out)
{
    char digest[ID_TEXT_BYTES];

    mail_preference_digest(to->items[i], digest);
    out->event = e;
    out->to = to->items[i];
    out->note = to->languages[i];
    out->who = arena_text(arena, digest);
    delivery_id("mail_", p->office->name, out->to, e, out->id);
}

/* To each as it wants its mails. False: ERROR_INPUT: the event is not good for a digest; ERROR_AGAIN: Redis is away. */
static bool order_all(struct mail_planner *p, const struct event *e, const json_t *data,
                      const struct mail_recipients *to, struct editions *editions, struct mail_plan *orders,
                      struct arena *arena, struct error *err)
{
    bool may_wait = p->office->digests && !span_is(e->type, MAIL_DIGEST_TYPE);
    enum mail_frequency *wanted = arena_zero(arena, (to->count + 1) * sizeof *wanted);

    if (may_wait && !mail_preferences_get(p->redis, p->office->name, to->items, to->count, arena, wanted, err))
        return false;
    for (size_t i = 0; i < to->count; i++) {
        struct edition *edition = edition_of(editions, to->languages[i]);
        struct delivery_order *one;

        if (wanted[i] != MAIL_DAILY && wanted[i] != MAIL_WEEKLY) {
            order(p, e, to, i, arena, add_order(orders));
            continue;
        }
        if (edition->item.length == 0 && !make_item(p, e, data, to->items[i], edition, arena, err))
            return false;
        order(p, e, to, i, arena, one = arena_zero(arena, sizeof *one));
        *add_digest_order(orders) = (struct mail_digest_order){one, wanted[i], edition->item};
    }
    return true;
}

/* Of crier's own events some say who is to be told, and others nobody: nobody made a mistake. */
static bool is_own(const struct event *e)
{
    static const char prefix[] = "crier.";

    return e->type.length > strlen(prefix) && memcmp(e->type.text, prefix, strlen(prefix)) == 0;
}

/* The event's deliveries into orders; *reason: why it is, or a part of it, for the dead letters, NULL where nothing is.
 */
static bool plan(struct mail_planner *p, const struct event *e, const json_t *data, struct mail_plan *orders,
                 struct arena *arena, const char **reason, struct error *err)
{
    size_t count = orders->count, digest_count = orders->digest_count;
    struct mail_recipients to;
    struct editions editions;

    if (!mail_recipients_find(p->directory, e, data, arena, &to, err))
        return false;
    if (to.count > 1 && (int64_t)(to.count * e->data.length) > copies_bytes_most) {
        *reason = arena_printf(
            arena,
            "%zu recipients are too many for an event with %zu bytes of data: all copies together may have %d MiB",
            to.count, e->data.length, (int)(copies_bytes_most / MIB));
        return true;
    }
    if (!make_editions(p, e, data, &to, &editions, arena, err) ||
        !order_all(p, e, data, &to, &editions, orders, arena, err)) {
        orders->count = count;
        orders->digest_count = digest_count;
        *reason = arena_text(arena, err->text);
        return err->kind != ERROR_AGAIN;
    }
    if (to.wrong > 0 && !(to.nowhere && is_own(e)))
        *reason = arena_printf(arena, "%zu of %zu values at %s are missing, %s, or beyond %d", to.wrong,
                               to.wrong + to.count, p->office->options->to,
                               *p->office->options->source ? "lead to no mail address at the source"
                                                           : "no mail address (name@example.org)",
                               MAIL_RECIPIENTS_MOST);
    return true;
}

/* The event's data; *reason: why it cannot be read. Yours to decref. */
static json_t *read_data(const struct event *e, struct arena *arena, const char **reason)
{
    struct error what = ERROR_INIT;
    json_t *data = e->data.length ? json_text_parse(e->data.text, e->data.length, JSON_DEPTH_MOST, &what) : NULL;

    *reason = what.kind != ERROR_NONE ? arena_text(arena, what.text) : NULL;
    return data;
}

static bool plan_event(struct mail_planner *p, const struct event *e, struct mail_plan *orders, struct arena *arena,
                       const char **reason, struct error *err)
{
    json_t *data = read_data(e, arena, reason);
    bool ok = *reason || plan(p, e, data, orders, arena, reason, err);

    json_decref(data);
    return ok;
}

/* Who is to get the mails of a batch is asked for at once, where a source has them. */
static bool prepare(struct mail_planner *p, const struct batch *in, struct error *err)
{
    bool ok = true;

    mail_directory_forget(p->directory);
    for (size_t i = 0; ok && mail_directory_has_source(p->directory) && i < in->count; i++) {
        const struct event *e = &in->items[i].event;
        const char *reason;
        json_t *data;

        if (in->items[i].outcome != OUTCOME_NONE)
            continue;
        data = read_data(e, in->arena, &reason);
        ok = reason || mail_recipients_prepare(p->directory, e, data, in->arena, err);
        json_decref(data);
    }
    return ok;
}

static bool plan_all(struct mail_planner *p, const struct batch *in, struct mail_plan *out, struct error *err)
{
    for (size_t i = 0; i < in->count; i++) {
        struct mail_planned *said = &out->events[i];

        if (in->items[i].outcome == OUTCOME_NONE &&
            !plan_event(p, &in->items[i].event, out, in->arena, &said->reason, err))
            return false;
        said->end = out->count;
        said->digest_end = out->digest_count;
    }
    return true;
}

bool mail_plan_make(struct mail_planner *p, const struct batch *in, struct mail_plan *out, struct error *err)
{
    *out = (struct mail_plan){.events = arena_zero(in->arena, (in->count + 1) * sizeof *out->events)};
    return prepare(p, in, err) && plan_all(p, in, out, err);
}

void mail_plan_release(struct mail_plan *p)
{
    free(p->items);
    free(p->digests);
}
