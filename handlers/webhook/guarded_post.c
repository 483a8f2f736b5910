#include "handlers/webhook/guarded_post.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "handlers/webhook/guarded_link.h"
#include "handlers/webhook/guarded_url.h"

enum { RESOLVE_MS_MOST = 5000, CONNECT_MS_MOST = 10000, BUFFER_BYTES = 4 * 1024, UPLOAD_BYTES = 16 * 1024 };

struct guarded_post {
    CURL *link;
    struct post_options options;
    const struct post_request *request; /* the one under way, as all that follows is of it */
    struct post_reply *reply;
    struct guarded_url url;
    int64_t until_ms;
    struct addresses checked;
    struct curl_slist *pins, *headers;
    struct error refused; /* by on_open; kind ERROR_NONE: nothing was */
    size_t head_bytes;
    bool head_whole, head_too_long;
    char why[CURL_ERROR_SIZE];
};

/* ------------------------------------------------------------------------------------------- libcurl's hooks */

/* What goes beyond the most ends the request, as a peer may go on for ever. */
static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct guarded_post *p = user;
    size_t length = size * count, room = POST_REPLY_BYTES_MOST - p->reply->body.length;

    buf_add(&p->reply->body, bytes, length < room ? length : room);
    return length <= room ? length : 0;
}

static size_t on_head_line(char *bytes, size_t size, size_t count, void *user)
{
    struct guarded_post *p = user;
    size_t length = size * count;

    p->head_bytes += length;
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) /* another head may follow one of 1xx */
        p->head_whole = false;
    else if (bytes[0] == '\r' || bytes[0] == '\n')
        p->head_whole = true;
    p->head_too_long = p->head_bytes > POST_HEAD_BYTES_MOST;
    return p->head_too_long ? 0 : length;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

static bool was_checked(const struct guarded_post *p, const struct sockaddr *address)
{
    for (size_t i = 0; i < p->checked.count; i++)
        if (same_address((const struct sockaddr *)&p->checked.items[i], address))
            return true;
    return false;
}

