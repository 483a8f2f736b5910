#include "handlers/mail/mail_crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "handlers/delivery/delivery_round.h"
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
    struct arena *arena;         /* of the mail in hand */
    struct delivery_claim ahead; /* taken by the question that settled the one before; id "": none was */
    struct arena *ahead_arena;
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

static bool is_over(struct mail_crew *c)
{
    bool stop;

    pthread_mutex_lock(&c->mutex);
    stop = c->stop;
    pthread_mutex_unlock(&c->mutex);
    return stop;
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

/* As of the claim, after which the mail is sent at once: who turned mails off gets none of those that wait, either. */
static bool wish_of(struct member *m, const struct delivery_claim *claim, enum mail_frequency *out, struct error *err)
{
    if (!claim->wishes) /* a digest, or kept by an older crier */
        return mail_preference_get(m->redis, m->crew->office->name, claim->to, m->arena, out, err);
    *out = mail_preference_of(claim->wishes);
    return true;
}

static bool attempt(struct member *m, const struct delivery_claim *claim, struct delivery_attempt *out,
                    struct error *err)
{
    enum mail_frequency wanted;
    const char *one_click;

    if (!wish_of(m, claim, &wanted, err))
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

static int64_t hold_us(const struct member *m)
{
    return (HOLD_TIMEOUTS * m->crew->office->options->timeout_ms + HOLD_MORE_MS) * 1000;
}

static bool claim_due(struct member *m, struct delivery_store *store, struct delivery_claim *claim, struct error *err)
{
    return delivery_store_claim(store, clock_wall_us(), hold_us(m), m->arena, claim, err);
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

/* By one question the mail in hand is settled and the next one taken, but where the crew is to end. A letter comes
 * before both. Where that fails the mail in hand counts, as it was sent: what was taken is due again when its claim
 * ends.
 */
static bool settle_and_claim(struct member *m, struct delivery_claim *claim, const struct delivery_attempt *a,
                             struct error *err)
{
    struct delivery_move moves[] = {
        {.store = &m->store, .arena = m->arena,       .claim = claim,     .attempt = a         },
        {.store = &m->store, .arena = m->ahead_arena, .claim = &m->ahead, .hold_us = hold_us(m)},
    };
    struct error ignored;

    if (a->fate == DELIVERY_DEAD || is_over(m->crew))
        return settle(m, &m->store, claim, a, err);
    if (!delivery_round(m->redis, moves, ARRAY_LENGTH(moves), clock_wall_us(), &ignored) || !moves[0].ok) {
        m->ahead.id = "";
        return settle(m, &m->store, claim, a, err);
    }
    if (!moves[1].ok) {
        m->ahead.id = "";
        *err = moves[1].err;
    } else if (strcmp(m->ahead.id, claim->id) == 0) {
        m->ahead.id = ""; /* Redis had forgotten how to settle, so the claim came first: no second mail of that */
    }
    return moves[1].ok;
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

/* The mail taken ahead, or else one that is due. False: Redis is away. */
static bool take(struct member *m, struct delivery_claim *out, struct error *err)
{
    struct arena *done = m->arena;

    m->arena = m->ahead_arena;
    m->ahead_arena = done;
    arena_reset(done);
    *out = m->ahead;
    m->ahead.id = "";
    if (*out->id)
        return true;
    arena_reset(m->arena);
    return claim_due(m, &m->store, out, err);
}

/* One mail, if one is due, of those by themselves first. Returns how long nothing is: 0 after a mail, -1 where it is
 * not known. */
static int64_t work(struct member *m, struct error *err)
{
    struct delivery_claim claim, digest;
    struct delivery_attempt outcome;

    if (!take(m, &claim, err))
        return -1;
    if (*claim.id)
        return attempt(m, &claim, &outcome, err) && settle_and_claim(m, &claim, &outcome, err) ? 0 : -1;
    if (!claim_due(m, &m->digests, &digest, err))
        return -1;
    if (*digest.id)
        return send_digest(m, &digest, err) ? 0 : -1;
    mail_sender_rest(m->sender);
    return claim.wait_us < 0 || (digest.wait_us >= 0 && digest.wait_us < claim.wait_us) ? digest.wait_us
                                                                                        : claim.wait_us;
}

/* What cannot be settled is due again when its claim ends, with the same Message-ID. One that was taken ahead is sent
 * before the end, or it would wait for that. */
static void *member_main(void *context)
{
    static struct log_limit limit = LOG_LIMIT_INIT;
    struct member *m = context;
    int64_t wait_us = 0;

    while (wait_due(m->crew, wait_us) || *m->ahead.id) {
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
    m->store.wishes = MAIL_PREFERENCES_KEY;
    mail_digest_store_init(&m->digests, m->redis, c->office->name);
    m->sender = mail_sender_new(c->office);
    m->arena = arena_new();
    m->ahead_arena = arena_new();
    m->ahead.id = "";
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
        arena_free(c->members[i].ahead_arena);
    }
    pthread_cond_destroy(&c->woken);
    pthread_mutex_destroy(&c->mutex);
    free(c->members);
    free(c);
}
