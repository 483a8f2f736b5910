#include "notifier/platform/platform_door.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/hash.h"
#include "base/log.h"
#include "config/check.h"
#include "notifier/intake.h"
#include "notifier/pattern.h"
#include "notifier/personal.h"
#include "notifier/platform/kombu_message.h"
#include "notifier/platform/kombu_queue.h"
#include "notifier/refusal.h"
#include "notifier/salt.h"

enum {
    PAUSE_LEAST_MS = 250,
    PAUSE_MOST_MS = 10000,
    BIND_EVERY_MS = 60000, /* whoever deletes the queue takes its binding along */
    NAME_BYTES = 200,
    ENVELOPE_BYTES = 8192, /* what kombu writes around a body */
};

static const char door_name[] = "platform-door";

/* A queue of the platform's, and the type that its events get. */
struct mapping {
    char *queue, *type, *source;
    bool prepared; /* by the section of its type, which needs to know who it was */
    struct counter *outcomes[INTAKE_UNAVAILABLE + 1];
    int64_t due_ms, bind_at_ms; /* when it is looked at again, and bound again */
    int failures;               /* in a row */
};

struct platform_door {
    const struct settings *settings;
    struct stop *stop;
    struct mapping *mappings;
    size_t count;
    struct redis *broker, *own;
    struct intake *intake;
    struct salt *salt;   /* for what is told of messages that are no events */
    struct arena *arena; /* of one batch */
    const struct kombu_waiting **gone;
    pthread_t thread;
};

/* ------------------------------------------------------------------------------------------- the configuration */

/* One word QUEUE=TYPE; its two sides are yours to free. */
static bool read_mapping(const char *word, size_t length, char **queue, char **type, struct error *err)
{
    const char *sign = memchr(word, '=', length);
    size_t name = sign ? (size_t)(sign - word) : 0;

    if (name == 0 || name > NAME_BYTES)
        return error_set(err, ERROR_CONFIG, "\"%.*s\" is not QUEUE=TYPE (stats-record-view=record-view)",
                         (int)(length < 80 ? length : 80), word);
    *queue = xstrndup(word, name);
    *type = xstrndup(sign + 1, length - name - 1);
    return check_event_type(*type, err);
}

bool platform_queues_check(const char *queues, struct error *err)
{
    const char *word;
    size_t length;
    bool ok = true;

    while (ok && text_word(&queues, &word, &length)) {
        char *queue = NULL, *type = NULL;

        ok = read_mapping(word, length, &queue, &type, err);
        free(queue);
        free(type);
    }
    return ok;
}

static void mapping_release(struct mapping *m)
{
    free(m->queue);
    free(m->type);
    free(m->source);
    *m = (struct mapping){0};
}

static void count_outcomes(struct mapping *m)
{
    for (int i = 0; i <= INTAKE_UNAVAILABLE; i++) {
        struct buf labels = BUF_INIT;

        counter_label(&labels, "queue", m->queue);
        counter_label(&labels, "outcome", intake_outcome_name((enum intake_outcome)i));
        m->outcomes[i] = counter_get(COUNTER_TOTAL, "crier_platform_messages_total",
                                     "messages of the platform's queues", labels.data);
        buf_release(&labels);
    }
}

/* A queue whose type nobody here wants is left to whoever reads it now. */
static bool add_mapping(struct platform_door *d, const char *word, size_t length, struct error *err)
{
    struct mapping *m = &d->mappings[d->count++];
    struct buf source = BUF_INIT;

    if (!read_mapping(word, length, &m->queue, &m->type, err))
        return false;
    if (!patterns_queue(d->settings, m->type)) {
        log_info("no queue wants %s: the platform's queue %s is left alone", m->type, m->queue);
        mapping_release(m);
        d->count--;
        return true;
    }
    buf_printf(&source, "platform:%s", m->queue);
    m->source = buf_take(&source);
    m->prepared = personal_prepared(d->settings, m->type);
    count_outcomes(m);
    return true;
}