/* The last word before a connection, whatever libcurl made of the URL. */
static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct guarded_post *p = user;

    (void)purpose;
    if (!address_guard_check(p->options.guard, &to->addr, &p->refused))
        return CURL_SOCKET_BAD;
    if (!was_checked(p, &to->addr)) {
        error_set(&p->refused, ERROR_INPUT, "the address is none that the host was found at");
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static void set_manners(struct guarded_post *p)
{
    curl_easy_setopt(p->link, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(p->link, CURLOPT_PROXY, "");
    curl_easy_setopt(p->link, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(p->link, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(p->link, CURLOPT_ACCEPT_ENCODING, NULL);
    curl_easy_setopt(p->link, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(p->link, CURLOPT_PROTOCOLS_STR, p->options.http_allowed ? "http,https" : "https");
    curl_easy_setopt(p->link, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(p->link, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(p->link, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(p->link, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES); /* there are many of us, who say little */
    curl_easy_setopt(p->link, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BYTES);
    curl_easy_setopt(p->link, CURLOPT_USERAGENT, "crier/" CRIER_VERSION);
    if (p->options.ca_file)
        curl_easy_setopt(p->link, CURLOPT_CAINFO, p->options.ca_file);
}

struct guarded_post *guarded_post_new(const struct post_options *o)
{
    struct guarded_post *p = xcalloc(1, sizeof *p);

    p->link = curl_easy_init();
    if (!p->link)
        abort(); /* as exhausted memory everywhere */
    p->options = *o;
    if (!p->options.resolve)
        p->options.resolve = resolver_system;
    set_manners(p);
    curl_easy_setopt(p->link, CURLOPT_ERRORBUFFER, p->why);
    curl_easy_setopt(p->link, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(p->link, CURLOPT_WRITEDATA, p);
    curl_easy_setopt(p->link, CURLOPT_HEADERFUNCTION, on_head_line);
    curl_easy_setopt(p->link, CURLOPT_HEADERDATA, p);
    curl_easy_setopt(p->link, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(p->link, CURLOPT_OPENSOCKETDATA, p);
    return p;
}

void guarded_post_free(struct guarded_post *p)
{
    if (!p)
        return;
    curl_easy_cleanup(p->link);
    free(p);
}

/* -------------------------------------------------------------------------------------------------- a request */

/*
 * "HOST:PORT:ADDRESS,ADDRESS": what libcurl then takes instead of asking itself. It asks nobody about an IPv6 address,
 * which has no place in such a line.
 */
static struct curl_slist *pinned(const struct guarded_url *url, const struct addresses *found)
{
    struct buf line = BUF_INIT;
    struct curl_slist *list;

    if (strchr(url->host, ':'))
        return NULL;
    buf_printf(&line, "%s:%d:", url->host, url->port);
    for (size_t i = 0; i < found->count; i++) {
        const struct sockaddr_storage *one = &found->items[i];
        char text[INET6_ADDRSTRLEN];
        bool six = one->ss_family == AF_INET6;

        inet_ntop(one->ss_family,
                  six ? (const void *)&((const struct sockaddr_in6 *)one)->sin6_addr
                      : (const void *)&((const struct sockaddr_in *)one)->sin_addr,
                  text, sizeof text);
        buf_printf(&line, six ? "%s[%s]" : "%s%s", i > 0 ? "," : "", text);
    }
    list = curl_slist_append(NULL, line.data);
    buf_release(&line);
    return list;
}

static struct curl_slist *headers_of(const struct post_request *request)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    list = curl_slist_append(list, "Accept:");
    for (const char *const *header = request->headers; *header; header++)
        list = curl_slist_append(list, *header);
    return list;
}

/* A whole head says all that counts, whatever becomes of the body behind it. */
static bool judge(struct guarded_post *p, const struct guarded_url *url, CURLcode code, struct error *err)
{
    struct post_reply *reply = p->reply;
    curl_off_t wait_s = 0;

    if (p->refused.kind != ERROR_NONE) {
        reply->blocked = true;
        *err = p->refused;
        return error_in(err, "%s", url->host);
    }
    if (p->head_too_long)
        return error_set(err, ERROR_AGAIN, "%s:%d: the reply's head is longer than %d KiB", url->host, url->port,
                         POST_HEAD_BYTES_MOST / 1024);
    curl_easy_getinfo(p->link, CURLINFO_RESPONSE_CODE, &reply->status);
    if (reply->status == 0 || !p->head_whole || code == CURLE_OPERATION_TIMEDOUT) {
        reply->status = 0;
        return error_set(err, ERROR_AGAIN, "%s:%d: %s", url->host, url->port,
                         p->why[0]          ? p->why
                         : code == CURLE_OK ? "the reply is cut off"
                                            : curl_easy_strerror(code));
    }
    curl_easy_getinfo(p->link, CURLINFO_RETRY_AFTER, &wait_s); /* a date is turned into seconds already */
    reply->retry_after_s = wait_s > 0 && wait_s < LONG_MAX ? (long)wait_s : -1;
    return true;
}

static void start(struct guarded_post *p, const struct post_request *request, struct post_reply *reply)
{
    p->request = request;
    p->reply = reply;
    p->until_ms = clock_monotonic_ms() + p->options.timeout_ms;
    p->checked.count = 0;
    p->refused = (struct error)ERROR_INIT;
    p->head_bytes = 0;
    p->head_whole = p->head_too_long = false;
    p->why[0] = '\0';
    reply->status = 0;
    reply->retry_after_s = -1;
    reply->blocked = false;
    buf_reset(&reply->body);
}

bool guarded_post_aim(struct guarded_post *p, const struct post_request *request, struct post_reply *reply,
                      struct error *err)
{
    start(p, request, reply);
    if (guarded_url_read(request->url, p->options.ports, p->options.http_allowed, &p->url, err))
        return true;
    reply->blocked = true;
    return false;
}

const char *guarded_post_host(const struct guarded_post *p)
{
    return p->url.host;
}

int guarded_post_resolve_ms(const struct guarded_post *p)
{
    return p->options.timeout_ms < RESOLVE_MS_MOST ? p->options.timeout_ms : RESOLVE_MS_MOST;
}

/* One that must not be reached among several means that none is. */
static bool check_addresses(struct guarded_post *p, struct error *err)
{
    for (size_t i = 0; i < p->checked.count; i++)
        if (!address_guard_check(p->options.guard, (const struct sockaddr *)&p->checked.items[i], err))
            return error_in(err, "%s", p->url.host);
    return true;
}

static void set_request(struct guarded_post *p)
{
    const struct post_request *request = p->request;
    int64_t left_ms = p->until_ms - clock_monotonic_ms();

    if (left_ms < 1)
        left_ms = 1; /* 0 would be for ever */
    p->pins = pinned(&p->url, &p->checked);
    p->headers = headers_of(request);
    curl_easy_setopt(p->link, CURLOPT_RESOLVE, p->pins);
    curl_easy_setopt(p->link, CURLOPT_HTTPHEADER, p->headers);
    curl_easy_setopt(p->link, CURLOPT_URL, request->url);
    curl_easy_setopt(p->link, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(p->link, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->length);
    curl_easy_setopt(p->link, CURLOPT_TIMEOUT_MS, (long)left_ms);
    curl_easy_setopt(p->link, CURLOPT_CONNECTTIMEOUT_MS, (long)(left_ms < CONNECT_MS_MOST ? left_ms : CONNECT_MS_MOST));
}

CURL *guarded_post_begin(struct guarded_post *p, const struct addresses *found, struct error *err)
{
    p->checked.count = found->count;
    memcpy(p->checked.items, found->items, found->count * sizeof *found->items);
    if (!check_addresses(p, err)) {
        p->reply->blocked = true;
        return NULL;
    }
    set_request(p);
    return p->link;
}

CURL *guarded_post_link(const struct guarded_post *p)
{
    return p->link;
}

bool guarded_post_end(struct guarded_post *p, CURLcode code, struct error *err)
{
    bool ok = judge(p, &p->url, code, err);

    curl_easy_setopt(p->link, CURLOPT_RESOLVE, NULL);
    curl_easy_setopt(p->link, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(p->link, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(p->pins);
    curl_slist_free_all(p->headers);
    p->pins = p->headers = NULL;
    return ok;
}

bool guarded_post_send(struct guarded_post *p, const struct post_request *request, struct post_reply *reply,
                       struct error *err)
{
    struct addresses found;
    CURL *link;

    if (!guarded_post_aim(p, request, reply, err) ||
        !p->options.resolve(p->url.host, guarded_post_resolve_ms(p), &found, err))
        return false;
    link = guarded_post_begin(p, &found, err);
    return link && guarded_post_end(p, curl_easy_perform(link), err);
}
