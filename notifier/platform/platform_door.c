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
#include "notifier/platform/notification_queue.h"
#include "notifier/platform/platform_hands.h"

enum {
    PAUSE_LEAST_MS = 250,
    PAUSE_MOST_MS = 10000,
    BIND_EVERY_MS = 60000, /* whoever deletes the queue takes its binding along */
    NAME_BYTES = 200,
    ENVELOPE_BYTES = 8192, /* what kombu writes around a body */
};

static const char counter_name[] = "crier_platform_messages_total",
                  counter_help[] = "messages of the platform's queues";

/* A queue of the platform's, and the type that its events get. */
struct mapping {
    char *queue, *type, *source; /* type NULL: it holds change notifications, which have types of their own */
    bool prepared;               /* by the section of its type, which needs to know who it was */
    struct counter *outcomes[INTAKE_UNAVAILABLE + 1];
    struct notification_queue notifications;
    struct notification_place places[KOMBU_PRIORITIES];
    int64_t due_ms, bind_at_ms; /* when it is looked at again, and bound again */
    int failures;               /* in a row */
};

struct platform_door {
    struct stop *stop;
    struct mapping *mappings;
    size_t count;
    struct platform_hands hands;
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
    for (int i = 0; i <= INTAKE_UNAVAILABLE; i++)
        m->outcomes[i] = counter_with(COUNTER_TOTAL, counter_name, counter_help, "queue", m->queue, "outcome",
                                      intake_outcome_name((enum intake_outcome)i), NULL);
}

/* A queue whose type nobody here wants is left to whoever reads it now. */
static bool add_mapping(struct platform_door *d, const char *word, size_t length, struct error *err)
{
    struct mapping *m = &d->mappings[d->count++];
    struct buf source = BUF_INIT;

    if (!read_mapping(word, length, &m->queue, &m->type, err))
        return false;
    if (!patterns_queue(d->hands.settings, m->type)) {
        log_info("no queue wants %s: the platform's queue %s is left alone", m->type, m->queue);
        mapping_release(m);
        d->count--;
        return true;
    }
    buf_printf(&source, "platform:%s", m->queue);
    m->source = buf_take(&source);
    m->prepared = personal_prepared(d->hands.settings, m->type);
    count_outcomes(m);
    return true;
}

static void add_notifications(struct platform_door *d, const char *word, size_t length)
{
    struct mapping *m = &d->mappings[d->count++];

    m->queue = xstrndup(word, length);
    count_outcomes(m);
    m->notifications = (struct notification_queue){
        m->queue, m->outcomes,
        counter_with(COUNTER_TOTAL, counter_name, counter_help, "queue", m->queue, "outcome", "foreign", NULL)};
}

static size_t word_count(const char *at)
{
    const char *word;
    size_t length, count = 0;

    while (text_word(&at, &word, &length))
        count++;
    return count;
}

static bool open_mappings(struct platform_door *d, struct error *err)
{
    const struct platform_settings *p = &d->hands.settings->platform;
    const char *at = p->queues, *word;
    size_t length;

    d->mappings = xcalloc(word_count(p->queues) + word_count(p->notifications) + 1, sizeof *d->mappings);
    while (text_word(&at, &word, &length))
        if (!add_mapping(d, word, length, err))
            return error_in(err, "[platform] queues");
    at = p->notifications;
    while (text_word(&at, &word, &length))
        add_notifications(d, word, length);
    return true;
}

/* --------------------------------------------------------------------------------------------------- one batch */

/* Adds what the message holds to the intake; what is no event as refused, so that each message has its result. */
static void add_message(struct platform_door *d, const struct mapping *m, const struct kombu_waiting *waiting)
{
    const struct http_settings *limits = &d->hands.settings->http;
    struct kombu_message message;
    struct error err = ERROR_INIT;
    json_t *event;

    if (!waiting->bytes) {
        intake_add_refused(d->hands.intake, "longer than an event may be");
        return;
    }
    if (!kombu_message_read(waiting->bytes, waiting->length, (int)limits->depth, d->hands.arena, &message, &err)) {
        intake_add_refused(d->hands.intake, err.text);
        return;
    }
    if (!m->prepared)
        personal_strip(message.payload);
    event = json_pack("{s:s, s:s, s:o}", "event_type", m->type, "source", m->source, "payload", message.payload);
    if (message.tag[0])
        json_object_set_new(event, "id", json_string(message.tag));
    intake_add_json(d->hands.intake, event);
    json_decref(event);
}

