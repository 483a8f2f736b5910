#include "config/section.h"

#include "base/alloc.h"
#include "base/text.h"
#include "config/check.h"

#define KIB    INT64_C(1024)
#define MIB    (1024 * KIB)
#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */

#define AT(field) offsetof(struct service_settings, field)
static const struct config_key service_keys[] = {
    {"log", CONFIG_CHOICE, AT(log), "info", 0, 0, "error warning info debug", NULL,
     "how much is logged"},
    {"drain", CONFIG_TIME, AT(drain_ms), "25s", SECOND, HOUR, NULL, NULL,
     "how long a stop may take to finish what is under way"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct redis_settings, field)
static const struct config_key redis_keys[] = {
    {"url", CONFIG_TEXT, AT(url), "redis://127.0.0.1:6379/0", 0, 0, NULL, check_redis_url,
     "where Redis or Valkey listens: redis://[user:password@]host[:port][/db] or unix:///path[?db=0]"},
    {"password", CONFIG_SECRET, AT(password), "", 0, 0, NULL, NULL,
     "instead of a password in the url"},
    {"timeout", CONFIG_TIME, AT(timeout_ms), "5s", SECOND, 60 * SECOND, NULL, NULL,
     "longest wait for a reply"},
    {"unsafe", CONFIG_FLAG, AT(unsafe), "no", 0, 0, NULL, NULL,
     "serve even on a Redis that may forget: without append-only file, or with an evicting maxmemory-policy"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct opensearch_settings, field)
static const struct config_key opensearch_keys[] = {
    {"url", CONFIG_TEXT, AT(url), "http://127.0.0.1:9200", 0, 0, NULL, check_http_urls,
     "where OpenSearch listens; several addresses of one cluster are separated by spaces"},
    {"user", CONFIG_TEXT, AT(user), "", 0, 0, NULL, NULL,
     "for basic authentication; empty: none"},
    {"password", CONFIG_SECRET, AT(password), "", 0, 0, NULL, NULL,
     "of the user"},
    {"ca_file", CONFIG_TEXT, AT(ca_file), "", 0, 0, NULL, NULL,
     "certificates to trust (PEM); empty: those of the system"},
    {"prefix", CONFIG_TEXT, AT(prefix), "", 0, 0, NULL, NULL,
     "put before every index name"},
    {"connect", CONFIG_TIME, AT(connect_ms), "5s", 100, 60 * SECOND, NULL, NULL,
     "longest wait for a connection"},
    {"timeout", CONFIG_TIME, AT(timeout_ms), "30s", SECOND, HOUR, NULL, NULL,
     "longest wait for a whole reply"},
    {"gzip", CONFIG_FLAG, AT(gzip), "no", 0, 0, NULL, NULL,
     "compress what is sent: less network, more CPU"},
    {"bulk", CONFIG_SIZE, AT(bulk_bytes), "8MiB", 64 * KIB, 90 * MIB, NULL, NULL,
     "largest bulk request"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct http_settings, field)
static const struct config_key http_keys[] = {
    {"listen", CONFIG_TEXT, AT(listen), "127.0.0.1:8960", 0, 0, NULL, check_listen,
     "address and port for POST /events, /health and /metrics; port 0 takes a free one"},
    {"threads", CONFIG_COUNT, AT(threads), "2", 1, 64, NULL, NULL,
     "threads that answer"},
    {"connections", CONFIG_COUNT, AT(connections), "1000", 1, 100000, NULL, NULL,
     "most connections at a time"},
    {"event", CONFIG_SIZE, AT(event_bytes), "256KiB", KIB, 16 * MIB, NULL, NULL,
     "largest event"},
    {"batch", CONFIG_SIZE, AT(batch_bytes), "16MiB", KIB, 256 * MIB, NULL, NULL,
     "largest request, also once unpacked"},
    {"batch_events", CONFIG_COUNT, AT(batch_events), "10000", 1, 1000000, NULL, NULL,
     "most events in a request"},
    {"depth", CONFIG_COUNT, AT(depth), "64", 2, 1000, NULL, NULL,
     "deepest nesting of JSON"},
    {"idle", CONFIG_TIME, AT(idle_ms), "30s", SECOND, HOUR, NULL, NULL,
     "when a silent connection is closed"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct audit_settings, field)
static const struct config_key audit_keys[] = {
    {"file", CONFIG_TEXT, AT(file), "", 0, 0, NULL, NULL,
     "append-only file for audit entries, a line of JSON each, besides the index; empty: none"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct queue_settings, field)
static const struct config_key queue_keys[] = {
    {"events", CONFIG_TEXT, AT(events), NULL, 0, 0, NULL, NULL,
     "types it takes: patterns separated by spaces; * stands for one part, ** for any number of parts"},
    {"window", CONFIG_TIME, AT(window_ms), "24h", SECOND, 366 * DAY, NULL, NULL,
     "how long an event's unique id is remembered, so that the event is taken once"},
    {"retain", CONFIG_TIME, AT(retain_ms), "1h", 0, 366 * DAY, NULL, NULL,
     "how long an event stays in the stream once every handler is done with it"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct event_settings, field)
static const struct config_key event_keys[] = {
    {"prepare", CONFIG_TEXT, AT(prepare), "", 0, 0, NULL, NULL,
     "what is done to data at the door, in order: robots machines visitor"},
    {"unique", CONFIG_TEXT, AT(unique), "", 0, 0, NULL, NULL,
     "fields that make events the same one: data.PATH, attributes, time/SPAN; empty: source and id"},
    {"robots_file", CONFIG_TEXT, AT(robots_file), "", 0, 0, NULL, NULL,
     "patterns of user agents that are robots; empty: the list that ships with crier"},
    {"machines_file", CONFIG_TEXT, AT(machines_file), "", 0, 0, NULL, NULL,
     "patterns of user agents that are machines; empty: the list that ships with crier"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct handler_settings, field)
static const struct config_key handler_keys[] = {
    {"type", CONFIG_TEXT, AT(type), NULL, 0, 0, NULL, NULL,
     "what it does; its keys are listed with its type"},
    {"queue", CONFIG_TEXT, AT(queue), NULL, 0, 0, NULL, NULL,
     "the queue it reads"},
    {"events", CONFIG_TEXT, AT(events), "", 0, 0, NULL, NULL,
     "types it takes out of its queue: patterns separated by spaces; empty: all of them"},
    {"schedule", CONFIG_TEXT, AT(schedule), "every 5s", 0, 0, NULL, NULL,
     "when it runs: every 10s (at most so often), cron 0 3 * * * [ZONE], or at once"},
    {"batch", CONFIG_COUNT, AT(batch), "1000", 1, 10000, NULL, NULL,
     "most events in one pass"},
    {"parallel", CONFIG_COUNT, AT(parallel), "2", 1, 16, NULL, NULL,
     "lanes in one process, each with its own links"},
    {"deadline", CONFIG_TIME, AT(deadline_ms), "60s", SECOND, HOUR, NULL, NULL,
     "longest time for one pass"},
    {"tries", CONFIG_COUNT, AT(tries), "10", 1, 1000, NULL, NULL,
     "tries before an event is a dead letter; an outage costs none"},
    {"jitter", CONFIG_TIME, AT(jitter_ms), "0s", 0, HOUR, NULL, NULL,
     "each run is late by up to so much, at random"},
    {"catch-up", CONFIG_CHOICE, AT(catch_up), "none", 0, 0, "none one", NULL,
     "runs that were missed while no crier served: none of them, or one for all"},
    CONFIG_END,
};
#undef AT

/* clang-format on */

/* --------------------------------------------------------------------------------- sections of any number */

static void *queue_add(struct settings *s, const char *name, int line)
{
    struct queue_settings *q;

    s->queues = xrealloc(s->queues, (s->queue_count + 1) * sizeof *s->queues);
    q = &s->queues[s->queue_count++];
    *q = (struct queue_settings){.name = xstrdup(name), .line = line};
    return q;
}

static void *queue_get(struct settings *s, size_t index)
{
    return index < s->queue_count ? &s->queues[index] : NULL;
}

static const char *queue_name(const void *one)
{
    return ((const struct queue_settings *)one)->name;
}

static int queue_line(const void *one)
{
    return ((const struct queue_settings *)one)->line;
}

static void *event_add(struct settings *s, const char *type, int line)
{
    struct event_settings *e;

    s->events = xrealloc(s->events, (s->event_count + 1) * sizeof *s->events);
    e = &s->events[s->event_count++];
    *e = (struct event_settings){.type = xstrdup(type), .line = line};
    return e;
}

static void *event_get(struct settings *s, size_t index)
{
    return index < s->event_count ? &s->events[index] : NULL;
}

static const char *event_type(const void *one)
{
    return ((const struct event_settings *)one)->type;
}

static int event_line(const void *one)
{
    return ((const struct event_settings *)one)->line;
}

static void *handler_add(struct settings *s, const char *name, int line)
{
    struct handler_settings *h;

    s->handlers = xrealloc(s->handlers, (s->handler_count + 1) * sizeof *s->handlers);
    h = &s->handlers[s->handler_count++];
    *h = (struct handler_settings){.name = xstrdup(name), .line = line};
    return h;
}

static void *handler_get(struct settings *s, size_t index)
{
    return index < s->handler_count ? &s->handlers[index] : NULL;
}

static const char *handler_name(const void *one)
{
    return ((const struct handler_settings *)one)->name;
}

static int handler_line(const void *one)
{
    return ((const struct handler_settings *)one)->line;
}

/* ------------------------------------------------------------------------------------------------ the list */

#define ONE(section) .name = #section, .keys = section##_keys, .offset = offsetof(struct settings, section)
#define MANY(section, word, named)                                                                                     \
    .name = #section, .keys = section##_keys, .argument = (word), .add = section##_add, .get = section##_get,          \
    .name_of = (named), .line_of = section##_line

/* clang-format off */
const struct config_section config_sections[] = {
    {ONE(service), .help = "the process itself"},
    {ONE(redis), .help = "Redis or Valkey, which holds the work"},
    {ONE(opensearch), .help = "OpenSearch, which holds the results"},
    {ONE(http), .help = "the door for events, and the pages for health and metrics"},
    {ONE(audit), .help = "the audit log"},
    {MANY(queue, "NAME", queue_name), .check_name = check_name, .help = "one stream of events"},
    {MANY(event, "TYPE", event_type), .check_name = check_event_type,
     .help = "what is done to events of one type at the door"},
    {MANY(handler, "NAME", handler_name), .check_name = check_name,
     .help = "what is done about the events of a queue"},
    {0},
};
/* clang-format on */

const struct config_section *config_section_find(const char *name)
{
    for (const struct config_section *section = config_sections; section->name; section++)
        if (text_same(section->name, name))
            return section;
    return NULL;
}

void *config_section_get(const struct config_section *section, struct settings *s, size_t index)
{
    if (section->argument)
        return section->get(s, index);
    return index == 0 ? (char *)s + section->offset : NULL;
}

const void *config_section_read(const struct config_section *section, const struct settings *s, size_t index)
{
    return config_section_get(section, (struct settings *)(uintptr_t)s, index); /* nothing is written on this way */
}