static bool open_mappings(struct platform_door *d, struct error *err)
{
    const char *at = d->settings->platform.queues, *word;
    size_t length, words = 0;

    while (text_word(&at, &word, &length))
        words++;
    d->mappings = xcalloc(words + 1, sizeof *d->mappings);
    at = d->settings->platform.queues;
    while (text_word(&at, &word, &length))
        if (!add_mapping(d, word, length, err))
            return error_in(err, "[platform] queues");
    return true;
}

/* --------------------------------------------------------------------------------------------------- one batch */

/* Adds what the message holds to the intake; what is no event as refused, so that each message has its result. */
static void add_message(struct platform_door *d, const struct mapping *m, const struct kombu_waiting *waiting)
{
    const struct http_settings *limits = &d->settings->http;
    struct kombu_message message;
    struct error err = ERROR_INIT;
    json_t *event;

    if (!waiting->bytes) {
        intake_add_refused(d->intake, "longer than an event may be");
        return;
    }
    if (!kombu_message_read(waiting->bytes, waiting->length, (int)limits->depth, d->arena, &message, &err)) {
        intake_add_refused(d->intake, err.text);
        return;
    }
    if (!m->prepared)
        personal_strip(message.payload);
    event = json_pack("{s:s, s:s, s:o}", "event_type", m->type, "source", m->source, "payload", message.payload);
    if (message.tag[0])
        json_object_set_new(event, "id", json_string(message.tag));
    intake_add_json(d->intake, event);
    json_decref(event);
}

/* Under the day's salt: from a mere digest of a message without anything random the address in it could be found. */
static bool message_digest(struct platform_door *d, const struct kombu_waiting *waiting, char out[ID_TEXT_BYTES],
                           struct error *err)
{
    struct keyed_hash *hash = salt_of(d->salt, clock_wall_us(), err);
    const char *text;

    if (!hash)
        return false;
    text = arena_printf(d->arena, "message|%s", waiting->sha);
    keyed_hash_id(hash, text, strlen(text), out);
    return true;
}

/* False: it could not be noted, and the message stays. */
static bool bury(struct platform_door *d, const struct mapping *m, const struct kombu_waiting *waiting,
                 const char *reason, struct error *err)
{
    char digest[ID_TEXT_BYTES];

    return message_digest(d, waiting, digest, err) &&
           refusal_bury(d->settings, d->own,
                        &(struct refusal){door_name, m->source, m->type, reason, digest, waiting->length}, err);
}

/* Which of the messages may go: those with a place of their own elsewhere. False: some have none; err says why. */
static bool settle(struct platform_door *d, struct mapping *m, const struct kombu_waiting *waiting, size_t count,
                   size_t *gone, struct error *err)
{
    const struct intake_result *results = intake_send(d->intake);
    bool all = true;

    *gone = 0;
    for (size_t i = 0; i < count; i++) {
        const struct intake_result *result = &results[i];
        bool safe = true;

        counter_add(m->outcomes[result->outcome], 1);
        if (result->outcome == INTAKE_UNAVAILABLE)
            safe = error_set(err, ERROR_AGAIN, "%s", result->reason);
        else if (result->outcome == INTAKE_REFUSED)
            safe = bury(d, m, &waiting[i], result->reason, err);
        all = all && safe;
        if (safe)
            d->gone[(*gone)++] = &waiting[i];
    }
    return all;
}

/* Takes over one batch of a list; *count messages were there. */
static bool take_batch(struct platform_door *d, struct mapping *m, const char *list, size_t *count, struct error *err)
{
    int64_t message_bytes = d->settings->http.event_bytes / 3 * 4 + ENVELOPE_BYTES;
    struct kombu_waiting *waiting;
    struct error not_settled = ERROR_INIT;
    size_t gone;
    bool settled;

    if (!kombu_peek(d->broker, list, (size_t)d->settings->platform.batch, message_bytes, d->arena, &waiting, count,
                    err))
        return false;
    if (*count == 0)
        return true;
    intake_start(d->intake);
    for (size_t i = 0; i < *count; i++)
        add_message(d, m, &waiting[i]);
    settled = settle(d, m, waiting, *count, &gone, &not_settled);
    if (gone > 0 && !kombu_remove(d->broker, list, d->gone, gone, err))
        return false;
    if (!settled)
        *err = not_settled;
    return settled;
}

