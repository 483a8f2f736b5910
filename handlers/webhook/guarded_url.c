#include "handlers/webhook/guarded_url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Each word a port. False: the word that is none, or the wanted one was not among them (wanted 0: none is). */
static bool ports_hold(const char *ports, int wanted, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&ports, &word, &length)) {
        int64_t port;

        if (!text_int(word, length, &port) || port < 1 || port > 65535)
            return error_set(err, ERROR_CONFIG, "\"%.*s\" is no port (1 to 65535)", (int)length, word);
        if (port == wanted)
            return true;
    }
    return wanted == 0 || error_set(err, ERROR_INPUT, "port %d is not one of those allowed", wanted);
}

bool guarded_url_ports_check(const char *ports, struct error *err)
{
    return ports_hold(ports, 0, err);
}

static bool text_fits(const char *text, struct error *err)
{
    if (strlen(text) > URL_BYTES_MOST)
        return error_set(err, ERROR_INPUT, "the URL is longer than %d bytes", URL_BYTES_MOST);
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || *at == '\\')
            return error_set(err, ERROR_INPUT,
                             "the URL holds a byte 0x%02x at %zu: write it percent-encoded, a host "
                             "in its ASCII form (xn--)",
                             (unsigned char)*at, (size_t)(at - text));
    return true;
}

/* The part, copied; one that is not there leaves out as it is. */
static bool part_of(CURLU *u, CURLUPart part, char *out, size_t size)
{
    char *text = NULL;
    bool found = curl_url_get(u, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK;

    if (found)
        snprintf(out, size, "%s", text);
    curl_free(text);
    return found;
}

/* As it is written, before any reader has its way with it. */
static bool form_fits(const char *text, struct error *err)
{
    const char *start = strstr(text, "://");

    if (!start || strspn(text, "httpsHTTPS") != (size_t)(start - text) || strchr("/?#", start[3]))
        return error_set(err, ERROR_INPUT, "this is no URL such as https://example.org/hook");
    if (memchr(start + 3, '@', strcspn(start + 3, "/?#")))
        return error_set(err, ERROR_INPUT, "the URL must hold no user or password");
    return true;
}

static bool host_fits(CURLU *u, struct guarded_url *out, struct error *err)
{
    char host[2 * HOST_BYTES] = "", zone[HOST_BYTES];
    size_t length;

    if (!part_of(u, CURLUPART_HOST, host, sizeof host) || !*host)
        return error_set(err, ERROR_INPUT, "the URL has no host");
    length = strlen(host);
    if (length >= HOST_BYTES)
        return error_set(err, ERROR_INPUT, "the host is longer than %d bytes", HOST_BYTES - 1);
    if (part_of(u, CURLUPART_ZONEID, zone, sizeof zone) || strchr(host, '%'))
        return error_set(err, ERROR_INPUT, "the host must have neither zone nor percent-encoded bytes");
    if (host[length - 1] == '.')
        return error_set(err, ERROR_INPUT, "the host must not end in a dot");
    if (host[0] == '[' && host[length - 1] == ']')
        snprintf(out->host, sizeof out->host, "%.*s", (int)length - 2, host + 1);
    else
        snprintf(out->host, sizeof out->host, "%.*s", (int)length, host);
    return true;
}

static bool parts_fit(CURLU *u, const char *ports, bool http_allowed, struct guarded_url *out, struct error *err)
{
    char scheme[16] = "", port[16] = "", rest[8];
    int64_t number;

    part_of(u, CURLUPART_SCHEME, scheme, sizeof scheme);
    out->https = strcasecmp(scheme, "https") == 0;
    if (!out->https && !(http_allowed && strcasecmp(scheme, "http") == 0))
        return error_set(err, ERROR_INPUT, "the URL must begin with https://%s", http_allowed ? " or http://" : "");
    if (part_of(u, CURLUPART_FRAGMENT, rest, sizeof rest))
        return error_set(err, ERROR_INPUT, "the URL must have no fragment (#...)");
    if (!host_fits(u, out, err))
        return false;
    if (!part_of(u, CURLUPART_PORT, port, sizeof port) || !text_int(port, strlen(port), &number) || number < 1 ||
        number > 65535)
        return error_set(err, ERROR_INPUT, "the URL's port is none");
    out->port = (int)number;
    return ports_hold(ports, out->port, err);
}

bool guarded_url_read(const char *text, const char *ports, bool http_allowed, struct guarded_url *out,
                      struct error *err)
{
    CURLU *u;
    bool ok;

    if (!text_fits(text, err) || !form_fits(text, err))
        return false;
    u = curl_url();
    ok = (curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS) == CURLUE_OK ||
          error_set(err, ERROR_INPUT, "this is no URL such as https://example.org/hook")) &&
         parts_fit(u, ports, http_allowed, out, err);
    curl_url_cleanup(u);
    return ok;
}
