#include "handlers/source/source_url.h"
#include "base/text.h"

#include <string.h>

#include "base/clock.h"
#include "base/http.h"

/* The length of "https://host:port". */
static size_t origin_length(const char *url)
{
    size_t scheme = text_starts(url, "https://") ? 8 : 7;

    return scheme + strcspn(url + scheme, "/?#");
}

bool source_url_check(const char *key, const char *url, const char *known, struct error *err)
{
    size_t origin = origin_length(url);

    if (!text_starts(url, "http://") && !text_starts(url, "https://"))
        return error_set(err, ERROR_CONFIG, "%s: must start with http:// or https://", key);
    if (memchr(url, '@', origin)) /* and is not shown: it may hold a password */
        return error_set(err, ERROR_CONFIG, "%s: must hold no user and password: they have keys of their own", key);
    if (origin == strlen(url) || memchr(url, '{', origin) || strpbrk(url, " \t#"))
        return error_set(err, ERROR_CONFIG, "%s: must be an address with a path, without spaces and fragment", key);
    for (const char *at = url; (at = strchr(at, '{')); at++) {
        size_t length = strcspn(at + 1, "}");

        if (!at[1 + length] || !text_has_word(known, at + 1, length))
            return error_set(err, ERROR_CONFIG, "%s: there is no {%.*s}: known are %s", key,
                             (int)(length < 40 ? length : 40), at + 1, known);
    }
    return true;
}

bool source_url_has(const char *url, const char *name)
{
    const char *found = url;
    size_t length = strlen(name);

    while ((found = strchr(found, '{'))) {
        found++;
        if (strncmp(found, name, length) == 0 && found[length] == '}')
            return true;
    }
    return false;
}

static void add_value(const char *name, size_t length, const struct source_url_values *v, struct buf *out)
{
    char time[TIME_TEXT_BYTES];
    struct span word = {name, length};

    if (span_is(word, "id")) {
        http_add_segment(out, v->id.text, v->id.length);
    } else if (span_is(word, "after")) {
        buf_add(out, v->after.text, v->after.length);
    } else if (span_is(word, "page")) {
        buf_add_int(out, v->page);
    } else if (span_is(word, "size")) {
        buf_add_int(out, (int64_t)v->size);
    } else {
        time_text(v->since_us, time);
        http_add_segment(out, time, strlen(time));
    }
}

void source_url_add(const char *url, const struct source_url_values *values, struct buf *out)
{
    const char *brace;

    while ((brace = strchr(url, '{'))) {
        size_t length = strcspn(brace + 1, "}");

        buf_add(out, url, (size_t)(brace - url));
        add_value(brace + 1, length, values, out);
        url = brace + 1 + length + 1;
    }
    buf_add_text(out, url);
}

bool source_url_follow(const char *url, struct span link, struct buf *out)
{
    bool whole = link.length > 8 && (text_starts(link.text, "http://") || text_starts(link.text, "https://"));
    size_t skipped = whole ? origin_length(link.text) : 0;

    for (size_t i = 0; i < link.length; i++)
        if ((unsigned char)link.text[i] <= ' ' || link.text[i] == 0x7F)
            return false;
    if (link.length == 0 || (!whole && (link.text[0] != '/' || link.text[1] == '/')))
        return false;
    buf_add(out, url, origin_length(url));
    if (link.text[skipped] != '/')
        buf_add_char(out, '/');
    buf_add_text(out, link.text + skipped);
    return true;
}
