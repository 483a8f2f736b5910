#include "handlers/webhook/webhook_roster.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/stop.h"
#include "handlers/webhook/subscription.h"
#include "handlers/webhook/webhook_off.h"
#include "handlers/webhook/webhook_store.h"
#include "notifier/pattern.h"

enum { LOOK_MS = 1000 };

struct member {
    char digest[ID_TEXT_BYTES]; /* of all that the subscription says: another one is another member */
    struct arena *arena;        /* its texts */
    struct webhook_options options;
    const char *events, *within, *owner;
    struct webhook_target *target;
    struct webhook_store *store;
    struct webhook_seat *seat; /* NULL: closed, what comes is kept for whoever can open it */
    bool stays;                /* for refresh */
    struct member *next;
};

struct webhook_roster {
    const struct settings *settings;
    const struct handler_settings *common;
    const struct webhook_options *options;
    struct webhook_crew *crew;
    struct redis *redis; /* under the mutex, as all that follows */
    struct subscriptions subscriptions;
    pthread_mutex_t mutex;
    struct member *members, *leaving;
    int64_t version; /* of the subscriptions known; -1: none are */
    struct counter *passed_by;
    struct stop *stop;
    pthread_t keeper; /* where there are subscriptions */
    bool kept;
};

/* ----------------------------------------------------------------------------------------------------- members */

static void member_free(struct member *m)
{
    webhook_seat_leave(m->seat);
    webhook_store_free(m->store);
    webhook_target_free(m->target);
    arena_free(m->arena);
    free(m);
}

/* Takes options that are lent for as long as the arena. */
static bool member_start(struct webhook_roster *r, struct member *m, const char *name, bool closed, struct error *err)
{
    m->target = (closed ? webhook_target_closed : webhook_target_new)(name, r->common, &m->options, err);
    if (!m->target)
        return false;
    m->target->owner = m->owner;
    m->store = webhook_store_new(r->redis, name);
    if (!closed)
        m->seat = webhook_crew_seat(r->crew, m->target);
    m->next = r->members;
    r->members = m;
    return true;
}

static struct member *member_new(void)
{
    struct member *m = xcalloc(1, sizeof *m);

    m->arena = arena_new();
    m->events = m->within = m->owner = "";
    m->stays = true;
    return m;
}

static bool add_own(struct webhook_roster *r, struct error *err)
{
    struct member *m = member_new();

    m->options = *r->options;
    if (member_start(r, m, r->common->name, false, err))
        return true;
    member_free(m);
    return false;
}

static void digest_of(const struct subscription *s, char out[ID_TEXT_BYTES])
{
    const char *const parts[] = {s->id,      s->url,       s->secret, s->events,     s->within, s->payload,
                                 s->headers, s->condition, s->owner,  s->owner_mail, s->closed};
    struct digest *d = digest_new();

    digest_start(d);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        digest_part(d, parts[i], strlen(parts[i]));
    digest_end_id(d, out);
    digest_free(d);
}

/*
 * One that the section does not allow (any more) is left out and said; its deliveries wait. To one that does not open
 * nothing is sent from here, but what it wants is kept: another process may have its key, or this one tomorrow.
 */
static void add_subscription(struct webhook_roster *r, const struct subscription *s, const char *digest)
{
    struct member *m = member_new();
    struct error err;

    memcpy(m->digest, digest, sizeof m->digest);
    m->options = subscription_options(s, r->options, m->arena);
    m->events = arena_text(m->arena, s->events);
    m->within = arena_text(m->arena, s->within);
    m->owner = arena_text(m->arena, s->owner);
    if (*s->closed)
        log_warn("webhook %s: %s; what comes waits until a key in [redis] sealing_key opens it", s->id, s->closed);
    if ((*s->closed || subscription_check(s, r->options, &err)) &&
        member_start(r, m, arena_text(m->arena, s->id), *s->closed, &err))
        return;
    log_warn("webhook %s: %s", s->id, err.text);
    member_free(m);
}

/* ------------------------------------------------------------------------------------------------------ changes */

static struct member *find(struct webhook_roster *r, const char *digest)
{
    for (struct member *m = r->members; m; m = m->next)
        if (strcmp(m->digest, digest) == 0)
            return m;
    return NULL;
}

/* Ending a crew may take its time: that is left to the keeper. */
static void part_with(struct webhook_roster *r)
{
    struct member **at = &r->members;

    while (*at) {
        struct member *m = *at;

        if (m->stays) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        m->next = r->leaving;
        r->leaving = m;
    }
}

static bool read_again(struct webhook_roster *r, struct arena *arena, struct error *err)
{
    struct subscription *list;
    size_t count;

    if (!subscription_list(&r->subscriptions, arena, &list, &count, err))
        return false;
    for (struct member *m = r->members; m; m = m->next)
        m->stays = false;
    for (size_t i = 0; i < count; i++) {
        char digest[ID_TEXT_BYTES];
        struct member *m;

        digest_of(&list[i], digest);
        m = find(r, digest);
        if (m)
            m->stays = true;
        else
            add_subscription(r, &list[i], digest);
    }
    part_with(r);
    return true;
}

/* Under the mutex. The version first: what changes behind it is seen next time. */
static bool refresh(struct webhook_roster *r, struct arena *arena, struct error *err)
{
    int64_t version;

    if (*r->options->url)
        return true;
    if (!subscription_version(&r->subscriptions, arena, &version, err))
        return false;
    if (version == r->version)
        return true;
    if (!read_again(r, arena, err))
        return false;
    r->version = version;
    return true;
}