/* ---------------------------------------------------------------------------------------------------- the thread */

/* The binding first, as what is published without it is lost to everybody. */
static bool keep_bound(struct platform_door *d, struct mapping *m, struct error *err)
{
    if (clock_monotonic_ms() < m->bind_at_ms)
        return true;
    if (!kombu_bind(d->broker, d->settings->platform.exchange, m->queue, err))
        return false;
    m->bind_at_ms = clock_monotonic_ms() + BIND_EVERY_MS;
    return true;
}

/* A batch of each priority, the first ones first. */
static bool take_queue(struct platform_door *d, struct mapping *m, bool *more, struct error *err)
{
    bool ok = keep_bound(d, m, err);

    *more = false;
    for (int priority = 0; ok && priority < KOMBU_PRIORITIES && !stop_wanted(d->stop); priority++) {
        size_t count = 0;

        arena_reset(d->arena);
        ok = take_batch(d, m, kombu_list(m->queue, priority, d->arena), &count, err);
        *more = *more || count > 0;
    }
    return ok;
}

static int64_t pause_ms(int failures)
{
    int64_t limit = failures < 6 ? (int64_t)PAUSE_LEAST_MS << failures : PAUSE_MOST_MS;

    return limit / 2 + (int64_t)random_below((uint64_t)limit / 2);
}

/* Looks at one queue, and says when it is to be looked at again; said to the operator is only what changes. */
static void visit(struct platform_door *d, struct mapping *m)
{
    struct error err = ERROR_INIT;
    bool more;

    if (take_queue(d, m, &more, &err)) {
        if (m->failures > 0)
            log_info("the platform's queue %s is read again", m->queue);
        m->failures = 0;
        m->due_ms = clock_monotonic_ms() + (more ? 0 : d->settings->platform.poll_ms);
    } else {
        if (m->failures == 0)
            log_warn("the platform's queue %s: %s; trying again", m->queue, err.text);
        m->due_ms = clock_monotonic_ms() + pause_ms(m->failures++);
        m->bind_at_ms = 0; /* a broker that was emptied has lost it */
    }
}

static void *door_main(void *context)
{
    struct platform_door *d = context;

    while (!stop_wanted(d->stop)) {
        int64_t next_ms = INT64_MAX, now_ms;

        for (size_t i = 0; i < d->count && !stop_wanted(d->stop); i++) {
            if (d->mappings[i].due_ms <= clock_monotonic_ms())
                visit(d, &d->mappings[i]);
            if (d->mappings[i].due_ms < next_ms)
                next_ms = d->mappings[i].due_ms;
        }
        now_ms = clock_monotonic_ms();
        if (next_ms > now_ms)
            stop_sleep(d->stop, d->count > 0 ? next_ms - now_ms : PAUSE_MOST_MS);
    }
    return NULL;
}

static void door_free(struct platform_door *d)
{
    for (size_t i = 0; i < d->count; i++)
        mapping_release(&d->mappings[i]);
    free(d->mappings);
    free(d->gone);
    redis_free(d->broker);
    intake_free(d->intake);
    salt_free(d->salt);
    redis_free(d->own);
    arena_free(d->arena);
    free(d);
}

struct platform_door *platform_door_start(const struct settings *s, struct stop *stop, struct error *err)
{
    struct platform_door *d = xcalloc(1, sizeof *d);

    d->settings = s;
    d->stop = stop;
    d->gone = xcalloc((size_t)s->platform.batch, sizeof(const struct kombu_waiting *));
    d->broker = redis_new(&(struct redis_options){&s->platform.address, (int)s->redis.timeout_ms});
    d->own = settings_redis(s);
    d->salt = salt_new(d->own);
    d->arena = arena_new();
    if (!open_mappings(d, err) || !(d->intake = intake_new(s, err))) {
        door_free(d);
        return NULL;
    }
    pthread_create(&d->thread, NULL, door_main, d);
    return d;
}

void platform_door_join(struct platform_door *d)
{
    if (!d)
        return;
    pthread_join(d->thread, NULL);
    door_free(d);
}
