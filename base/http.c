#include "base/http.h"

#include <curl/curl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/http_link.h"
#include "base/text.h"

enum {
    SEND_BYTES = 256 * 1024, /* a bulk leaves in few system calls; larger gains nothing and stays allocated */
    RECEIVE_BYTES = 64 * 1024,
    GZIP_LEAST = 1024,
    GZIP_LEVEL = 1,
    PACKED_KEEP_BYTES = 256 * 1024,
};

struct http {
    CURL *link;
    int timeout_ms;
    size_t reply_most;
    struct http_reply *reply; /* of the request under way, as are the two that follow */
    struct curl_slist *headers;
    struct span address;
    char why[CURL_ERROR_SIZE];
    bool head_whole; /* of the reply: libcurl takes one that is cut off in it for a reply without body */
    bool gzip;
    size_t gzip_least;
    z_stream deflate; /* only with gzip */
    struct buf packed;
};

void http_global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ------------------------------------------------------------------------------------------- libcurl's hooks */

static size_t on_reply(char *bytes, size_t size, size_t count, void *user)
{
    struct http *h = user;
    size_t length = size * count;

    if (h->reply->body.length + length > h->reply_most)
        return 0; /* libcurl takes it for a write error and ends the request */
    buf_add(&h->reply->body, bytes, length);
    return length;
}

/* The value of a header line, where it is the one of that name (RFC 9110 §5). */
static bool header_value(const char *line, size_t length, const char *name, struct span *value)
{
    size_t name_length = strlen(name);

    if (length <= name_length || strncasecmp(line, name, name_length) != 0)
        return false;
    *value = (struct span){line + name_length, length - name_length};
    for (; value->length > 0 && strchr(" \t", value->text[0]); value->length--)
        value->text++;
    while (value->length > 0 && strchr(" \t\r\n", value->text[value->length - 1]))
        value->length--;
    return true;
}

static void note_etag(struct http_reply *reply, const char *line, size_t length)
{
    struct span value;

    if (!header_value(line, length, "etag:", &value) || value.length >= sizeof reply->etag)
        return;
    memcpy(reply->etag, value.text, value.length);
    reply->etag[value.length] = '\0';
}

static size_t on_head_line(char *bytes, size_t size, size_t count, void *user)
{
    struct http *h = user;
    size_t length = size * count;

    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) /* another head may follow one of 1xx; trailers are none */
        h->head_whole = false;
    else if (bytes[0] == '\r' || bytes[0] == '\n')
        h->head_whole = true;
    else if (!h->head_whole)
        note_etag(h->reply, bytes, length);
    return length;
}

/* A peer that vanished without a word is noticed by the kernel as well, also while nothing of ours waits for it. */
static int on_socket(void *user, curl_socket_t socket, curlsocktype purpose)
{
    const struct http *h = user;
    unsigned wait_ms = (unsigned)h->timeout_ms;

    (void)purpose;
    setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &wait_ms, sizeof wait_ms);
    return CURL_SOCKOPT_OK;
}

