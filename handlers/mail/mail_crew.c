#include "handlers/mail/mail_crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "handlers/mail/mail_digest.h"
#include "handlers/mail/mail_link.h"
#include "handlers/mail/mail_preferences.h"
#include "handlers/mail/mail_sender.h"
#include "notifier/dead.h"

enum {
    LOOK_MS_MOST = 500,
    HOLD_TIMEOUTS = 4,   /* two tries and a farewell (base/smtp.h), and noting what came of it ... */
    HOLD_MORE_MS = 5000, /* ... and so much longer */
    SETTLE_AGAIN_US = 500000,
    FATES = DELIVERY_DEAD + 1,
};

struct member {
    struct mail_crew *crew;
    struct redis *redis;
    struct delivery_store store, digests;
    struct mail_sender *sender;
    struct arena *arena;
    pthread_t thread;
};

struct mail_crew {
    const struct settings *settings;
    const struct mail_office *office;
    struct member *members;
    size_t count;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    bool stop;
    struct counter *attempts[FATES], *off;
};

/* ------------------------------------------------------------------------------------------------------- members */

/* The letter first: a crash between the two leads to one more try and one more letter, never to none. */
static bool settle_once(struct member *m, struct delivery_store *store, const struct delivery_claim *claim,
                        const struct delivery_attempt *a, bool *lettered, struct error *err)
{
    const struct mail_office *o = m->crew->office;
    int64_t failing_us;

    if (a->fate == DELIVERY_DEAD && !*lettered &&
        !dead_add(m->redis, o->queue, o->name, &claim->event, claim->tries + 1,
                  arena_printf(m->arena, "to %s: %s", claim->to, a->error), a->reply.text, err))
        return false;
    *lettered = true;
    return delivery_store_settle(store, claim, a, m->arena, &failing_us, err);
}

/* Until something may be due, or is said to be. False: the crew is to end. */
static bool wait_due(struct mail_crew *c, int64_t wait_us)
{
    int64_t most_us = INT64_C(1000) * LOOK_MS_MOST;
    struct timespec until;
    bool stop;

    if (wait_us < 0 || wait_us > most_us)
        wait_us = most_us;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)wait_us * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&c->mutex);
    if (!c->stop && wait_us > 0)
        pthread_cond_timedwait(&c->woken, &c->mutex, &until);
    stop = c->stop;
    pthread_mutex_unlock(&c->mutex);
    return !stop;
}

/* "" where none is wanted. The key is asked for each time: an emptied Redis has a new one. */
static bool make_link(struct member *m, const char *to, const char **out, struct error *err)
{
    const struct mail_office *o = m->crew->office;
    struct mail_link_key key;

    *out = "";
    if (!*o->options->one_click)
        return true;
    if (!mail_link_key_get(m->redis, m->arena, &key, err))
        return false;
    *out = mail_link(&key, o->options->one_click, o->name, to, m->arena);
    return true;
}

static struct delivery_attempt not_sent(const char *why)
{
    return (struct delivery_attempt){
        .fate = DELIVERY_DONE, .started_us = clock_wall_us(), .error = why, .reply = SPAN_NONE};
}

/* Asked as late as can be: who turned mails off gets none of those that wait, either. */
static bool attempt(struct member *m, const struct delivery_claim *claim, struct delivery_attempt *out,
                    struct error *err)
{
    enum mail_frequency wanted;
    const char *one_click;

    if (!mail_preference_get(m->redis, m->crew->office->name, claim->to, m->arena, &wanted, err))
        return false;
    if (wanted == MAIL_OFF) {
        *out = not_sent("not sent: the recipient wants no mail");
        counter_add(m->crew->off, 1);
        return true;
    }
    if (!make_link(m, claim->to, &one_click, err))
        return false;
    mail_sender_try(m->sender, claim, one_click, m->arena, out);
    counter_add(m->crew->attempts[out->fate], 1);
    return true;
}

static bool claim_due(struct member *m, struct delivery_store *store, struct delivery_claim *claim, struct error *err)
{
    int64_t hold_us = (HOLD_TIMEOUTS * m->crew->office->options->timeout_ms + HOLD_MORE_MS) * 1000;

    return delivery_store_claim(store, clock_wall_us(), hold_us, m->arena, claim, err);
}

/* What was sent and cannot be noted goes out a second time: a Redis that is away is asked again while the claim lasts.
 */
static bool settle(struct member *m, struct delivery_store *store, const struct delivery_claim *claim,
                   const struct delivery_attempt *a, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + m->crew->office->options->timeout_ms;
    bool lettered = false;

    while (!settle_once(m, store, claim, a, &lettered, err))
        if (err->kind != ERROR_AGAIN || clock_monotonic_ms() >= until_ms || !wait_due(m->crew, SETTLE_AGAIN_US))
            return false;
    *err = (struct error)ERROR_INIT;
    return true;
}

