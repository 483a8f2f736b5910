#include "handlers/webhook/address_guard.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "notifier/networks.h"

/* IANA's registries of special-purpose addresses, and what is deprecated but still routed somewhere. */
static const char special_ipv4[] = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 "
                                   "192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 "
                                   "192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 "
                                   "224.0.0.0/4 240.0.0.0/4";

/* Of IPv6 only what is given out for global unicast counts at all; these parts of it do not. */
static const char global_ipv6[] = "2000::/3";
static const char special_ipv6[] = "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3ffe::/16 3fff::/20";

struct address_guard {
    struct networks *allowed, *special_ipv4, *global_ipv6, *special_ipv6;
};

struct address_guard *address_guard_new(const char *allowed, struct error *err)
{
    struct address_guard *g = xcalloc(1, sizeof *g);

    g->allowed = networks_new(allowed, err);
    g->special_ipv4 = networks_new(special_ipv4, err);
    g->global_ipv6 = networks_new(global_ipv6, err);
    g->special_ipv6 = networks_new(special_ipv6, err);
    if (g->allowed && g->special_ipv4 && g->global_ipv6 && g->special_ipv6)
        return g;
    address_guard_free(g);
    return NULL;
}

void address_guard_free(struct address_guard *g)
{
    if (!g)
        return;
    networks_free(g->allowed);
    networks_free(g->special_ipv4);
    networks_free(g->global_ipv6);
    networks_free(g->special_ipv6);
    free(g);
}

/* False: neither IPv4 nor IPv6. */
static bool address_of(const struct sockaddr *from, struct address *out)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (from->sa_family == AF_INET6) {
        memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, sizeof out->bytes);
        return true;
    }
    if (from->sa_family != AF_INET)
        return false;
    memcpy(out->bytes, mapped, sizeof mapped);
    memcpy(out->bytes + sizeof mapped, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    return true;
}

/* An interface id of ISATAP (RFC 5214 §6.1) leads to the IPv4 address behind it, whatever the network. */
static bool is_isatap(const struct address *a)
{
    return (a->bytes[8] & 0xfd) == 0 && a->bytes[9] == 0 && a->bytes[10] == 0x5e && a->bytes[11] == 0xfe;
}

static bool is_public(const struct address_guard *g, const struct address *a)
{
    if (address_is_ipv4(a))
        return !networks_hold(g->special_ipv4, a);
    return networks_hold(g->global_ipv6, a) && !networks_hold(g->special_ipv6, a) && !is_isatap(a);
}

/* Interfaces come and go: asked each time. What cannot be told counts as ours. */
static bool is_own(const struct address *a)
{
    struct ifaddrs *all;
    bool own = false;

    if (getifaddrs(&all) != 0)
        return true;
    for (const struct ifaddrs *i = all; i && !own; i = i->ifa_next) {
        struct address one;

        own = i->ifa_addr && address_of(i->ifa_addr, &one) && memcmp(one.bytes, a->bytes, sizeof one.bytes) == 0;
    }
    freeifaddrs(all);
    return own;
}

static bool refuse(const struct sockaddr *address, const char *why, struct error *err)
{
    const void *bytes = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    char text[INET6_ADDRSTRLEN] = "?";

    if (address->sa_family == AF_INET || address->sa_family == AF_INET6)
        inet_ntop(address->sa_family, bytes, text, sizeof text);
    return error_set(err, ERROR_INPUT, "address %s is %s: the operator may allow its network", text, why);
}

bool address_guard_check(const struct address_guard *g, const struct sockaddr *address, struct error *err)
{
    struct address a;

    if (!address_of(address, &a))
        return error_set(err, ERROR_INPUT, "an address is neither IPv4 nor IPv6");
    if (networks_hold(g->allowed, &a))
        return true;
    if (!is_public(g, &a))
        return refuse(address, "not public", err);
    return !is_own(&a) || refuse(address, "this machine's own", err);
}
