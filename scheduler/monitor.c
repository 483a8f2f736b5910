#include "scheduler/monitor.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/counters.h"
#include "base/log.h"
#include "indexer/client.h"
#include "notifier/guard.h"
#include "notifier/outbox/outbox_relay.h"
#include "notifier/stream.h"

enum { ASK_EVERY_MS = 2000, PATIENCE_MS = 5000, PAGES = 3 };

/* What is known of a peer; why is "" where nothing is wrong. */
struct peer_state {
    bool away;
    char why[512];
};

struct monitor {
    const struct settings *settings;
    struct stop *stop;
    struct redis *redis;
    struct opensearch_settings opensearch; /* with less patience than the handlers have */
    struct client *client;
    pthread_t thread;
    pthread_mutex_t mutex; /* over the states, outboxes and door */
    struct peer_state redis_state, opensearch_state;
    struct outbox_relays *outboxes; /* lent, NULL where none are relayed here */
    struct door *door;              /* likewise */
    struct door_page pages[PAGES + 1];
};

/* ---------------------------------------------------------------------------------------------------- asking */

static void note_peer(struct monitor *m, struct peer_state *state, bool away, const char *why)
{
    pthread_mutex_lock(&m->mutex);
    state->away = away;
    snprintf(state->why, sizeof state->why, "%s", why);
    pthread_mutex_unlock(&m->mutex);
}

static void ask_redis(struct monitor *m)
{
    struct error err = ERROR_INIT;
    bool ok = guard_check(m->redis, &err);

    note_peer(m, &m->redis_state, !ok && err.kind == ERROR_AGAIN, ok ? "" : err.text);
}

static void ask_opensearch(struct monitor *m)
{
    struct error err = ERROR_INIT;
    bool ok = client_ready(m->client, &err);

    note_peer(m, &m->opensearch_state, !ok, ok ? "" : err.text);
}

static void gauge(const char *name, const char *help, const char *queue, const char *handler, int64_t value)
{
    counter_set(counter_with(COUNTER_GAUGE, name, help, "queue", queue, "handler", handler, NULL), value);
}

static void note_queue(const char *queue, const struct queue_state *state)
{
    gauge("crier_queue_length", "entries in the stream, also done ones that are kept", queue, NULL, state->length);
    gauge("crier_queue_dead", "dead letters", queue, NULL, state->dead);
    for (size_t i = 0; i < state->group_count; i++) {
        const struct group_state *g = &state->groups[i];

        gauge("crier_handler_waiting", "events not yet delivered", queue, g->name, g->waiting);
        gauge("crier_handler_pending", "events delivered and not acknowledged", queue, g->name, g->pending);
        gauge("crier_handler_oldest_seconds", "age of the oldest event not acknowledged", queue, g->name,
              g->oldest_ms / 1000);
    }
}

static void ask_queues(struct monitor *m)
{
    struct arena *arena = arena_new();
    struct queue_state state;
    struct error err;

    for (size_t i = 0; i < m->settings->queue_count && !stop_wanted(m->stop); i++) {
        const char *queue = m->settings->queues[i].name;

        arena_reset(arena);
        if (stream_state(m->redis, queue, arena, &state, &err))
            note_queue(queue, &state);
        else if (err.kind == ERROR_AGAIN)
            break; /* a stop must not wait for as many timeouts as there are queues */
    }
    arena_free(arena);
}

