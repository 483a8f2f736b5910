/*
 * notifier/outbox/outbox_relay.h - the relays of `crier serve`: a thread for each [outbox], which brings its rows
 * through the intake.
 *
 * Any number of processes may relay the same outbox: rows with the same subject keep their order, each is sent at least
 * once and counts once. What is away is waited for; it is said once, and again when it is over.
 */
#ifndef NOTIFIER_OUTBOX_OUTBOX_RELAY_H
#define NOTIFIER_OUTBOX_OUTBOX_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/stop.h"
#include "config/settings.h"

struct outbox_relays;

/* NULL: ERROR_CONFIG. They end on the stop. */
struct outbox_relays *outbox_relays_start(const struct settings *s, struct stop *stop, struct error *err) must_check;
void outbox_relays_join(struct outbox_relays *r); /* NULL is fine */

/* Why the index-th outbox stands still, into why ("" where it does not). False: there are no more. From any thread. */
bool outbox_relays_trouble(struct outbox_relays *r, size_t index, const char **name, char *why, size_t size);

#endif
