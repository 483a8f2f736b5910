#include "notifier/access/signed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/hash.h"
#include "base/log.h"

enum {
    TAKEN_BEFORE = 200,
    NOT_SIGNED = 401,
    OTHER_BODY = 409,
    UNAVAILABLE = 503,
    REMEMBER_S = 2 * SIGNATURE_TOLERANCE_S + 60, /* a timestamp may lie as far ahead as behind */
};

struct signed_door {
    struct signer *signer;
    struct counter *good, *refused, *again;
    pthread_mutex_t mutex; /* over what follows */
    struct redis *redis;
    struct digest *digest;
    struct arena *arena;
};

bool signed_section_check(const void *http_settings, struct error *err)
{
    const struct http_settings *http = http_settings;

    return http->signatures == SIGNATURES_OFF || *http->signing_secret ||
           error_set(err, ERROR_CONFIG, "signatures = required needs a signing_secret (or signing_secret_file)");
}

static struct counter *counter_of(const char *outcome)
{
    return counter_with(COUNTER_TOTAL, "crier_signed_requests_total", "requests at POST /events by their signatures",
                        "outcome", outcome, NULL);
}

bool signed_door_open(const struct settings *s, struct signed_door **out, struct error *err)
{
    struct signer *signer;
    struct signed_door *d;

    *out = NULL;
    if (s->http.signatures == SIGNATURES_OFF)
        return true;
    signer = signer_new(s->http.signing_secret, err);
    if (!signer)
        return error_in(err, "[http] signing_secret");
    *out = d = xcalloc(1, sizeof *d);
    d->signer = signer;
    d->good = counter_of("good");
    d->refused = counter_of("refused");
    d->again = counter_of("again");
    pthread_mutex_init(&d->mutex, NULL);
    d->redis = settings_redis(s);
    d->digest = digest_new();
    d->arena = arena_new();
    return true;
}

void signed_door_close(struct signed_door *d)
{
    if (!d)
        return;
    signer_free(d->signer);
    redis_free(d->redis);
    digest_free(d->digest);
    arena_free(d->arena);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

/* ----------------------------------------------------------------------------------------- what was taken before */

static void digest_of(struct signed_door *d, const char *bytes, size_t length, char out[ID_TEXT_BYTES])
{
    digest_start(d->digest);
    digest_part(d->digest, bytes, length);
    digest_end_id(d->digest, out);
}

/* known: the digest of the body that was taken with this id; "": none was. */
static bool look_up(struct signed_door *d, const char *id, char known[ID_TEXT_BYTES], struct error *err)
{
    const struct reply *reply;
    char key[ID_TEXT_BYTES];

    known[0] = '\0';
    digest_of(d, id, strlen(id), key);
    arena_reset(d->arena);
    if (!redis_do(d->redis, d->arena, &reply, err, "GET crier:{door}:signed:%s", key))
        return false;
    if (reply->kind == REPLY_TEXT && reply->length == ID_TEXT_BYTES - 1)
        memcpy(known, reply->text, ID_TEXT_BYTES);
    return true;
}

void signed_remember(struct signed_door *d, const struct signature_claim *claim, const struct buf *body)
{
    static struct log_limit limit = LOG_LIMIT_INIT;
    char key[ID_TEXT_BYTES], value[ID_TEXT_BYTES];
    const struct reply *reply;
    struct error err;

    if (!d)
        return;
    pthread_mutex_lock(&d->mutex);
    digest_of(d, claim->id, strlen(claim->id), key);
    digest_of(d, body->data, body->length, value);
    arena_reset(d->arena);
    if (!redis_do(d->redis, d->arena, &reply, &err, "SET crier:{door}:signed:%s %s EX %lld", key, value,
                  (long long)REMEMBER_S))
        log_limited(&limit, LOG_LEVEL_WARN, "that a signed request was taken is not remembered: %s", err.text);
    pthread_mutex_unlock(&d->mutex);
}

/* ------------------------------------------------------------------------------------------------------- one request
 */

static unsigned refuse(struct counter *c, unsigned status, const char *reason, struct buf *reply)
{
    counter_add(c, 1);
    buf_reset(reply);
    buf_add_text(reply, "{\"error\":");
    buf_add_json_text(reply, reason);
    buf_add_text(reply, "}\n");
    return status;
}

static unsigned check_again(struct signed_door *d, const struct signature_claim *claim, const struct buf *body,
                            struct buf *reply)
{
    char known[ID_TEXT_BYTES], given[ID_TEXT_BYTES];
    struct error err;
    bool found;

    pthread_mutex_lock(&d->mutex);
    found = look_up(d, claim->id, known, &err);
    digest_of(d, body->data, body->length, given);
    pthread_mutex_unlock(&d->mutex);
    if (!found)
        return refuse(d->refused, UNAVAILABLE, "whether it was taken before cannot be told now", reply);
    if (!known[0])
        return 0;
    if (strcmp(known, given) != 0)
        return refuse(d->refused, OTHER_BODY, "this webhook-id was taken with another body", reply);
    counter_add(d->again, 1);
    buf_reset(reply);
    buf_add_text(reply, "{\"outcome\":\"duplicate\"}\n");
    return TAKEN_BEFORE;
}

unsigned signed_check(struct signed_door *d, const struct signature_claim *claim, bool by_headers,
                      const struct buf *body, struct buf *reply)
{
    struct error err;
    unsigned status;

    if (!d)
        return 0;
    if (by_headers)
        return refuse(d->refused, NOT_SIGNED, "ce- headers are not signed: send the event as a whole", reply);
    if (!signature_verify(d->signer, claim, clock_wall_us() / US_PER_SECOND, body->data, body->length, &err))
        return refuse(d->refused, NOT_SIGNED, err.text, reply);
    status = check_again(d, claim, body, reply);
    if (!status)
        counter_add(d->good, 1);
    return status;
}
