/*
 * handlers/webhook/webhook_target.h - where a webhook goes, and what it is sent with: the options of a [handler] of
 * type webhook made ready. Constant once made: any number of threads.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_TARGET_H
#define HANDLERS_WEBHOOK_WEBHOOK_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/signature.h"
#include "config/settings.h"
#include "handlers/webhook/address_guard.h"
#include "handlers/webhook/condition.h"

enum webhook_payload { PAYLOAD_CLOUDEVENTS, PAYLOAD_THIN };

struct webhook_options {
    char *url, *secret, *condition, *headers, *ports, *allow, *ca_file, *owner_mail, *owner_mails;
    int payload; /* enum webhook_payload */
    int64_t timeout_ms, concurrency, largest_bytes, backlog;
    bool http;
};

struct webhook_target {
    const char *name;            /* what its deliveries are kept under: the handler's, or a subscription's id */
    const char *handler, *queue; /* where dead letters go, and who sends them anew */
    const char *owner;           /* who is told when it is turned off; "": nobody but the operator */
    const struct webhook_options *options;
    struct signer *signer; /* NULL for one that is closed, as guard */
    struct address_guard *guard;
    struct condition *condition;
    char **headers; /* of the options; NULL-ended */
};

/* All lent. NULL: ERROR_CONFIG. */
struct webhook_target *webhook_target_new(const char *name, const struct handler_settings *hs,
                                          const struct webhook_options *o, struct error *err) must_check;

/* One whose secrets do not open: what it wants is known, not where to. Nothing can be sent to it. */
struct webhook_target *webhook_target_closed(const char *name, const struct handler_settings *hs,
                                             const struct webhook_options *o, struct error *err) must_check;

void webhook_target_free(struct webhook_target *t); /* NULL is fine */

bool webhook_headers_check(const char *text, struct error *err);    /* for configuration rows */
bool webhook_options_check(const void *options, struct error *err); /* whether they fit together */

#endif
