#include "notifier/preview.h"
#include "base/text.h"

#include <string.h>

#include "base/json.h"

static void add_decoded(struct buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        int high = text[i] == '%' && i + 2 < length ? text_hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? text_hex_digit(text[i + 2]) : -1;

        buf_add_char(out, low >= 0 ? (char)(high * 16 + low) : text[i]);
        i += low >= 0 ? 2 : 0;
    }
}

/* The path of a URL, decoded, into out. False: it has none. */
static bool path_of(const char *url, struct buf *out)
{
    const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;

    buf_reset(out);
    if (!path)
        return false;
    add_decoded(out, path, strcspn(path, "?#"));
    return true;
}

/* Takes text off the end of what is left of the path. */
static bool ends_with(const struct buf *path, size_t *left, const char *text)
{
    size_t length = strlen(text);

    if (length > *left || memcmp(path->data + *left - length, text, length) != 0)
        return false;
    *left -= length;
    return true;
}

bool preview_made_it(const json_t *data, struct buf *scratch)
{
    const char *record = json_member_text(data, "recid", ""), *file = json_member_text(data, "file_key", "");
    size_t left;

    if (!*record || !*file || !path_of(json_member_text(data, "referrer", ""), scratch))
        return false;
    left = scratch->length;
    return ends_with(scratch, &left, file) && ends_with(scratch, &left, "/preview/") &&
           ends_with(scratch, &left, record) && ends_with(scratch, &left, "/records/");
}