static bool send_digest(struct member *m, struct delivery_claim *claim, struct error *err)
{
    struct delivery_attempt outcome;
    bool some;

    if (!mail_digest_load(&m->digests, claim, m->arena, &some, err))
        return false;
    if (!some) /* it was sent, and settled by another */
        outcome = not_sent("not sent: there is nothing in it");
    else if (!attempt(m, claim, &outcome, err))
        return false;
    return settle(m, &m->digests, claim, &outcome, err) &&
           (outcome.fate == DELIVERY_AGAIN || mail_digest_drop(&m->digests, claim->id, m->arena, err));
}

/* One mail, if one is due, of those by themselves first. Returns how long nothing is: 0 after a mail, -1 where it is
 * not known. */
static int64_t work(struct member *m, struct error *err)
{
    struct delivery_claim claim, digest;
    struct delivery_attempt outcome;

    arena_reset(m->arena);
    if (!claim_due(m, &m->store, &claim, err))
        return -1;
    if (*claim.id)
        return attempt(m, &claim, &outcome, err) && settle(m, &m->store, &claim, &outcome, err) ? 0 : -1;
    if (!claim_due(m, &m->digests, &digest, err))
        return -1;
    if (*digest.id)
        return send_digest(m, &digest, err) ? 0 : -1;
    mail_sender_rest(m->sender);
    return claim.wait_us < 0 || (digest.wait_us >= 0 && digest.wait_us < claim.wait_us) ? digest.wait_us
                                                                                        : claim.wait_us;
}

/* What cannot be settled is due again when its claim ends, with the same Message-ID. */
static void *member_main(void *context)
{
    static struct log_limit limit = LOG_LIMIT_INIT;
    struct member *m = context;
    int64_t wait_us = 0;

    while (wait_due(m->crew, wait_us)) {
        struct error err = ERROR_INIT;

        wait_us = work(m, &err);
        if (err.kind != ERROR_NONE)
            log_limited(&limit, LOG_LEVEL_WARN, "mail %s: %s", m->crew->office->name, err.text);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------- the crew */

static struct counter *attempts_counter(const struct mail_crew *c, const char *outcome)
{
    return counter_with(COUNTER_TOTAL, "crier_mail_attempts_total", "attempts at mails to one recipient", "handler",
                        c->office->name, "outcome", outcome, NULL);
}

static void open_counters(struct mail_crew *c)
{
    c->attempts[DELIVERY_DONE] = attempts_counter(c, "done");
    c->attempts[DELIVERY_AGAIN] = attempts_counter(c, "again");
    c->attempts[DELIVERY_DEAD] = attempts_counter(c, "dead");
    c->off = attempts_counter(c, "off");
}

static void member_open(struct member *m, struct mail_crew *c)
{
    m->crew = c;
    m->redis = settings_redis(c->settings);
    delivery_store_init(&m->store, m->redis, MAIL_AREA, c->office->name);
    m->store.remember_s = MAIL_REMEMBER_S;
    mail_digest_store_init(&m->digests, m->redis, c->office->name);
    m->sender = mail_sender_new(c->office);
    m->arena = arena_new();
}

struct mail_crew *mail_crew_start(const struct settings *s, const struct mail_office *o)
{
    struct mail_crew *c = xcalloc(1, sizeof *c);
    pthread_condattr_t monotonic;

    c->settings = s;
    c->office = o;
    c->count = (size_t)o->options->concurrency;
    c->members = xcalloc(c->count, sizeof *c->members);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    open_counters(c);
    for (size_t i = 0; i < c->count; i++)
        member_open(&c->members[i], c);
    for (size_t i = 0; i < c->count; i++)
        pthread_create(&c->members[i].thread, NULL, member_main, &c->members[i]);
    return c;
}

void mail_crew_wake(struct mail_crew *c)
{
    pthread_mutex_lock(&c->mutex);
    pthread_cond_broadcast(&c->woken);
    pthread_mutex_unlock(&c->mutex);
}

void mail_crew_join(struct mail_crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    c->stop = true;
    pthread_cond_broadcast(&c->woken);
    pthread_mutex_unlock(&c->mutex);
    for (size_t i = 0; i < c->count; i++) {
        pthread_join(c->members[i].thread, NULL);
        mail_sender_free(c->members[i].sender);
        delivery_store_release(&c->members[i].store);
        delivery_store_release(&c->members[i].digests);
        redis_free(c->members[i].redis);
        arena_free(c->members[i].arena);
    }
    pthread_cond_destroy(&c->woken);
    pthread_mutex_destroy(&c->mutex);
    free(c->members);
    free(c);
}
