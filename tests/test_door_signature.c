/* Signatures at the door: who does not sign is refused, and what was signed once is taken once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/signature.h"
#include "support/canary.h"
#include "support/door_client.h"

#define SECRET "whsec_" CANARY CANARY CANARY
#define NEXT   "whsec_AAAA" CANARY CANARY "AAAA"
#define OTHER  "whsec_BBBB" CANARY CANARY "BBBB"

enum { PACKED_BYTES = 1000 };

/* What is sent, and what was signed, where it is not the same; NULL: as it should be. */
struct sent {
    const char *type, *id, *body;
    const char *secret, *signed_body, *signed_id;
    int late_s;
    bool no_id, no_timestamp, no_signature;
    const char *signature; /* instead of the right one */
    const char *more;      /* one more header */
};

static int open_signed(void **state)
{
    return client_door_open_with(state, "signatures = required\nsigning_secret = " NEXT " " SECRET "\n");
}

static const char *either(const char *given, const char *usual)
{
    return given ? given : usual;
}

static long send_bytes(struct door_client *c, const struct sent *s, const char *bytes, size_t length)
{
    const char *body = either(s->body, EVENT("a")), *id = either(s->id, "msg_1");
    const char *signed_body = either(s->signed_body, body), *headers[6] = {either(s->type, STRUCTURED)};
    int64_t now_s = clock_wall_us() / US_PER_SECOND - s->late_s;
    struct buf signature = BUF_INIT;
    char lines[3][400];
    struct error err;
    struct signer *signer = signer_new(either(s->secret, SECRET), &err);
    size_t count = 1;

    assert_non_null(signer);
    signature_add(signer, either(s->signed_id, id), now_s, signed_body, strlen(signed_body), &signature);
    snprintf(lines[0], sizeof lines[0], "webhook-id: %s", id);
    snprintf(lines[1], sizeof lines[1], "webhook-timestamp: %lld", (long long)now_s);
    snprintf(lines[2], sizeof lines[2], "webhook-signature: %s", either(s->signature, signature.data));
    if (!s->no_id)
        headers[count++] = lines[0];
    if (!s->no_timestamp)
        headers[count++] = lines[1];
    if (!s->no_signature)
        headers[count++] = lines[2];
    if (s->more)
        headers[count++] = s->more;
    client_request(c, "POST", "/events", headers, bytes, length);
    signer_free(signer);
    buf_release(&signature);
    return c->status;
}

static long send_it(struct door_client *c, struct sent s)
{
    const char *body = either(s.body, EVENT("a"));

    return send_bytes(c, &s, body, strlen(body));
}

static void refused(struct door_client *c, struct sent s, const char *reason)
{
    assert_int_equal(send_it(c, s), 401);
    if (!strstr(c->body.data, reason))
        fail_msg("%s does not say: %s", c->body.data, reason);
    assert_int_equal(client_stream_length(c, "changes"), 0);
}

static void a_request_that_is_signed_by_one_of_the_secrets_is_taken(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(send_it(c, (struct sent){.id = "1", .body = EVENT("a")}), 202);
    assert_int_equal(send_it(c, (struct sent){.id = "2", .body = EVENT("b"), .secret = NEXT}), 202);
    assert_int_equal(send_it(c, (struct sent){.id = "3", .body = EVENT("c"), .secret = OTHER " " SECRET}), 202);
    assert_int_equal(send_it(c, (struct sent){.id = "4", .type = LINES, .body = EVENT("d") "\n" EVENT("e") "\n"}), 202);
    assert_int_equal(client_stream_length(c, "changes"), 5);
}

