/*
 * indexer/client.h - OpenSearch as one of its clients sees it: hosts in turn, authentication, the server's own words.
 *
 * A host that does not answer is passed over for the next one, and tried again after a while. One thread at a time.
 */
#ifndef INDEXER_CLIENT_H
#define INDEXER_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/http.h"
#include "config/settings.h"

struct client;

struct client *client_new(const struct opensearch_settings *o);
void client_free(struct client *c);
const char *client_prefix(const struct client *c); /* before every index name */
int client_timeout_ms(const struct client *c);     /* of a whole request */

/*
 * path begins with '/'. True: a whole reply, whatever its status, lent until the next call. False: no host answered
 * (ERROR_AGAIN), reply->may_have_effect says what is known.
 */
bool client_send(struct client *c, const char *method, const char *path, const char *content_type, const char *body,
                 size_t length, const struct http_reply **reply, struct error *err) must_check;

/*
 * For single requests: body may be NULL; *out is the caller's, or NULL where the reply holds none. A status of 400 and
 * more fails with the server's reason: 401, 403, 429 and 5xx as ERROR_AGAIN, 404 only where missing is NULL (else
 * *missing is set and true returned), the rest as ERROR_INPUT; so does a reply that came whole and can never be read,
 * such as one with a number beyond 64 bits or one that is too long.
 */
bool client_json(struct client *c, const char *method, const char *path, const json_t *body, json_t **out,
                 bool *missing, struct error *err) must_check;

/* From the next request on a reply may have so many bytes; 0: as many as can be. */
void client_reply_most(struct client *c, size_t bytes);

/* Whether the last request failed as its reply was longer. */
bool client_reply_too_long(const struct client *c);

/* The "type: reason" of an OpenSearch error object, with its root or deepest cause, into out. */
void client_add_reason(const json_t *error, struct buf *out);

/* Fills err with a reply that is a refusal, of the kinds said above; returns false. */
bool client_refused(const struct http_reply *reply, struct error *err);

/* Whether the cluster answers and takes requests: for `check --online` and readiness. */
bool client_ready(struct client *c, struct error *err) must_check;

#endif
