/*
 * handlers/webhook/guarded_url.h - the URL of a request that others may aim, read once and strictly.
 *
 * https://HOST[:PORT]/PATH?QUERY: no user or password, no fragment, no white space or backslash, a host in ASCII
 * without a trailing dot or zone, a port of the list. What a text may mean to one reader and not to another is refused.
 */
#ifndef HANDLERS_WEBHOOK_GUARDED_URL_H
#define HANDLERS_WEBHOOK_GUARDED_URL_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"

enum { URL_BYTES_MOST = 2048, HOST_BYTES = 256 };

struct guarded_url {
    char host[HOST_BYTES]; /* of an IPv6 address without brackets */
    int port;
    bool https;
};

/* ports: separated by spaces. False: ERROR_INPUT, which never quotes more of the text than host and port. */
bool guarded_url_read(const char *text, const char *ports, bool http_allowed, struct guarded_url *out,
                      struct error *err) must_check;

bool guarded_url_ports_check(const char *ports, struct error *err); /* for configuration rows */

#endif