static void whatever_is_missing_wrong_or_cut_short_is_refused_with_the_reason(void **state)
{
    struct door_client *c = *state;

    refused(c, (struct sent){.no_id = true}, "missing");
    refused(c, (struct sent){.no_timestamp = true}, "missing");
    refused(c, (struct sent){.no_signature = true}, "missing");
    refused(c, (struct sent){.secret = OTHER}, "no signature is by a secret");
    refused(c, (struct sent){.signature = "v1,"}, "no signature is by a secret");
    refused(c, (struct sent){.signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE"}, "no signature");
    refused(c, (struct sent){.signed_body = EVENT("b")}, "no signature");
    refused(c, (struct sent){.body = "{\"specversion\":\"1.0\",", .signed_body = EVENT("a")}, "no signature");
    refused(c, (struct sent){.signed_body = ""}, "no signature");
    refused(c, (struct sent){.signed_id = "msg_2"}, "no signature");
    assert_null(strstr(c->body.data, "whsec"));
    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 401);
    assert_int_equal(send_it(c, (struct sent){.more = "webhook-id: msg_2"}), 400);
}

static void a_timestamp_may_be_off_by_five_minutes_and_no_more(void **state)
{
    struct door_client *c = *state;

    refused(c, (struct sent){.late_s = 302}, "more than 300 s from now");
    refused(c, (struct sent){.late_s = -302}, "more than 300 s from now");
    assert_int_equal(send_it(c, (struct sent){.id = "1", .body = EVENT("a"), .late_s = 297}), 202);
    assert_int_equal(send_it(c, (struct sent){.id = "2", .body = EVENT("b"), .late_s = -297}), 202);
}

/* Only the request is remembered, no longer the event. */
static void forget_events(struct door_client *c)
{
    const struct reply *keys = scene_redis(c->scene, "KEYS crier:{changes}:*");

    assert_true(keys->count > 1);
    for (size_t i = 0; i < keys->count; i++)
        scene_redis(c->scene, "DEL %s", keys->items[i].text);
}

static void the_same_request_again_is_answered_well_and_has_no_effect(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(send_it(c, (struct sent){.id = "1"}), 202);
    forget_events(c);
    assert_int_equal(send_it(c, (struct sent){.id = "1"}), 200);
    assert_string_equal(client_outcome(c, 0), "duplicate");
    assert_int_equal(send_it(c, (struct sent){.id = "1", .late_s = 100}), 200);
    assert_int_equal(client_stream_length(c, "changes"), 0);
    assert_int_equal(send_it(c, (struct sent){.id = "1", .body = EVENT("b")}), 409);
    refused(c, (struct sent){.id = "1", .secret = OTHER}, "no signature");
    assert_int_equal(send_it(c, (struct sent){.id = "2", .body = EVENT("b")}), 202);
    assert_int_equal(client_stream_length(c, "changes"), 1);
}

static void what_was_not_taken_is_not_remembered(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(send_it(c, (struct sent){.id = "1", .body = "{\"specversion\":\"1.0\"}"}), 400);
    assert_int_equal(send_it(c, (struct sent){.id = "1"}), 202);
    server_pause(c->scene->redis_server);
    assert_int_equal(send_it(c, (struct sent){.id = "2", .body = EVENT("b")}), 503);
    assert_true(c->retry_after >= 0);
    server_resume(c->scene->redis_server);
    while (send_it(c, (struct sent){.id = "2", .body = EVENT("b")}) == 503)
        continue;
    assert_int_equal(c->status, 202);
    assert_int_equal(client_stream_length(c, "changes"), 2);
}

static void what_is_told_by_headers_alone_is_not_signed(void **state)
{
    struct door_client *c = *state;
    const char *const headers[] = {"ce-specversion: 1.0", "ce-id: x", "ce-type: user.updated",
                                   "ce-source: /s",       JSON,       NULL};

    refused(c, (struct sent){.type = JSON, .body = "{}", .more = "ce-specversion: 1.0"}, "headers are not signed");
    assert_int_equal(client_request(c, "POST", "/events", headers, "{}", 2), 401);
    assert_int_equal(send_it(c, (struct sent){.type = JSON,
                                              .id = "msg_7",
                                              .body = "{\"event_type\":\"user.updated\",\"payload\":{\"n\":1}}",
                                              .more = "Idempotency-Key: forged"}),
                     202);
    assert_string_equal(client_field(c, "changes", "id"), "msg_7");
}

static size_t pack(const char *text, unsigned char out[PACKED_BYTES])
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)text, .avail_in = (unsigned)strlen(text)};
    size_t length;

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = out;
    z.avail_out = PACKED_BYTES;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    length = PACKED_BYTES - z.avail_out;
    deflateEnd(&z);
    return length;
}

static void a_packed_body_is_signed_as_it_is_once_unpacked(void **state)
{
    struct sent s = {.more = "Content-Encoding: gzip"};
    struct door_client *c = *state;
    unsigned char packed[PACKED_BYTES];
    size_t length = pack(EVENT("a"), packed);

    assert_int_equal(send_bytes(c, &s, (const char *)packed, length - 4), 400);
    assert_int_equal(send_bytes(c, &s, (const char *)packed, length), 202);
    assert_int_equal(send_bytes(c, &s, (const char *)packed, length), 200);
    assert_int_equal(client_stream_length(c, "changes"), 1);
}

static void pages_are_asked_without_a_signature_and_nobody_must_sign_where_it_is_off(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(client_request(c, "GET", "/hello", NULL, NULL, 0), 200);
    client_door_close(state);
    client_door_open(state);
    c = *state;
    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 202);
    assert_int_equal(send_it(c, (struct sent){.secret = OTHER, .body = EVENT("b")}), 202);
    assert_int_equal(send_it(c, (struct sent){.secret = OTHER, .body = EVENT("c")}), 202);
}

#define AT_THE_DOOR(test) cmocka_unit_test_setup_teardown(test, open_signed, client_door_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_THE_DOOR(a_request_that_is_signed_by_one_of_the_secrets_is_taken),
        AT_THE_DOOR(whatever_is_missing_wrong_or_cut_short_is_refused_with_the_reason),
        AT_THE_DOOR(a_timestamp_may_be_off_by_five_minutes_and_no_more),
        AT_THE_DOOR(the_same_request_again_is_answered_well_and_has_no_effect),
        AT_THE_DOOR(what_was_not_taken_is_not_remembered),
        AT_THE_DOOR(what_is_told_by_headers_alone_is_not_signed),
        AT_THE_DOOR(a_packed_body_is_signed_as_it_is_once_unpacked),
        AT_THE_DOOR(pages_are_asked_without_a_signature_and_nobody_must_sign_where_it_is_off),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