static void *monitor_main(void *context)
{
    struct monitor *m = context;

    do {
        ask_redis(m);
        ask_opensearch(m);
        ask_queues(m);
    } while (!stop_sleep(m->stop, ASK_EVERY_MS));
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------- pages */

static unsigned page_live(void *context, struct buf *body)
{
    (void)context;
    buf_add_text(body, "{\"status\":\"alive\"}\n");
    return 200;
}

static void add_reason(struct buf *body, const char *peer, const struct peer_state *state, const char **separator)
{
    if (!*state->why)
        return;
    buf_printf(body, "%s{\"peer\":\"%s\",\"reason\":", *separator, peer);
    buf_add_json_text(body, state->why);
    buf_add_char(body, '}');
    *separator = ",";
}

/* An outbox that stands still holds its own rows back; what comes in otherwise is taken. */
static bool add_outboxes(struct monitor *m, struct buf *body, const char **separator)
{
    struct peer_state state;
    struct buf peer = BUF_INIT;
    const char *name;
    bool any = false;

    pthread_mutex_lock(&m->mutex);
    for (size_t i = 0; outbox_relays_trouble(m->outboxes, i, &name, state.why, sizeof state.why); i++) {
        buf_reset(&peer);
        buf_printf(&peer, "outbox %s", name);
        add_reason(body, peer.data, &state, separator);
        any = any || *state.why;
    }
    pthread_mutex_unlock(&m->mutex);
    buf_release(&peer);
    return any;
}

/* Whatever it is, the door itself is open: the page came through it. */
static bool add_door(struct monitor *m, struct buf *body, const char **separator)
{
    struct peer_state state;
    struct buf trouble = BUF_INIT;

    pthread_mutex_lock(&m->mutex);
    if (m->door)
        door_add_trouble(m->door, &trouble);
    pthread_mutex_unlock(&m->mutex);
    snprintf(state.why, sizeof state.why, "%s", trouble.data);
    add_reason(body, "certificate", &state, separator);
    buf_release(&trouble);
    return *state.why;
}

static unsigned page_ready(void *context, struct buf *body)
{
    struct monitor *m = context;
    struct peer_state redis, opensearch;
    struct buf reasons = BUF_INIT;
    const char *separator = "";
    bool away, degraded;

    pthread_mutex_lock(&m->mutex);
    redis = m->redis_state;
    opensearch = m->opensearch_state;
    pthread_mutex_unlock(&m->mutex);
    away = redis.away || opensearch.away;
    add_reason(&reasons, "redis", &redis, &separator);
    add_reason(&reasons, "opensearch", &opensearch, &separator);
    degraded = add_outboxes(m, &reasons, &separator);
    degraded = add_door(m, &reasons, &separator) || degraded || *redis.why || *opensearch.why;
    buf_printf(body, "{\"status\":\"%s\",\"reasons\":[%s]}\n",
               away       ? "unavailable"
               : degraded ? "degraded"
                          : "ready",
               reasons.data);
    buf_release(&reasons);
    return away ? 503 : 200;
}

static unsigned page_metrics(void *context, struct buf *body)
{
    (void)context;
    counters_add_text(body);
    return 200;
}

/* ------------------------------------------------------------------------------------------------------ the part */

struct monitor *monitor_start(const struct settings *s, struct stop *stop)
{
    struct monitor *m = xcalloc(1, sizeof *m);

    m->settings = s;
    m->stop = stop;
    m->redis = settings_redis(s);
    m->opensearch = s->opensearch;
    m->opensearch.timeout_ms = PATIENCE_MS;
    m->client = client_new(&m->opensearch);
    pthread_mutex_init(&m->mutex, NULL);
    m->pages[0] = (struct door_page){
        .path = "/health/live", .content_type = "application/json", .render = page_live, .context = m};
    m->pages[1] = (struct door_page){
        .path = "/health/ready", .content_type = "application/json", .render = page_ready, .context = m};
    m->pages[2] = (struct door_page){.path = "/metrics",
                                     .scope = SCOPE_METRICS_READ,
                                     .content_type = "text/plain; version=0.0.4",
                                     .render = page_metrics,
                                     .context = m};
    m->redis_state = m->opensearch_state = (struct peer_state){true, "not asked yet"};
    pthread_create(&m->thread, NULL, monitor_main, m);
    return m;
}

void monitor_know_outboxes(struct monitor *m, struct outbox_relays *relays)
{
    pthread_mutex_lock(&m->mutex);
    m->outboxes = relays;
    pthread_mutex_unlock(&m->mutex);
}

void monitor_know_door(struct monitor *m, struct door *door)
{
    pthread_mutex_lock(&m->mutex);
    m->door = door;
    pthread_mutex_unlock(&m->mutex);
}

const struct door_page *monitor_pages(struct monitor *m)
{
    return m->pages;
}

void monitor_join(struct monitor *m)
{
    pthread_join(m->thread, NULL);
    redis_free(m->redis);
    client_free(m->client);
    pthread_mutex_destroy(&m->mutex);
    free(m);
}
