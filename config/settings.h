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
#include "base/seal.h"
#include "config/key.h"

struct service_settings {
    int log; /* enum log_level */
    int64_t drain_ms;
    bool core_dumps;
};

struct redis_settings {
    char *url, *password, *sealing_key;
    int64_t timeout_ms;
    bool unsafe;
    struct redis_address address; /* made from url and password */
    struct seal *seal;            /* made from sealing_key; NULL: there is none */
};

struct opensearch_settings {
    char *url; /* several, separated by spaces */
    char *user, *password, *ca_file, *prefix;
    int64_t connect_ms, timeout_ms;
    bool gzip;
    int64_t bulk_bytes;
};

enum door_access { ACCESS_LOOPBACK, ACCESS_TOKENS };
enum door_signatures { SIGNATURES_OFF, SIGNATURES_REQUIRED };
enum door_results { RESULTS_OPERATIONS, RESULTS_ALL };

struct http_settings {
    char *listen;
    char *certificate, *private_key_file; /* both "": no TLS */
    int access;                           /* enum door_access */
    int signatures;                       /* enum door_signatures */
    char *signing_secret;
    int64_t threads, connections;
    int64_t event_bytes, batch_bytes, batch_events, depth;
    int64_t idle_ms, headers_ms, rate_bytes;
    int64_t operations_ms, streams;
    int results; /* enum door_results */
    char *origins;
    int line; /* in the file, for later checks; 0: not given */
};

enum audit_rotate { ROTATE_NEVER, ROTATE_MONTHLY };

struct audit_settings {
    char *file; /* "": none */
    char *key;  /* "": none */
    int rotate; /* enum audit_rotate */
    int64_t rotate_bytes;
};

struct queue_settings {
    char *name, *events;
    int64_t window_ms, retain_ms;
    int line; /* in the file, for later checks */
};

enum robot_rules { RULES_COP51, RULES_COPRD, RULES_REFERENCE };
enum list_answer { LIST_DROP, LIST_FLAG };
enum visitor_form { VISITOR_KEYED, VISITOR_REFERENCE };
enum id_form { ID_DIGEST, ID_REFERENCE };

struct event_settings {
    char *type, *profile, *prepare, *fields, *unique, *clicks;
    char *robots_file, *robots_except_file, *machines_file, *country_file;
    char *ignore_agents_file, *ignore_networks;
    int rules;            /* enum robot_rules */
    int robots, machines; /* enum list_answer */
    int visitor;          /* enum visitor_form */
    int id;               /* enum id_form */
    int64_t lateness_ms;
    bool agent_class;
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

/* The Redis of the platform's own message broker; url "": the platform's queues are not read. */
struct platform_settings {
    char *url, *password, *queues, *notifications, *exchange;
    int64_t poll_ms, batch;
    struct redis_address address; /* made from url and password */
};

struct access_log_settings {
    char *pattern;
};

struct url_settings {
    char *name, *pattern, *event, *methods, *status, *data;
    int line;
};

enum source_kind { SOURCE_HTTP, SOURCE_POSTGRES, SOURCE_INDEX };

/* Where the present state of subjects is asked for; which keys count is its type's. */
struct source_settings {
    char *name;
    int type; /* enum source_kind */
    char *url, *user, *password, *token, *ca_file;
    char *id, *version, *document, *routing;
    char *list_url, *since_url, *items, *next, *total, *accept;
    char *query, *list_query, *since_query, *count_query;
    char *index, *order, *changed;
    int64_t connect_ms, timeout_ms, parallel, page, reply_bytes, cache_bytes;
    int line;
};

enum query_kind { QUERY_TERMS, QUERY_HISTOGRAM };

struct query_settings {
    char *name, *index, *time_field, *required, *metrics, *copy, *group;
    int kind; /* enum query_kind */
    int line;
};

struct report_settings {
    char *platform, *created_by, *institution, *institution_id, *namespace, *registry_record, *publisher, *publisher_id;
    char *records, *id_field, *title_field, *doi_field, *parent_doi_field, *version_field, *authors_field;
    char *access_field, *date_field, *type_field, *data_types, *publisher_field;
    char *views, *downloads; /* handlers of type statistics */
    char *hub_url, *hub_token;
};

enum outbox_after { OUTBOX_DELETE, OUTBOX_MARK };

/* A table of a platform's own database, in which its transactions leave events. A column or channel "none" is not
 * there. */
struct outbox_settings {
    char *name, *url, *password, *table, *parked, *source, *channel;
    char *id_column, *order_column, *type_column, *time_column, *subject_column, *revision_column, *actor_column;
    char *operation_column, *traceparent_column, *payload_column, *mark_column;
    int after; /* enum outbox_after */
    int64_t poll_ms, batch, connect_ms, timeout_ms;
    int line;
};

struct settings {
    char *path;
    struct service_settings service;
    struct redis_settings redis;
    struct opensearch_settings opensearch;
    struct http_settings http;
    struct audit_settings audit;
    struct platform_settings platform;
    struct access_log_settings access_log;
    struct report_settings report;
    struct queue_settings *queues;
    struct event_settings *events;
    struct handler_settings *handlers;
    struct url_settings *urls;
    struct query_settings *queries;
    struct source_settings *sources;
    struct outbox_settings *outboxes;
    size_t queue_count, event_count, handler_count, url_count, query_count, source_count, outbox_count;
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
const struct source_settings *settings_source(const struct settings *s, const char *name);   /* NULL: none */
const struct outbox_settings *settings_outbox(const struct settings *s, const char *name);   /* NULL: none */

/* A link to the Redis of [redis]: yours to free, before the settings. */
struct redis *settings_redis(const struct settings *s);

/* The reference of every key; the annotated sample; the values in force. */
void settings_add_reference(const struct config_outside *outside, struct buf *out);
void settings_add_sample(const struct config_outside *outside, struct buf *out);
void settings_add_shown(const struct settings *s, const struct config_outside *outside, struct buf *out);

#endif
