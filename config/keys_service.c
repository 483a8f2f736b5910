/* The process itself, and the servers it works with. */
#include "config/keys.h"

#include "base/seal.h"
#include "config/check.h"
#include "config/settings.h"

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */

#define AT(field) offsetof(struct service_settings, field)
const struct config_key service_keys[] = {
    {"log", CONFIG_CHOICE, AT(log), "info", 0, 0, "error warning info debug", NULL,
     "how much is logged"},
    {"drain", CONFIG_TIME, AT(drain_ms), "25s", SECOND, HOUR, NULL, NULL,
     "how long a stop may take to finish what is under way"},
    {"core_dumps", CONFIG_FLAG, AT(core_dumps), "no", 0, 0, NULL, NULL,
     "whether a crash may leave a core file; it holds every secret of this file"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct redis_settings, field)
const struct config_key redis_keys[] = {
    {"url", CONFIG_TEXT, AT(url), "redis://127.0.0.1:6379/0", 0, 0, NULL, check_redis_url,
     "where Redis or Valkey listens: redis://[user:password@]host[:port][/db] or unix:///path[?db=0]"},
    {"password", CONFIG_SECRET, AT(password), "", 0, 0, NULL, NULL,
     "instead of a password in the url"},
    {"sealing_key", CONFIG_SECRET, AT(sealing_key), "", 0, 0, NULL, seal_keys_check,
     "encrypts the secrets kept in Redis, those of subscriptions: base64 of 32 bytes (openssl rand -base64 32); an older "
     "key behind it opens what crier webhooks seal has not sealed anew; empty: they lie there as they are"},
    {"timeout", CONFIG_TIME, AT(timeout_ms), "5s", SECOND, 60 * SECOND, NULL, NULL,
     "longest wait for a reply"},
    {"unsafe", CONFIG_FLAG, AT(unsafe), "no", 0, 0, NULL, NULL,
     "serve even on a Redis that may forget: without append-only file, or with an evicting maxmemory-policy"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct opensearch_settings, field)
const struct config_key opensearch_keys[] = {
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
const struct config_key http_keys[] = {
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
const struct config_key audit_keys[] = {
    {"file", CONFIG_TEXT, AT(file), "", 0, 0, NULL, NULL,
     "append-only file for audit entries, a line of JSON each, besides the index; empty: none"},
    CONFIG_END,
};
#undef AT

/* clang-format on */
