/*
 * notifier/access/signed.h - signatures on what is sent to POST /events, and each signed request taken once.
 *
 * A request is signed as Standard Webhooks 1.0.0 (base/signature.h), over its body once unpacked. That its webhook-id
 * was taken is remembered in Redis for as long as its timestamp is good: the same request again has no effect. Headers
 * are not signed, so events may not be told by them (ce- headers), and webhook-id takes Idempotency-Key's place.
 */
#ifndef NOTIFIER_ACCESS_SIGNED_H
#define NOTIFIER_ACCESS_SIGNED_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/signature.h"
#include "config/settings.h"

struct signed_door;

/* The section as a whole: signatures that are required need a secret. */
bool signed_section_check(const void *http_settings, struct error *err);

/* *out NULL: no signature is asked for. False: ERROR_CONFIG. */
bool signed_door_open(const struct settings *s, struct signed_door **out, struct error *err) must_check;
void signed_door_close(struct signed_door *d); /* NULL is fine */

/*
 * 0: go on. Else the status of the answer, which is in reply: 401 with the reason, 200 for what was taken before, 409
 * for an id that was taken with another body, 503 while Redis is away. For several threads at a time.
 */
unsigned signed_check(struct signed_door *d, const struct signature_claim *claim, bool by_headers,
                      const struct buf *body, struct buf *reply) must_check;

/* It was taken, and is not to be again. Where Redis is away, the ids of its events are what is left. */
void signed_remember(struct signed_door *d, const struct signature_claim *claim, const struct buf *body);

#endif
