#include "notifier/platform/kombu_message.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"

enum { ENVELOPE_DEPTH = 32 };

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 with its padding, as Python writes it. */
static bool base64_decode(struct span text, struct arena *arena, struct span *out)
{
    size_t padding = 0, length = text.length;
    char *bytes = arena_alloc(arena, length / 4 * 3 + 1), *at = bytes;
    uint32_t bits = 0;

    if (length % 4 != 0)
        return false;
    while (padding < 2 && padding < length && text.text[length - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < length - padding; i++) {
        int digit = base64_digit((unsigned char)text.text[i]);

        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            *at++ = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    *out = (struct span){bytes, (size_t)(at - bytes)};
    return true;
}

static bool is_text(const json_t *value, const char *what)
{
    return json_is_string(value) && strcasecmp(json_string_value(value), what) == 0;
}

static bool absent(const json_t *value)
{
    return !value || json_is_null(value);
}

/* The body's bytes, as properties.body_encoding says. */
static bool read_body(const json_t *message, struct arena *arena, struct span *out, struct error *err)
{
    const json_t *body = json_object_get(message, "body");
    const json_t *encoding = json_object_get(json_object_get(message, "properties"), "body_encoding");

    if (!json_is_string(body))
        return error_set(err, ERROR_INPUT, "the message has no body");
    *out = (struct span){json_string_value(body), json_string_length(body)};
    if (absent(encoding) || is_text(encoding, "utf-8"))
        return true;
    if (!is_text(encoding, "base64"))
        return error_set(err, ERROR_INPUT, "the body is encoded neither as base64 nor as utf-8");
    return base64_decode(*out, arena, out) || error_set(err, ERROR_INPUT, "the body is not base64");
}

/* What the platform may write besides plain JSON (pickle, compressed bodies) is not taken. */
static bool form_check(const json_t *message, struct error *err)
{
    const json_t *type = json_object_get(message, "content-type");
    const json_t *encoding = json_object_get(message, "content-encoding");

    if (!is_text(type, "application/json"))
        return error_set(err, ERROR_INPUT, "the content type is not application/json");
    if (!absent(encoding) && !is_text(encoding, "utf-8") && !is_text(encoding, "us-ascii"))
        return error_set(err, ERROR_INPUT, "the content encoding is not utf-8");
    if (!absent(json_object_get(json_object_get(message, "headers"), "compression")))
        return error_set(err, ERROR_INPUT, "the body is compressed");
    return true;
}

static void read_tag(const json_t *message, char tag[KOMBU_TAG_BYTES])
{
    const json_t *value = json_object_get(json_object_get(message, "properties"), "delivery_tag");
    size_t length = json_is_string(value) ? json_string_length(value) : 0;

    if (length > 0 && length < KOMBU_TAG_BYTES)
        memcpy(tag, json_string_value(value), length + 1);
}

static bool read_payload(const json_t *message, int depth, struct arena *arena, json_t **out, struct error *err)
{
    struct span body = SPAN_NONE;

    if (!json_is_object(message))
        return error_set(err, ERROR_INPUT, "the message is not a JSON object");
    if (!form_check(message, err) || !read_body(message, arena, &body, err))
        return false;
    *out = json_text_parse(body.text, body.length, depth, err);
    if (!*out)
        return error_in(err, "the body");
    if (json_is_object(*out))
        return true;
    json_decref(*out);
    *out = NULL;
    return error_set(err, ERROR_INPUT, "the body is not a JSON object");
}

bool kombu_message_read(const char *bytes, size_t length, int depth, struct arena *arena, struct kombu_message *out,
                        struct error *err)
{
    json_t *message = json_text_parse(bytes, length, ENVELOPE_DEPTH, err);
    bool ok;

    *out = (struct kombu_message){"", NULL};
    if (!message)
        return error_in(err, "the message");
    read_tag(message, out->tag);
    ok = read_payload(message, depth, arena, &out->payload, err);
    json_decref(message);
    return ok;
}

/* The body of a call of a known task. */
static bool read_call(const json_t *message, struct arena *arena, struct span *out, struct error *err)
{
    struct span body = SPAN_NONE;

    if (!form_check(message, err) || !read_body(message, arena, &body, err))
        return false;
    *out = (struct span){arena_copy(arena, body.text, body.length), body.length};
    return true;
}

bool kombu_task_read(const char *bytes, size_t length, struct arena *arena, struct kombu_task *out, struct error *err)
{
    json_t *message = json_text_parse(bytes, length, ENVELOPE_DEPTH, err);
    bool ok = true;

    *out = (struct kombu_task){"", SPAN_NONE};
    if (!message)
        return error_in(err, "the message");
    if (json_is_object(message))
        out->name = arena_text(arena, json_member_text(json_object_get(message, "headers"), "task", ""));
    else
        ok = error_set(err, ERROR_INPUT, "the message is not a JSON object");
    if (out->name[0])
        ok = read_call(message, arena, &out->body, err);
    json_decref(message);
    return ok;
}