static bool bury(struct platform_door *d, const struct mapping *m, const struct kombu_waiting *waiting,
                 const char *reason, struct error *err)
{
    return platform_bury(
        &d->hands,
        &(struct platform_refusal){.source = m->source, .type = m->type, .message = waiting, .reason = reason}, err);
}

/* Which of the messages may go: those with a place of their own elsewhere. False: some have none; err says why. */
static bool settle(struct platform_door *d, struct mapping *m, const struct kombu_waiting *waiting, size_t count,
                   size_t *gone, struct error *err)
{
    const struct intake_result *results = intake_send(d->hands.intake);
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

/* Takes over one batch of a list. *more: there may be others. */
static bool take_batch(struct platform_door *d, struct mapping *m, const char *list, bool *more, struct error *err)
{
    const struct kombu_look look = {.most = (size_t)d->hands.settings->platform.batch,
                                    .bytes_most = d->hands.settings->http.event_bytes / 3 * 4 + ENVELOPE_BYTES};
    struct kombu_waiting *waiting;
    struct error not_settled = ERROR_INIT;
    size_t gone, count;
    bool settled;

    if (!kombu_peek(d->hands.broker, list, &look, d->hands.arena, &waiting, &count, more, err))
        return false;
    *more = count > 0;
    if (count == 0)
        return true;
    intake_start(d->hands.intake);
    for (size_t i = 0; i < count; i++)
        add_message(d, m, &waiting[i]);
    settled = settle(d, m, waiting, count, &gone, &not_settled);
    if (gone > 0 && !kombu_remove(d->hands.broker, list, d->gone, gone, err))
        return false;
    if (!settled)
        *err = not_settled;
    return settled;
}

/* ---------------------------------------------------------------------------------------------------- the thread */

/* As what is published without a binding is lost to everybody. */
static bool keep_bound(struct platform_door *d, struct mapping *m, struct error *err)
{
    if (clock_monotonic_ms() < m->bind_at_ms)
        return true;
    if (!kombu_bind(d->hands.broker, d->hands.settings->platform.exchange, m->queue, err))
        return false;
    m->bind_at_ms = clock_monotonic_ms() + BIND_EVERY_MS;
    return true;
}

static bool take_list(struct platform_door *d, struct mapping *m, int priority, bool *more, struct error *err)
{
    const char *list = kombu_list(m->queue, priority, d->hands.arena);

    return m->type ? take_batch(d, m, list, more, err)
                   : notification_queue_take(&m->notifications, &d->hands, list, &m->places[priority], more, err);
}

/* A batch of each priority, the first ones first. */
static bool take_queue(struct platform_door *d, struct mapping *m, bool *more, struct error *err)
{
    bool ok = !m->type || keep_bound(d, m, err); /* the task runner publishes to the queue itself */

    *more = false;
    for (int priority = 0; ok && priority < KOMBU_PRIORITIES && !stop_wanted(d->stop); priority++) {
        bool its = false;

        arena_reset(d->hands.arena);
        ok = take_list(d, m, priority, &its, err);
        *more = *more || its;
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
        m->due_ms = clock_monotonic_ms() + (more ? 0 : d->hands.settings->platform.poll_ms);
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
    redis_free(d->hands.broker);
    intake_free(d->hands.intake);
    salt_free(d->hands.salt);
    redis_free(d->hands.own);
    arena_free(d->hands.arena);
    free(d);
}

struct platform_door *platform_door_start(const struct settings *s, struct stop *stop, struct error *err)
{
    struct platform_door *d = xcalloc(1, sizeof *d);

    d->hands.settings = s;
    d->stop = stop;
    d->gone = xcalloc((size_t)s->platform.batch, sizeof(const struct kombu_waiting *));
    d->hands.broker = redis_new(&(struct redis_options){&s->platform.address, (int)s->redis.timeout_ms});
    d->hands.own = settings_redis(s);
    d->hands.salt = salt_new(d->hands.own);
    d->hands.arena = arena_new();
    if (!open_mappings(d, err) || !(d->hands.intake = intake_new(s, err))) {
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