static void bid_farewell(struct webhook_roster *r)
{
    struct member *m;

    pthread_mutex_lock(&r->mutex);
    m = r->leaving;
    r->leaving = NULL;
    pthread_mutex_unlock(&r->mutex);
    while (m) {
        struct member *next = m->next;

        member_free(m);
        m = next;
    }
}

/* So that what waits for a subscription goes out, also where no event comes. */
static void *keep(void *context)
{
    struct log_limit limit = LOG_LIMIT_INIT;
    struct webhook_roster *r = context;
    struct arena *arena = arena_new();

    do {
        struct error err;
        bool ok;

        arena_reset(arena);
        pthread_mutex_lock(&r->mutex);
        ok = refresh(r, arena, &err);
        webhook_crew_muster(r->crew);
        pthread_mutex_unlock(&r->mutex);
        if (!ok)
            log_limited(&limit, LOG_LEVEL_WARN, "handler %s: %s; the subscriptions known last count", r->common->name,
                        err.text);
        bid_farewell(r);
    } while (!stop_sleep(r->stop, LOOK_MS));
    arena_free(arena);
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------- the roster */

struct webhook_roster *webhook_roster_new(const struct settings *s, const struct handler_settings *hs,
                                          struct error *err)
{
    struct webhook_roster *r = xcalloc(1, sizeof *r);

    r->settings = s;
    r->common = hs;
    r->options = hs->own;
    r->redis = settings_redis(s);
    r->subscriptions = (struct subscriptions){r->redis, s->redis.seal, hs->name};
    r->version = -1;
    r->stop = stop_new();
    pthread_mutex_init(&r->mutex, NULL);
    r->passed_by = counter_with(COUNTER_TOTAL, "crier_webhook_passed_by_total",
                                "events not sent, as the target is turned off", "handler", hs->name, NULL);
    r->crew = webhook_crew_new(s, r->options, err);
    if (!r->crew || (*r->options->url && !add_own(r, err))) {
        webhook_roster_free(r);
        return NULL;
    }
    r->kept = !*r->options->url && pthread_create(&r->keeper, NULL, keep, r) == 0;
    return r;
}

void webhook_roster_free(struct webhook_roster *r)
{
    if (!r)
        return;
    stop_raise(r->stop);
    if (r->kept)
        pthread_join(r->keeper, NULL);
    if (r->crew)
        webhook_crew_stop(r->crew); /* all at once, rather than one after the other */
    for (struct member *m = r->members; m; m = m->next)
        m->stays = false;
    part_with(r);
    bid_farewell(r);
    webhook_crew_free(r->crew);
    pthread_mutex_destroy(&r->mutex);
    redis_free(r->redis);
    stop_free(r->stop);
    free(r);
}

static bool wants(const struct member *m, const struct event *e)
{
    return (!*m->events || patterns_match(m->events, e->type)) && (!*m->within || patterns_match(m->within, e->type)) &&
           condition_holds(m->target->condition, e);
}

/* One that nobody reads must not fill Redis, which all the others share. */
static bool overflow(struct webhook_roster *r, struct member *m, struct error *err)
{
    char reason[80];

    snprintf(reason, sizeof reason, "more than %lld events wait for it", (long long)m->options.backlog);
    return webhook_turn_off(r->settings, r->redis, m->store, m->target, reason, err);
}

/*
 * What is not sent is not kept either: once for each target it would fill Redis. Where the operator's own condition
 * reads the data it stays, so that a dead letter still fulfils it.
 */
static const struct event *as_sent(const struct webhook_roster *r, const struct member *m, const struct event *e,
                                   struct arena *arena)
{
    bool asked_again = *r->options->url && *m->options.condition;
    struct event *thin;

    if (asked_again ||
        (m->options.payload == PAYLOAD_CLOUDEVENTS && e->data.length <= (size_t)m->options.largest_bytes))
        return e;
    thin = arena_alloc(arena, sizeof *thin);
    *thin = *e;
    thin->data = SPAN_NONE;
    return thin;
}

static bool hand_out(struct webhook_roster *r, struct member *m, const struct event *const *events, size_t count,
                     struct arena *arena, struct error *err)
{
    const struct event **chosen = arena_alloc(arena, (count + 1) * sizeof(struct event *));
    struct webhook_news news = {.events = chosen, .now_us = clock_wall_us(), .most_waiting = m->options.backlog};
    struct delivery_added added;

    for (size_t i = 0; i < count; i++)
        if (wants(m, events[i]))
            chosen[news.count++] = as_sent(r, m, events[i], arena);
    if (news.count == 0)
        return true;
    if (!webhook_store_add(m->store, &news, arena, &added, err))
        return false;
    counter_add(r->passed_by, (int64_t)(added.off + added.too_many));
    if (added.kept > 0 && m->seat)
        webhook_seat_wake(m->seat);
    return added.too_many == 0 || overflow(r, m, err);
}

bool webhook_roster_take(struct webhook_roster *r, const struct event *const *events, size_t count, struct arena *arena,
                         struct error *err)
{
    bool ok;

    pthread_mutex_lock(&r->mutex);
    webhook_crew_muster(r->crew);
    ok = refresh(r, arena, err);
    for (struct member *m = r->members; ok && m; m = m->next)
        ok = hand_out(r, m, events, count, arena, err);
    pthread_mutex_unlock(&r->mutex);
    return ok;
}
