/* The process itself, and the servers it works with. */
#include "config/keys.h"

#include <string.h>

#include "base/seal.h"
#include "base/signature.h"
#include "base/text.h"
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

static bool check_origins(const char *value, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&value, &word, &length)) {
        const char *host = text_starts(word, "https://") ? word + 8 : text_starts(word, "http://") ? word + 7 : NULL;
        bool all = length == 1 && *word == '*';

        if (!all && (!host || host >= word + length || memchr(host, '/', (size_t)(word + length - host))))
            return error_set(err, ERROR_CONFIG, "an origin is https://host, perhaps with :port, and nothing after it");
    }
    return true;
}

#define AT(field) offsetof(struct http_settings, field)
const struct config_key http_keys[] = {
    {"listen", CONFIG_TEXT, AT(listen), "127.0.0.1:8960", 0, 0, NULL, check_listen,
     "address and port for POST /events, /health and /metrics; port 0 takes a free one"},
    {"certificate", CONFIG_TEXT, AT(certificate), "", 0, 0, NULL, NULL,
     "PEM, the door's own first, then each one's issuer: all is TLS then, 1.2 or 1.3; read anew when it changes"},
    {"private_key_file", CONFIG_TEXT, AT(private_key_file), "", 0, 0, NULL, NULL,
     "PEM, without a passphrase, and not for others to read: the key of the certificate"},
    {"access", CONFIG_CHOICE, AT(access), "loopback", 0, 0, "loopback tokens", NULL,
     "who needs a token (crier tokens): whoever does not ask from this machine, as localhost or by its loopback address, "
     "or everybody, as behind a proxy"},
    {"signatures", CONFIG_CHOICE, AT(signatures), "off", 0, 0, "off required", NULL,
     "whether POST /events must be signed, as Standard Webhooks, over the body once unpacked; besides the token"},
    {"signing_secret", CONFIG_SECRET, AT(signing_secret), "", 0, 0, NULL, signature_secrets_check,
     "what senders sign with: whsec_ and base64, or whpk_ and the public half of their Ed25519 key; several, separated by "
     "spaces, while one replaces the other"},
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
    {"headers", CONFIG_TIME, AT(headers_ms), "10s", SECOND, HOUR, NULL, NULL,
     "when a connection is closed whose request has not all its headers yet, however busily they trickle in"},
    {"rate", CONFIG_SIZE, AT(rate_bytes), "1KiB", 0, MIB, NULL, NULL,
     "least bytes a second of a body, after its first 5 s, and of an answer: who is slower is cut off; 0: none"},
    {"operations", CONFIG_TIME, AT(operations_ms), "1h", 60 * SECOND, 7 * DAY, NULL, NULL,
     "how long what became of an operation's events is kept, after the last change"},
    {"streams", CONFIG_COUNT, AT(streams), "100", 0, 100000, NULL, NULL,
     "most that listen at a time to what becomes of operations; a token has a quarter of them"},
    {"results", CONFIG_CHOICE, AT(results), "operations", 0, 0, "operations all", NULL,
     "what streams tell of: events that have an operation, or all, at one more write to Redis for each of its handlers"},
    {"origins", CONFIG_TEXT, AT(origins), "", 0, 0, NULL, check_origins,
     "web pages that may ask from a browser, besides the door's own, as https://repository.example.org, separated by "
     "spaces; *: all"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct audit_settings, field)
const struct config_key audit_keys[] = {
    {"file", CONFIG_TEXT, AT(file), "", 0, 0, NULL, NULL,
     "append-only file for audit entries, a line of JSON each, besides the index; empty: none"},
    {"key", CONFIG_SECRET, AT(key), "", 0, 0, NULL, NULL,
     "signs the file: Ed25519 (PEM), or a secret of at least 32 bytes; empty: whoever may write it can rewrite it whole"},
    {"rotate", CONFIG_CHOICE, AT(rotate), "never", 0, 0, "never monthly", NULL,
     "when the file makes room for a new one: it becomes FILE.PLACE, the place of its last line"},
    {"rotate_size", CONFIG_SIZE, AT(rotate_bytes), "0", 0, INT64_C(1024) * 1024 * MIB, NULL, NULL,
     "the same once it is that large; 0: never"},
    CONFIG_END,
};
#undef AT

/* clang-format on */
