/* tests/support/bulk_stage.h - a bulk before a real OpenSearch, with the fault proxy between them. */
#ifndef TESTS_SUPPORT_BULK_STAGE_H
#define TESTS_SUPPORT_BULK_STAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "indexer/bulk.h"
#include "support/fault_proxy.h"

enum { BULK_BYTES = 8 * 1024 * 1024, TIMEOUT_MS = 10000, MANY = 1000 };

struct stage {
    struct fault_proxy *proxy;
    struct client *client, *direct; /* through the proxy; past it */
    struct bulk *bulk;
    struct error err;
    char index[40]; /* of this test alone; those that begin so go with it */
};

/* For cmocka: *state is a struct stage. */
int stage_open(void **state);
int stage_close(void **state);

struct client *stage_client(const char *url, int64_t timeout_ms, bool gzip);

/* A single request past the proxy, to /PREFIX what after. */
void stage_ask(struct stage *s, const char *method, const char *what, const char *after, const char *body);

/* Adding: a write to the test's index; documents {"n": number} with the number for an id ("0042"). */
struct bulk_target stage_write(const struct stage *s, const char *id, int64_t version);
size_t stage_add(struct stage *s, struct bulk_target target, const char *document);
size_t stage_add_numbered(struct stage *s, int64_t version, int number);
void stage_add_many(struct stage *s, int64_t version, int count);

/* Sending, and what came of it; each fails the test where it is not so. */
void stage_send(struct stage *s);
void stage_send_fails(struct stage *s);
void stage_outcome_is(struct stage *s, size_t number, enum bulk_outcome outcome);
void stage_all_are(struct stage *s, enum bulk_outcome outcome);
size_t stage_count(struct stage *s, enum bulk_outcome outcome);
long stage_requests(struct stage *s); /* that came to the proxy */

/* What OpenSearch has; version -1: any. */
void stage_stored_is(struct stage *s, const char *id, int64_t version, const char *document);
bool stage_is_stored(struct stage *s, const char *id);
void stage_all_are_stored(struct stage *s, int count);
json_t *stage_stored(struct stage *s, const char *id); /* yours */

#endif
