#include "notifier/door_origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

bool origin_is_allowed(const char *list, const char *origin)
{
    const char *word;
    size_t length;

    while (origin && *origin && text_word(&list, &word, &length))
        if ((length == 1 && *word == '*') || span_is((struct span){word, length}, origin))
            return true;
    return false;
}

bool origin_is_of_host(const char *origin, const char *host)
{
    const char *from = strstr(origin, "://");

    return from && host && strcasecmp(from + strlen("://"), host) == 0;
}

/* Not by its first letters: 127.example.org is anybody's. */
static bool is_loopback_v4(const char *address)
{
    struct in_addr v4;

    return inet_pton(AF_INET, address, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool is_port_or_end(const char *text)
{
    return !*text || (*text == ':' && !text[1 + strspn(text + 1, "0123456789")]);
}

bool host_is_of_this_machine(const char *host)
{
    static const char v6[] = "[::1]";
    char name[INET_ADDRSTRLEN] = "";
    size_t length;

    if (!host)
        return true;
    if (text_starts(host, v6))
        return is_port_or_end(host + strlen(v6));
    length = strcspn(host, ":");
    if (length >= sizeof name || !is_port_or_end(host + length))
        return false;
    memcpy(name, host, length);
    return strcasecmp(name, "localhost") == 0 || is_loopback_v4(name);
}

void origin_add_headers(struct MHD_Response *response, const char *list, const char *origin)
{
    if (*list)
        MHD_add_response_header(response, "Vary", "Origin");
    if (!origin_is_allowed(list, origin))
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin", origin);
    MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
    MHD_add_response_header(response, "Access-Control-Allow-Headers",
                            "Authorization, Content-Type, Idempotency-Key, Last-Event-ID");
    MHD_add_response_header(response, "Access-Control-Max-Age", "600");
}
