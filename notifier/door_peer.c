#include "notifier/door_peer.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

bool peer_is_loopback(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;
    struct in6_addr address;

    if (from && from->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, from, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (!from || from->sa_family != AF_INET6)
        return false;
    memcpy(&address, (const char *)from + offsetof(struct sockaddr_in6, sin6_addr), sizeof address);
    return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == IN_LOOPBACKNET);
}
