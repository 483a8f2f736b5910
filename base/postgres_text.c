#include "base/postgres.h"

#include <libpq-fe.h>
#include <string.h>

/* libpq's reason would repeat parts of the text, and a password may be among them. */
bool postgres_url_check(const char *url, struct error *err)
{
    char *reason = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &reason);
    bool has_password = false;

    PQfreemem(reason);
    if (!options)
        return error_set(err, ERROR_CONFIG,
                         "is neither postgresql://user@host:port/database nor words like host=... dbname=...");
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (o->val && o->val[0] && (text_same(o->keyword, "password") || text_same(o->keyword, "sslpassword")))
            has_password = true;
    PQconninfoFree(options);
    return !has_password ||
           error_set(err, ERROR_CONFIG, "has a password in it: say it by the key password, from a file");
}

static void add_quoted(struct buf *out, const char *name, size_t length)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, name[i]);
    }
    buf_add_char(out, '"');
}

void postgres_add_name(struct buf *out, const char *name)
{
    const char *dot = strchr(name, '.');

    if (dot) {
        add_quoted(out, name, (size_t)(dot - name));
        buf_add_char(out, '.');
        name = dot + 1;
    }
    add_quoted(out, name, strlen(name));
}
