/* The words of a command, and the address of a server. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/redis.h"
#include "base/text.h"

void args_reset(struct args *a)
{
    a->count = 0;
    buf_reset(&a->numbers);
}

void args_release(struct args *a)
{
    free(a->words);
    free(a->lengths);
    buf_release(&a->numbers);
    *a = (struct args)ARGS_INIT;
}

void args_bytes(struct args *a, const char *bytes, size_t length)
{
    if (a->count == a->room) {
        a->room = a->room ? 2 * a->room : 32;
        a->words = xrealloc(a->words, a->room * sizeof *a->words);
        a->lengths = xrealloc(a->lengths, a->room * sizeof *a->lengths);
    }
    a->words[a->count] = bytes;
    a->lengths[a->count++] = length;
}

void args_text(struct args *a, const char *text)
{
    args_bytes(a, text, strlen(text));
}

/* The digits live in numbers, which may move as it grows: words that point into it move along. */
void args_int(struct args *a, int64_t number)
{
    const char *before = a->numbers.data;
    size_t start = a->numbers.length;

    buf_add_int(&a->numbers, number);
    if (a->numbers.data != before)
        for (size_t i = 0; i < a->count; i++)
            if (start && a->words[i] >= before && a->words[i] < before + start)
                a->words[i] = a->numbers.data + (a->words[i] - before);
    args_bytes(a, a->numbers.data + start, a->numbers.length - start);
}

void redis_address_release(struct redis_address *a)
{
    free(a->host);
    free(a->path);
    free(a->user);
    free(a->password);
    *a = (struct redis_address){0};
}

/* The text is not quoted: what stands in place of a port may be a password whose @ is missing. */
static bool parse_number(const char *text, size_t length, int most, const char *what, int *out, struct error *err)
{
    int64_t number;

    if (!text_int(text, length, &number) || number < 0 || number > most)
        return error_set(err, ERROR_CONFIG, "%s must be a number from 0 to %d", what, most);
    *out = (int)number;
    return true;
}

static bool parse_unix(const char *rest, struct redis_address *out, struct error *err)
{
    size_t length = strcspn(rest, "?");

    if (rest[0] != '/')
        return error_set(err, ERROR_CONFIG, "a socket is written unix:///path/to/socket?db=0");
    out->path = xstrndup(rest, length);
    if (rest[length] == '\0')
        return true;
    if (!text_starts(rest + length, "?db="))
        return error_set(err, ERROR_CONFIG, "only ?db=NUMBER may follow the socket's path, not \"%s\"", rest + length);
    return parse_number(rest + length + 4, strlen(rest + length + 4), 1 << 20, "db", &out->database, err);
}

static void parse_user(const char *text, size_t length, struct redis_address *out)
{
    const char *colon = memchr(text, ':', length);
    size_t user = colon ? (size_t)(colon - text) : length;

    if (colon)
        out->password = xstrndup(colon + 1, length - user - 1);
    if (user > 0)
        out->user = xstrndup(text, user);
}

static bool parse_tcp(const char *rest, struct redis_address *out, struct error *err)
{
    const char *at = strrchr(rest, '@'), *colon;
    size_t host;

    if (at) {
        parse_user(rest, (size_t)(at - rest), out);
        rest = at + 1;
    }
    host = strcspn(rest, "/");
    if (rest[host] == '/' && rest[host + 1] &&
        !parse_number(rest + host + 1, strlen(rest + host + 1), 1 << 20, "the database", &out->database, err))
        return false;
    colon = rest[0] == '[' ? strstr(rest, "]:") : memchr(rest, ':', host);
    if (colon && rest[0] == '[')
        colon++;
    if (colon) {
        if (!parse_number(colon + 1, host - (size_t)(colon + 1 - rest), 65535, "the port", &out->port, err))
            return false;
        host = (size_t)(colon - rest);
    }
    if (rest[0] == '[' && host >= 2) {
        rest++;
        host -= 2;
    }
    if (host == 0)
        return error_set(err, ERROR_CONFIG, "no host: write redis://host:port/db");
    out->host = xstrndup(rest, host);
    return true;
}

bool redis_address_parse(const char *url, struct redis_address *out, struct error *err)
{
    bool ok;

    *out = (struct redis_address){.port = 6379};
    if (text_starts(url, "unix://"))
        ok = parse_unix(url + 7, out, err);
    else if (text_starts(url, "redis://"))
        ok = parse_tcp(url + 8, out, err);
    else if (text_starts(url, "rediss://"))
        ok = error_set(err, ERROR_CONFIG,
                       "rediss:// needs TLS, which this build's hiredis has not; use a local "
                       "Redis, a socket or a TLS proxy");
    else
        ok = error_set(err, ERROR_CONFIG, "must start with redis://, unix:// or rediss://");
    if (!ok)
        redis_address_release(out);
    return ok;
}
