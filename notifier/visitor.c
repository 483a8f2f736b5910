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

/* What a visitor is known by, in the order of their worth. */
enum known { KNOWN_USER, KNOWN_SESSION, KNOWN_ADDRESS, KNOWN_BY_NOTHING };

struct visitor {
    enum visitor_form form;
    struct salt *salt;
    struct raw_hash *hash;
    struct buf text, scratch;
    int64_t hour; /* that hour_text is of */
    char hour_text[HOUR_TEXT_BYTES];
};

struct visitor *visitor_new(struct redis *redis, enum visitor_form form)
{
    struct visitor *v = xcalloc(1, sizeof *v);

    v->form = form;
    v->salt = salt_new(redis);
    v->hash = raw_hash_new("SHA224");
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
    raw_hash_free(v->hash);
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

/* Writes who it is into v->text, with a class before it where classes tell apart a user id and a session id. */
static enum known identify(struct visitor *v, bool classes, int64_t time_us, const json_t *data)
{
    static const struct {
        const char *class, *key;
    } own[] = {
        [KNOWN_USER] = {"user|",    "user_id"   },
        [KNOWN_SESSION] = {"session|", "session_id"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
        buf_reset(&v->text);
        buf_add_text(&v->text, classes ? own[i].class : "");
        if (add_member(v, data, own[i].key))
            return (enum known)i;
    }
    buf_reset(&v->text);
    buf_add_text(&v->text, classes ? "address|" : "");
    if (add_member(v, data, "ip_address")) {
        buf_add_char(&v->text, '|');
        if (add_member(v, data, "user_agent")) {
            add_hour(v, time_us);
            return KNOWN_ADDRESS;
        }
    }
    buf_reset(&v->text);
    return KNOWN_BY_NOTHING;
}

static void set_member(json_t *data, const char *key, const char *id)
{
    json_object_set_new_nocheck(data, key, json_string_nocheck(id));
}

static bool set_keyed(struct visitor *v, int64_t time_us, json_t *data, struct error *err)
{
    char visitor[ID_TEXT_BYTES] = "", session[ID_TEXT_BYTES] = "";
    enum known known = identify(v, true, time_us, data);
    struct keyed_hash *hash = NULL;

    if (known != KNOWN_BY_NOTHING) {
        if (!(hash = salt_of(v->salt, time_us, err)))
            return false;
        keyed_hash_id(hash, v->text.data, v->text.length, visitor);
        if (known != KNOWN_ADDRESS)
            add_hour(v, time_us);
        keyed_hash_id(hash, v->text.data, v->text.length, session);
    }
    set_member(data, "visitor_id", visitor);
    set_member(data, "unique_session_id", session);
    return true;
}

static void salted_hash(struct visitor *v, const char *salt, char out[RAW_HASH_TEXT_BYTES])
{
    raw_hash_start(v->hash);
    raw_hash_add(v->hash, salt, strlen(salt));
    raw_hash_add(v->hash, v->text.data, v->text.length);
    raw_hash_end(v->hash, out);
}

void visitor_set_reference(struct visitor *v, const char *salt, int64_t time_us, json_t *data)
{
    char visitor[RAW_HASH_TEXT_BYTES], session[RAW_HASH_TEXT_BYTES];
    enum known known = identify(v, false, time_us, data);

    salted_hash(v, salt, visitor);
    if (known == KNOWN_USER || known == KNOWN_SESSION)
        add_hour(v, time_us);
    salted_hash(v, salt, session);
    set_member(data, "visitor_id", visitor);
    set_member(data, "unique_session_id", session);
}

bool visitor_set(struct visitor *v, int64_t time_us, json_t *data, struct error *err)
{
    const char *salt;

    if (v->form == VISITOR_KEYED)
        return set_keyed(v, time_us, data, err);
    salt = salt_text_of(v->salt, time_us, err);
    if (salt)
        visitor_set_reference(v, salt, time_us, data);
    return salt != NULL;
}
