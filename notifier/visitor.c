#include "notifier/visitor.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "notifier/salt.h"

enum { HOUR_TEXT_BYTES = 16 };

struct visitor {
    struct salt *salt;
    struct buf text, scratch;
    int64_t hour; /* that hour_text is of */
    char hour_text[HOUR_TEXT_BYTES];
};

struct visitor *visitor_new(struct redis *redis)
{
    struct visitor *v = xcalloc(1, sizeof *v);

    v->salt = salt_new(redis);
    buf_init(&v->text);
    buf_init(&v->scratch);
    v->hour = -1;
    return v;
}

void visitor_free(struct visitor *v)
{
    if (!v)
        return;
    salt_free(v->salt);
    buf_release(&v->text);
    buf_release(&v->scratch);
    free(v);
}

/* Adds the member's text and says whether there is any; a user id may be a number. */
static bool add_member(struct visitor *v, const json_t *data, const char *key)
{
    const json_t *value = json_object_get(data, key);
    const char *text = json_is_boolean(value) || !value ? NULL : json_scalar_text(value, &v->scratch);

    if (!text || !*text)
        return false;
    buf_add_text(&v->text, text);
    return true;
}

static bool add_class(struct visitor *v, const char *name, const json_t *data, const char *key)
{
    buf_reset(&v->text);
    buf_add_text(&v->text, name);
    return add_member(v, data, key);
}

static void add_hour(struct visitor *v, int64_t time_us)
{
    int64_t hour = time_us / (3600 * US_PER_SECOND);

    if (hour != v->hour) {
        time_format(time_us, "%Y%m%d%H", v->hour_text, sizeof v->hour_text);
        v->hour = hour;
    }
    buf_add_char(&v->text, '|');
    buf_add_text(&v->text, v->hour_text);
}

static void set_member(json_t *data, const char *key, const char *id)
{
    json_object_set_new_nocheck(data, key, json_string_nocheck(id));
}

/* Each input begins with its class, so that a user id can never be taken for a session id. */
bool visitor_set(struct visitor *v, int64_t time_us, json_t *data, struct error *err)
{
    char visitor[ID_TEXT_BYTES] = "", session[ID_TEXT_BYTES] = "";
    struct keyed_hash *hash = NULL;

    if (add_class(v, "user|", data, "user_id") || add_class(v, "session|", data, "session_id")) {
        if (!(hash = salt_of(v->salt, time_us, err)))
            return false;
        keyed_hash_id(hash, v->text.data, v->text.length, visitor);
        add_hour(v, time_us);
        keyed_hash_id(hash, v->text.data, v->text.length, session);
    } else if (add_class(v, "address|", data, "ip_address")) {
        buf_add_char(&v->text, '|');
        if (add_member(v, data, "user_agent")) {
            if (!(hash = salt_of(v->salt, time_us, err)))
                return false;
            add_hour(v, time_us);
            keyed_hash_id(hash, v->text.data, v->text.length, visitor);
            memcpy(session, visitor, sizeof session);
        }
    }
    set_member(data, "visitor_id", visitor);
    set_member(data, "unique_session_id", session);
    return true;
}
