#include "notifier/door_binary.h"

#include <string.h>
#include <strings.h>

#include "notifier/envelope.h"

#include "base/text.h"

enum { NAME_BYTES = 32 }; /* no attribute that is looked at has a longer name */

/* The byte that "%XX" stands for, or -1 where no such thing is at text. */
static int percent_byte(const char *text)
{
    int high = text[0] == '%' ? text_hex_digit(text[1]) : -1;
    int low = high >= 0 ? text_hex_digit(text[2]) : -1;

    return low >= 0 ? high * 16 + low : -1;
}

/* First out of its quotes, then percent-decoded once (CloudEvents HTTP binding 1.0.2 §3.1.3.2). False: it holds NUL. */
static bool decode(const char *value, struct buf *out)
{
    bool quoted = *value == '"';

    buf_reset(out);
    for (const char *at = value + quoted; *at && !(quoted && *at == '"'); at++) {
        int byte = percent_byte(at);

        if (byte == 0)
            return false;
        if (quoted && *at == '\\' && at[1])
            at++;
        buf_add_char(out, byte > 0 ? (char)byte : *at);
        at += byte > 0 ? 2 : 0;
    }
    return true;
}

/* An attribute's name is lower case, whatever its header's was. */
static const char *attribute_name(const char *header, char out[NAME_BYTES])
{
    size_t i = 0;

    for (header += strlen("ce-"); header[i] && i < NAME_BYTES - 1; i++)
        out[i] = (char)(header[i] >= 'A' && header[i] <= 'Z' ? header[i] - 'A' + 'a' : header[i]);
    out[i] = '\0';
    return out;
}

static bool seen(const struct header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(headers[i].name, name) == 0)
            return true;
    return false;
}

bool binary_read(struct event *e, const struct header *headers, size_t count, struct arena *arena, struct error *err)
{
    struct buf value = BUF_INIT;
    bool ok = true;

    *e = event_none;
    for (size_t i = 0; ok && i < count; i++) {
        const char *header = headers[i].name;
        char scratch[NAME_BYTES];
        const char *name =
            strcasecmp(header, "content-type") == 0 ? "datacontenttype" : attribute_name(header, scratch);

        if (seen(headers, i, header))
            ok = error_set(err, ERROR_INPUT, "the header of %s stands there twice", name);
        else if (!decode(headers[i].value, &value))
            ok = error_set(err, ERROR_INPUT, "%s holds a NUL", name);
        else
            ok = envelope_attribute(e, name, value.data, arena, err);
    }
    buf_release(&value);
    return ok && envelope_complete(e, arena, err);
}
