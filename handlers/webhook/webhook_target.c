#include "handlers/webhook/webhook_target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/text.h"
#include "handlers/webhook/guarded_url.h"

enum { HEADERS_MOST = 32 };

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* What is ours, or the transport's. */
static bool is_reserved(const char *header, size_t name)
{
    static const char *const reserved[] = {"host",       "content-type",      "content-length", "content-encoding",
                                           "connection", "transfer-encoding", "expect",         "te",
                                           "trailer",    "upgrade",           "keep-alive",     "proxy-connection"};

    if (name >= strlen("webhook-") && strncasecmp(header, "webhook-", strlen("webhook-")) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(reserved); i++)
        if (name == strlen(reserved[i]) && strncasecmp(header, reserved[i], name) == 0)
            return true;
    return false;
}

/* The next "Name: value" between semicolons, without the space around it. False: no more. */
static bool next_header(const char **at, struct span *header)
{
    *at += strspn(*at, " \t;");
    header->text = *at;
    header->length = strcspn(*at, ";");
    *at += header->length;
    while (header->length > 0 && strchr(" \t", header->text[header->length - 1]))
        header->length--;
    return header->length > 0;
}

/* The text may be a secret: only the name of a header is ever shown. */
bool webhook_headers_check(const char *text, struct error *err)
{
    struct span header;
    int count = 0;

    while (next_header(&text, &header)) {
        size_t name = strspn(header.text, name_bytes);

        if (++count > HEADERS_MOST)
            return error_set(err, ERROR_CONFIG, "there may be %d headers", HEADERS_MOST);
        if (name == 0 || name >= header.length || header.text[name] != ':')
            return error_set(err, ERROR_CONFIG, "header %d is not \"Name: value\"; several are separated by ;", count);
        if (is_reserved(header.text, name))
            return error_set(err, ERROR_CONFIG, "header %.*s is not for you to set", (int)name, header.text);
        for (size_t i = 0; i < header.length; i++)
            if ((unsigned char)header.text[i] < ' ' || header.text[i] == 0x7f)
                return error_set(err, ERROR_CONFIG, "header %.*s holds a control character", (int)name, header.text);
    }
    return true;
}

static char **read_headers(const char *text)
{
    char **list = xcalloc(HEADERS_MOST + 1, sizeof *list);
    struct span header;
    size_t count = 0;

    while (count < HEADERS_MOST && next_header(&text, &header))
        list[count++] = xstrndup(header.text, header.length);
    return list;
}

bool webhook_options_check(const void *options, struct error *err)
{
    const struct webhook_options *o = options;
    struct guarded_url url;

    if (!*o->url != !*o->secret)
        return error_set(err, ERROR_CONFIG,
                         "url and secret belong together; without both the handler serves the "
                         "subscriptions that `crier webhooks add` makes");
    if (!*o->url)
        return (!*o->condition && !*o->headers) ||
               error_set(err, ERROR_CONFIG, "condition and headers belong to a url; each subscription has its own");
    if (guarded_url_read(o->url, o->ports, o->http, &url, err))
        return true;
    err->kind = ERROR_CONFIG;
    return error_in(err, "url");
}

static struct webhook_target *target_of(const char *name, const struct handler_settings *hs,
                                        const struct webhook_options *o)
{
    struct webhook_target *t = xcalloc(1, sizeof *t);

    t->name = name;
    t->handler = hs->name;
    t->queue = hs->queue;
    t->owner = "";
    t->options = o;
    t->headers = read_headers(o->headers);
    return t;
}

struct webhook_target *webhook_target_new(const char *name, const struct handler_settings *hs,
                                          const struct webhook_options *o, struct error *err)
{
    struct webhook_target *t = target_of(name, hs, o);

    t->signer = signer_new(o->secret, err);
    t->guard = t->signer ? address_guard_new(o->allow, err) : NULL;
    t->condition = t->guard ? condition_new(o->condition, err) : NULL;
    if (t->condition)
        return t;
    webhook_target_free(t);
    return NULL;
}

struct webhook_target *webhook_target_closed(const char *name, const struct handler_settings *hs,
                                             const struct webhook_options *o, struct error *err)
{
    struct webhook_target *t = target_of(name, hs, o);

    t->condition = condition_new(o->condition, err);
    if (t->condition)
        return t;
    webhook_target_free(t);
    return NULL;
}

void webhook_target_free(struct webhook_target *t)
{
    if (!t)
        return;
    for (char **header = t->headers; *header; header++)
        free(*header);
    free(t->headers);
    signer_free(t->signer);
    address_guard_free(t->guard);
    condition_free(t->condition);
    free(t);
}
