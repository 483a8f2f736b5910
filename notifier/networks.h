/*
 * notifier/networks.h - IP addresses as text, and lists of networks they may lie in.
 *
 * An IPv4 address and the same mapped into IPv6 (::ffff:192.0.2.1) are one address.
 */
#ifndef NOTIFIER_NETWORKS_H
#define NOTIFIER_NETWORKS_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"

/* As IPv6; of IPv4 the mapped form. */
struct address {
    unsigned char bytes[16];
};

/* A zone ("fe80::1%eth0") is left aside. False: no address. */
bool address_read(const char *text, struct address *out) must_check;
bool address_is_ipv4(const struct address *a);

struct networks;

/* Addresses and networks (192.0.2.7 10.0.0.0/8 2001:db8::/32), separated by spaces. NULL: ERROR_CONFIG. */
struct networks *networks_new(const char *text, struct error *err) must_check;
void networks_free(struct networks *n);
bool networks_check(const char *text, struct error *err); /* for configuration rows */

bool networks_hold(const struct networks *n, const struct address *a);

#endif
