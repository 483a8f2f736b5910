/*
 * handlers/webhook/address_guard.h - which addresses a request that others may aim is let through to.
 *
 * Only public unicast addresses, and none of this machine's own; not those that hide an IPv4 address in IPv6 (mapped,
 * NAT64, 6to4, Teredo, ISATAP). What the operator allows by name of the network is let through whatever it is.
 * Constant once made: any number of threads.
 */
#ifndef HANDLERS_WEBHOOK_ADDRESS_GUARD_H
#define HANDLERS_WEBHOOK_ADDRESS_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/attrs.h"
#include "base/error.h"

struct address_guard;

/* allowed: networks separated by spaces, "" for none. NULL: ERROR_CONFIG. */
struct address_guard *address_guard_new(const char *allowed, struct error *err) must_check;
void address_guard_free(struct address_guard *g); /* NULL is fine */

/* ERROR_INPUT says which address, and that it is not public. */
bool address_guard_check(const struct address_guard *g, const struct sockaddr *address, struct error *err) must_check;

#endif
