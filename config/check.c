#include "config/check.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/redis.h"
#include "base/text.h"

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum { SQL_NAME_BYTES = 63, NAME_BYTES = 64, TYPE_BYTES = 128, TYPE_PARTS = 8, HOST_BYTES = 256 };

bool check_name(const char *name, struct error *err)
{
    size_t length = strlen(name);

    if (length == 0 || length > NAME_BYTES || !strchr(LOWER DIGITS, name[0]) ||
        strspn(name, LOWER DIGITS "_-") != length)
        return error_set(err, ERROR_CONFIG,
                         "\"%.80s\" is no name: 1 to %d of a-z, 0-9, \"_\" and \"-\", starting with a letter or digit",
                         name, NAME_BYTES);
    return true;
}

bool check_event_type(const char *type, struct error *err)
{
    const char *at = type;
    int parts = 0;
    bool good;

    do {
        size_t length = strspn(at, LOWER UPPER DIGITS "_-");

        good = length > 0 && ++parts <= TYPE_PARTS && strlen(type) <= TYPE_BYTES;
        at += length;
    } while (good && *at++ == '.');
    if (!good || at[-1])
        return error_set(err, ERROR_CONFIG,
                         "\"%.80s\" is no event type: 1 to %d parts of letters, digits, \"_\" and \"-\", separated by "
                         "dots (a section is for one type, not for a pattern)",
                         type, TYPE_PARTS);
    return true;
}

static bool sql_name_good(const char *name, size_t length)
{
    return length > 0 && length <= SQL_NAME_BYTES && !strchr(DIGITS, name[0]) &&
           strspn(name, LOWER UPPER DIGITS "_") >= length;
}

bool check_sql_name(const char *name, struct error *err)
{
    return sql_name_good(name, strlen(name)) ||
           error_set(err, ERROR_CONFIG,
                     "\"%.80s\" is no name: 1 to %d letters, digits and \"_\", starting with a letter or \"_\", "
                     "with the case it has in the database",
                     name, SQL_NAME_BYTES);
}

bool check_sql_table(const char *table, struct error *err)
{
    size_t schema = strcspn(table, ".");

    if (table[schema] == '.' && sql_name_good(table, schema))
        table += schema + 1;
    return check_sql_name(table, err);
}

bool check_redis_url(const char *url, struct error *err)
{
    struct redis_address address;

    if (!redis_address_parse(url, &address, err))
        return false;
    redis_address_release(&address);
    return true;
}

static bool port_good(const char *text, size_t length, int64_t least)
{
    int64_t port;

    return length <= 5 && text_int(text, length, &port) && port >= least && port <= 65535;
}

/* "host[:port]" or "[address][:port]" */
static bool host_good(struct span s)
{
    const char *host_end = s.length > 0 && s.text[0] == '[' ? memchr(s.text, ']', s.length) : NULL;
    const char *end = s.text + s.length;
    const char *colon = memchr(host_end ? host_end : s.text, ':', (size_t)(end - (host_end ? host_end : s.text)));
    size_t host = (size_t)((colon ? colon : end) - s.text);

    return host > 0 && (!colon || port_good(colon + 1, (size_t)(end - colon) - 1, 1));
}

/* The texts name no URL: one that is wrong may hold a password in an unexpected place. */
static bool http_url_good(struct span url, struct error *err)
{
    size_t scheme = url.length > 7 && memcmp(url.text, "http://", 7) == 0    ? 7
                    : url.length > 8 && memcmp(url.text, "https://", 8) == 0 ? 8
                                                                             : 0;
    struct span host = {url.text + scheme, 0};

    if (scheme == 0)
        return error_set(err, ERROR_CONFIG, "must start with http:// or https://, several separated by spaces");
    while (scheme + host.length < url.length && host.text[host.length] != '/')
        host.length++;
    if (memchr(url.text, '@', url.length))
        return error_set(err, ERROR_CONFIG, "must hold no user and password: they have keys of their own");
    if (!host_good(host) || memchr(url.text, '?', url.length) || memchr(url.text, '#', url.length))
        return error_set(err, ERROR_CONFIG,
                         "must be http://host:port or https://host:port, several separated by "
                         "spaces");
    return true;
}

bool check_http_urls(const char *urls, struct error *err)
{
    struct span url;

    while (text_word(&urls, &url.text, &url.length))
        if (!http_url_good(url, err))
            return false;
    return true;
}

bool check_listen(const char *address, struct error *err)
{
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;
    bool bracketed = length >= 2 && address[0] == '[' && address[length - 1] == ']';
    unsigned char binary[sizeof(struct in6_addr)];
    char host[HOST_BYTES];

    if (length > 0 && length < sizeof host && port_good(colon + 1, strlen(colon + 1), 0)) {
        memcpy(host, address + bracketed, length - 2 * bracketed);
        host[length - 2 * bracketed] = '\0';
        if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, binary) == 1)
            return true;
    }
    return error_set(err, ERROR_CONFIG,
                     "must be an address with a port, such as 127.0.0.1:8960, 0.0.0.0:8960 or [::1]:8960, not "
                     "\"%.80s\"",
                     address);
}
