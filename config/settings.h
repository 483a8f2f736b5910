/*
 * config/settings.h - the ini file as the program sees it: constant once loaded, shared by all threads.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/key.h"

struct service_settings {
    int log; /* enum log_level */
    int64_t drain_ms;
};

struct redis_settings {
    char *url, *password;
    int64_t timeout_ms;
    bool unsafe;
    struct redis_address address; /* made from url and password */
};

struct opensearch_settings {
    char *url; /* several, separated by spaces */
    char *user, *password, *ca_file, *prefix;
    int64_t connect_ms, timeout_ms;
    bool gzip;
    int64_t bulk_bytes;
};

struct http_settings {
    char *listen;
    int64_t threads, connections;
    int64_t event_bytes, batch_bytes, batch_events, depth;
    int64_t idle_ms;
};

struct audit_settings {
    char *file; /* "": none */
};

struct queue_settings {
    char *name, *events;
    int64_t window_ms, retain_ms;
    int line; /* in the file, for later checks */
};

struct event_settings {
    char *type, *prepare, *unique, *robots_file, *machines_file;
    int line;
};

enum catch_up { CATCH_UP_NONE, CATCH_UP_ONE };

struct handler_settings {
    char *name, *type, *queue, *events, *schedule;
    int64_t batch, parallel, deadline_ms, tries, jitter_ms;
    int catch_up;
    const struct config_kind *kind; /* the row of its type */
    void *own;                      /* the struct of its type, kind->size bytes */
    int line;
};

struct settings {
    char *path;
    struct service_settings service;
    struct redis_settings redis;
    struct opensearch_settings opensearch;
    struct http_settings http;
    struct audit_settings audit;
    struct queue_settings *queues;
    struct event_settings *events;
    struct handler_settings *handlers;
    size_t queue_count, event_count, handler_count;
};

/*
 * Loads and checks the whole file. NULL: every mistake is in mistakes, a line each as
 * "file:line: what, nearest known key or what is allowed"; the struct error says how many.
 * ${NAME} in a value is taken from the environment; a key NAME_file is offered for every secret.
 */
struct settings *settings_load(const char *path, const struct config_outside *outside, struct buf *mistakes,
                               struct error *err) must_check;
struct settings *settings_parse(const char *path, const char *text, size_t length, const struct config_outside *outside,
                                struct buf *mistakes, struct error *err) must_check;
void settings_free(struct settings *s);

const struct queue_settings *settings_queue(const struct settings *s, const char *name);     /* NULL: none */
const struct handler_settings *settings_handler(const struct settings *s, const char *name); /* NULL: none */

/* A link to the Redis of [redis]: yours to free, before the settings. */
struct redis *settings_redis(const struct settings *s);

/* The reference of every key; the annotated sample; the values in force. */
void settings_add_reference(const struct config_outside *outside, struct buf *out);
void settings_add_sample(const struct config_outside *outside, struct buf *out);
void settings_add_shown(const struct settings *s, const struct config_outside *outside, struct buf *out);

#endif
