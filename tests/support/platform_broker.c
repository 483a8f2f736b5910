#include "support/platform_broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

enum { PATIENCE_MS = 60000 };

void broker_start(struct broker *b)
{
    struct error err;

    b->server = redis_server_start(NULL);
    assert_true(redis_address_parse(redis_server_url(b->server), &b->address, &err));
    b->redis = redis_new(&(struct redis_options){&b->address, 2000});
    b->arena = arena_new();
}

void broker_end(struct broker *b)
{
    redis_free(b->redis);
    redis_address_release(&b->address);
    server_free(b->server);
    arena_free(b->arena);
}

void broker_push(struct broker *b, const char *queue, const char *message)
{
    struct error err;

    if (!redis_do(b->redis, b->arena, NULL, &err, "LPUSH %s %s", queue, message))
        fail_msg("%s", err.text);
}

static const char *base64(struct arena *arena, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text), at = 0;
    char *out = arena_zero(arena, length * 2 + 8);

    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = (unsigned)(unsigned char)text[i] << 16;

        bits |= i + 1 < length ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
        bits |= i + 2 < length ? (unsigned char)text[i + 2] : 0;
        for (unsigned j = 0; j < 4; j++)
            out[at++] = i + j > length ? '=' : digits[bits >> (18 - 6 * j) & 63];
    }
    return out;
}

const char *broker_call(struct broker *b, const char *queue, const char *task, const char *body)
{
    static int number;
    const char *id = arena_printf(b->arena, "00000000-0000-4000-8000-%012d", number++);

    return arena_printf(
        b->arena,
        "{\"body\": \"%s\", \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", \"headers\": "
        "{\"lang\": \"py\", \"task\": \"%s\", \"id\": \"%s\", \"shadow\": null, \"eta\": null, \"expires\": null, "
        "\"group\": null, \"group_index\": null, \"retries\": 0, \"timelimit\": [null, null], \"root_id\": \"%s\", "
        "\"parent_id\": null, \"argsrepr\": \"(...)\", \"kwargsrepr\": \"{}\", \"origin\": \"gen1@platform\", "
        "\"ignore_result\": true, \"stamped_headers\": null, \"stamps\": {}}, \"properties\": {\"correlation_id\": "
        "\"%s\", \"reply_to\": \"%s\", \"delivery_mode\": 2, \"delivery_info\": {\"exchange\": \"\", \"routing_key\": "
        "\"%s\"}, \"priority\": 0, \"body_encoding\": \"base64\", \"delivery_tag\": \"%s\"}}",
        base64(b->arena, body), task, id, id, id, id, queue, id);
}

void broker_until_left(struct broker *b, const char *queue, int64_t left)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    const struct reply *reply;
    struct error err;

    for (;;) {
        if (!redis_do(b->redis, b->arena, &reply, &err, "LLEN %s", queue))
            fail_msg("%s", err.text);
        if (reply->integer == left)
            return;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld messages are there, not %lld", (long long)reply->integer, (long long)left);
        usleep(10000);
    }
}
