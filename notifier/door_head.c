#include "notifier/door_head.h"

#include <string.h>
#include <strings.h>

/* RFC 9110 §5.6.2, and RFC 3986 §3.2.2 with a port. */
#define ALPHANUMERIC     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define TOKEN_CHARACTERS "!#$%&'*+-.^_`|~" ALPHANUMERIC
#define HOST_CHARACTERS  "-._~%!$&'()*+;=:[]" ALPHANUMERIC

struct head {
    unsigned hosts, lengths, encodings;
    bool chunked;
    const char *reason;
};

static void doubt(struct head *h, const char *reason)
{
    if (!h->reason)
        h->reason = reason;
}

static bool is_made_of(const char *text, size_t size, const char *characters)
{
    for (size_t i = 0; i < size; i++)
        if (!text[i] || !strchr(characters, text[i]))
            return false;
    return true;
}

/* A value has tabs, but no other control character: a NUL would end it, a carriage return would end a line elsewhere.
 */
static bool is_value(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return true;
}

static bool begins(const char *name, size_t size, const char *wanted)
{
    return size >= strlen(wanted) && strncasecmp(name, wanted, strlen(wanted)) == 0;
}

static bool is_named(const char *name, size_t size, const char *wanted)
{
    return size == strlen(wanted) && begins(name, size, wanted);
}

/* RFC 9112 §3.2, §6. */
static enum MHD_Result look_at_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                      const char *value, size_t value_size)
{
    struct head *h = context;

    (void)kind;
    if (name_size == 0 || !is_made_of(name, name_size, TOKEN_CHARACTERS))
        doubt(h, "the name of a header holds what none may hold");
    if (!is_value(value ? value : "", value_size))
        doubt(h, "a header holds a control character");
    if (is_named(name, name_size, "host")) {
        h->hosts++;
        if (!is_made_of(value ? value : "", value_size, HOST_CHARACTERS))
            doubt(h, "Host must be one host, perhaps with a port");
    } else if (is_named(name, name_size, "content-length")) {
        h->lengths++;
        if (value_size == 0 || !is_made_of(value, value_size, "0123456789"))
            doubt(h, "Content-Length must be a number");
    } else if (is_named(name, name_size, "transfer-encoding")) {
        h->encodings++;
        h->chunked = is_named(value ? value : "", value_size, "chunked");
    } else if (begins(name, name_size, "content-length") || begins(name, name_size, "transfer-encoding")) {
        /* libmicrohttpd 0.9.75 puts a line that goes on in the next one, its value, behind the name */
        doubt(h, "what says how long the body is goes on in another line");
    }
    return MHD_YES;
}

bool head_is_clear(struct MHD_Connection *c, const char *target, const char *version, const char **reason)
{
    struct head h = {0};

    MHD_get_connection_values_n(c, MHD_HEADER_KIND, look_at_header, &h);
    if (h.lengths + h.encodings > 1 || (h.encodings == 1 && !h.chunked))
        doubt(&h, "the headers contradict each other");
    if (h.encodings > 0 && strcmp(version, MHD_HTTP_VERSION_1_1) != 0)
        doubt(&h, "this version of HTTP has no Transfer-Encoding");
    if (h.hosts > 1)
        doubt(&h, "there is more than one Host");
    if (target[0] != '/')
        doubt(&h, "the address must begin with /");
    *reason = h.reason;
    return !h.reason;
}

size_t head_unescape(void *context, struct MHD_Connection *c, char *text)
{
    (void)context;
    (void)c;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}