static void set_limits(struct http *h, const struct http_options *o)
{
    curl_easy_setopt(h->link, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h->link, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
    curl_easy_setopt(h->link, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    curl_easy_setopt(h->link, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(h->link, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(h->link, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(h->link, CURLOPT_SOCKOPTDATA, h);
    curl_easy_setopt(h->link, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BYTES);
    curl_easy_setopt(h->link, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
}

/* What is sent goes to the host that was named, as it was named: no proxy from the environment, no redirect. */
static void set_manners(struct http *h, const struct http_options *o)
{
    curl_easy_setopt(h->link, CURLOPT_PROXY, "");
    curl_easy_setopt(h->link, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h->link, CURLOPT_PATH_AS_IS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(h->link, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(h->link, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(h->link, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h->link, CURLOPT_USERAGENT, "crier/" CRIER_VERSION);
    if (o->user) {
        curl_easy_setopt(h->link, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(h->link, CURLOPT_USERNAME, o->user);
        curl_easy_setopt(h->link, CURLOPT_PASSWORD, o->password ? o->password : "");
    }
    if (o->bearer) {
        curl_easy_setopt(h->link, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(h->link, CURLOPT_XOAUTH2_BEARER, o->bearer);
    }
    if (o->ca_file)
        curl_easy_setopt(h->link, CURLOPT_CAINFO, o->ca_file);
}

void http_reply_most(struct http *h, size_t bytes)
{
    h->reply_most = bytes > 0 && bytes < HTTP_REPLY_BYTES_MOST ? bytes : HTTP_REPLY_BYTES_MOST;
}

struct http *http_new(const struct http_options *o)
{
    struct http *h = xcalloc(1, sizeof *h);

    h->link = curl_easy_init();
    if (!h->link)
        abort(); /* as exhausted memory everywhere */
    h->timeout_ms = o->timeout_ms;
    http_reply_most(h, o->reply_most);
    buf_init(&h->packed);
    set_limits(h, o);
    set_manners(h, o);
    curl_easy_setopt(h->link, CURLOPT_ERRORBUFFER, h->why);
    curl_easy_setopt(h->link, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(h->link, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(h->link, CURLOPT_HEADERFUNCTION, on_head_line);
    curl_easy_setopt(h->link, CURLOPT_HEADERDATA, h);
    h->gzip_least = o->gzip_least ? o->gzip_least : GZIP_LEAST;
    h->gzip = o->gzip && deflateInit2(&h->deflate, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8, 0) == Z_OK;
    return h;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    if (h->gzip)
        deflateEnd(&h->deflate);
    buf_release(&h->packed);
    curl_easy_cleanup(h->link);
    free(h);
}

/* -------------------------------------------------------------------------------------------------- requests */

/* The body as it is sent, packed where that is asked for and worth it. */
static bool pack_body(struct http *h, struct http_request *r)
{
    size_t room;

    if (!h->gzip || !r->body || r->length < h->gzip_least || r->length > INT_MAX)
        return false;
    deflateReset(&h->deflate);
    buf_reset(&h->packed);
    buf_trim(&h->packed, PACKED_KEEP_BYTES);
    room = deflateBound(&h->deflate, (uLong)r->length);
    h->deflate.next_in = (Bytef *)(uintptr_t)r->body;
    h->deflate.avail_in = (uInt)r->length;
    h->deflate.next_out = (Bytef *)buf_grow(&h->packed, room);
    h->deflate.avail_out = (uInt)room;
    if (deflate(&h->deflate, Z_FINISH) != Z_STREAM_END)
        return false;
    buf_grown(&h->packed, room - h->deflate.avail_out);
    r->body = h->packed.data;
    r->length = h->packed.length;
    return true;
}

/* One without a value keeps libcurl from a header of its own. */
static struct curl_slist *with_header(struct curl_slist *list, const char *name, const char *value)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, value[0] ? "%s: %s" : "%s:%s", name, value);
    list = curl_slist_append(list, line.data);
    buf_release(&line);
    return list;
}

static struct curl_slist *headers_of(const struct http_request *r, bool packed)
{
    struct curl_slist *list = with_header(NULL, "Expect", ""); /* a round trip saved, and a wait where unanswered */
    const char *type = r->content_type ? r->content_type : "application/json";

    list = with_header(list, "Content-Type", r->body ? type : "");
    if (packed)
        list = with_header(list, "Content-Encoding", "gzip");
    if (r->accept)
        list = with_header(list, "Accept", r->accept);
    if (r->if_none_match)
        list = with_header(list, "If-None-Match", r->if_none_match);
    for (size_t i = 0; i < r->header_count; i++)
        list = with_header(list, r->headers[i].name, r->headers[i].value);
    return list;
}

static void set_method(struct http *h, const struct http_request *r)
{
    bool may_hold_body = strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0;

    curl_easy_setopt(h->link, CURLOPT_HTTPGET, 1L);
    if (strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(h->link, CURLOPT_NOBODY, 1L);
    } else if (r->body || may_hold_body) { /* a POST without body still says that its length is 0 */
        curl_easy_setopt(h->link, CURLOPT_POSTFIELDS, r->body ? r->body : "");
        curl_easy_setopt(h->link, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(r->body ? r->length : 0));
    }
    curl_easy_setopt(h->link, CURLOPT_CUSTOMREQUEST, r->method);
}

/* "host:port" of a URL: what may be shown, as the rest may hold a password. */
static struct span shown_address(const char *url)
{
    const char *start = strstr(url, "://"), *at;
    size_t length;

    start = start ? start + 3 : url;
    length = strcspn(start, "/?#");
    at = memrchr(start, '@', length);
    if (at) {
        length -= (size_t)(at + 1 - start);
        start = at + 1;
    }
    return (struct span){start, length};
}

/* Where not a byte of the request went out, nothing can have come of it. */
static bool may_have_effect(CURL *link)
{
    long sent = 0;

    curl_easy_getinfo(link, CURLINFO_REQUEST_SIZE, &sent);
    return sent > 0;
}

static bool failed(struct http *h, CURLcode code, struct error *err)
{
    struct http_reply *reply = h->reply;

    reply->status = 0;
    reply->may_have_effect = may_have_effect(h->link);
    buf_reset(&reply->body);
    reply->too_long = code == CURLE_WRITE_ERROR;
    if (reply->too_long)
        return error_set(err, ERROR_AGAIN, "%.*s: the reply is longer than %zu KiB", (int)h->address.length,
                         h->address.text, h->reply_most / 1024);
    return error_set(err, ERROR_AGAIN, "%.*s: %s", (int)h->address.length, h->address.text,
                     h->why[0] ? h->why : curl_easy_strerror(code));
}

static void read_head(CURL *link, struct http_reply *reply)
{
    curl_off_t wait_s = 0;

    curl_easy_getinfo(link, CURLINFO_RESPONSE_CODE, &reply->status);
    curl_easy_getinfo(link, CURLINFO_RETRY_AFTER, &wait_s); /* a date is turned into seconds already */
    reply->retry_after_s = wait_s > 0 && wait_s < LONG_MAX ? (long)wait_s : -1;
}

CURL *http_begin(struct http *h, const struct http_request *request, struct http_reply *reply)
{
    struct http_request r = *request;
    bool packed = pack_body(h, &r);

    h->reply = reply;
    h->address = shown_address(r.url);
    h->headers = headers_of(&r, packed);
    buf_reset(&reply->body);
    reply->retry_after_s = -1;
    reply->may_have_effect = reply->too_long = false;
    reply->etag[0] = '\0';
    h->why[0] = '\0';
    h->head_whole = false;
    set_method(h, &r);
    curl_easy_setopt(h->link, CURLOPT_URL, r.url);
    curl_easy_setopt(h->link, CURLOPT_HTTPHEADER, h->headers);
    return h->link;
}

bool http_end(struct http *h, CURLcode code, struct error *err)
{
    curl_easy_setopt(h->link, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(h->link, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(h->headers);
    h->headers = NULL;
    if (code == CURLE_OK && !h->head_whole)
        code = CURLE_PARTIAL_FILE;
    if (code != CURLE_OK)
        return failed(h, code, err);
    read_head(h->link, h->reply);
    return true;
}

bool http_send(struct http *h, const struct http_request *request, struct http_reply *reply, struct error *err)
{
    return http_end(h, curl_easy_perform(http_begin(h, request, reply)), err);
}

void http_add_segment(struct buf *out, const char *text, size_t length)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (size_t i = 0; i < length; i++) {
        if (text[i] && strchr(plain, text[i]))
            buf_add_char(out, text[i]);
        else
            buf_printf(out, "%%%02X", (unsigned char)text[i]);
    }
}
