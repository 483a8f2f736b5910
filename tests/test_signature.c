#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/signature.h"
#include "base/text.h"
#include "support/canary.h"

/* The example that the standard's own libraries are tested with. */
#define SECRET    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID        "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIME_S    1614265330
#define BODY      "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define OTHER     "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

static struct signer *make_signer(const char *secrets)
{
    struct error err;
    struct signer *s = signer_new(secrets, &err);

    if (!s)
        fail_msg("%s", err.text);
    return s;
}

static bool verifies(const char *secrets, const char *id, const char *timestamp, const char *signatures, int64_t now_s,
                     const char *body)
{
    struct signer *s = make_signer(secrets);
    struct signature_claim claim = {id, timestamp, signatures};
    struct error err = ERROR_INIT;
    bool ok = signature_verify(s, &claim, now_s, body, strlen(body), &err);

    assert_true(ok || (err.kind == ERROR_INPUT && err.text[0]));
    signer_free(s);
    return ok;
}

static void the_examples_of_the_standard_are_signed_and_verified(void **state)
{
    struct signer *s = make_signer(SECRET), *bare = make_signer(&SECRET[strlen("whsec_")]);
    struct buf out = BUF_INIT;

    (void)state;
    signature_add(s, ID, TIME_S, BODY, strlen(BODY), &out);
    assert_string_equal(out.data, SIGNATURE);
    buf_reset(&out);
    signature_add(bare, ID, TIME_S, BODY, strlen(BODY), &out);
    assert_string_equal(out.data, SIGNATURE);
    assert_true(verifies(SECRET, ID, "1614265330", SIGNATURE, TIME_S, BODY));
    buf_release(&out);
    signer_free(s);
    signer_free(bare);
}

static void whatever_is_missing_or_changed_is_refused(void **state)
{
    static const struct {
        const char *id, *timestamp, *signatures, *body;
    } cases[] = {
        {NULL,   "1614265330",  SIGNATURE,                                          BODY                   },
        {"",     "1614265330",  SIGNATURE,                                          BODY                   },
        {ID,     NULL,          SIGNATURE,                                          BODY                   },
        {ID,     "1614265330",  NULL,                                               BODY                   },
        {ID,     "hello",       SIGNATURE,                                          BODY                   },
        {ID,     "",            SIGNATURE,                                          BODY                   },
        {ID,     "-1614265330", SIGNATURE,                                          BODY                   },
        {ID,     "1614265331",  SIGNATURE,                                          BODY                   },
        {ID "x", "1614265330",  SIGNATURE,                                          BODY                   },
        {ID,     "1614265330",  SIGNATURE,                                          "{\"test\":2432232314}"},
        {ID,     "1614265330",  "",                                                 BODY                   },
        {ID,     "1614265330",  "v1,",                                              BODY                   },
        {ID,     "1614265330",  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=",  BODY                   },
        {ID,     "1614265330",  "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY                   },
        {ID,     "1614265330",  "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",     BODY                   },
        {ID,     "1614265330",  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",   BODY                   },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        if (verifies(SECRET, cases[i].id, cases[i].timestamp, cases[i].signatures, TIME_S, cases[i].body))
            fail_msg("case %zu was accepted", i);
    assert_false(verifies(OTHER, ID, "1614265330", SIGNATURE, TIME_S, BODY));
}

static void one_of_several_signatures_is_enough_and_each_of_several_secrets_signs(void **state)
{
    struct signer *both = make_signer(SECRET " " OTHER);
    struct buf out = BUF_INIT;

    (void)state;
    signature_add(both, ID, TIME_S, BODY, strlen(BODY), &out);
    assert_true(text_starts(out.data, SIGNATURE " v1,"));
    assert_true(verifies(SECRET, ID, "1614265330", out.data, TIME_S, BODY));
    assert_true(verifies(OTHER, ID, "1614265330", out.data, TIME_S, BODY));
    assert_true(verifies(OTHER " " SECRET, ID, "1614265330", "v2,x v1a,y " SIGNATURE, TIME_S, BODY));
    buf_release(&out);
    signer_free(both);
}

static void a_timestamp_may_be_five_minutes_from_now_and_no_second_more(void **state)
{
    (void)state;
    assert_true(verifies(SECRET, ID, "1614265330", SIGNATURE, TIME_S + 300, BODY));
    assert_true(verifies(SECRET, ID, "1614265330", SIGNATURE, TIME_S - 300, BODY));
    assert_false(verifies(SECRET, ID, "1614265330", SIGNATURE, TIME_S + 301, BODY));
    assert_false(verifies(SECRET, ID, "1614265330", SIGNATURE, TIME_S - 301, BODY));
}

static void secrets_that_are_none_are_refused_and_never_quoted(void **state)
{
    static const char *const bad[] = {"",
                                      "whsec_",
                                      "whsec_c2hvcnQ=",
                                      "whsec_not base64 at all! " CANARY,
                                      "whsec_" CANARY,
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"};
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (signature_secrets_check(bad[i], &err))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_null(strstr(err.text, "MfKQ"));
    }
}

/* The standard's own example of an Ed25519 key; its public half was taken from it by another program. */
#define PRIVATE  "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
#define SIGNED   "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
#define PUBLIC   "whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="
#define PRIVATE2 "whsk_V0VCSE9PS0FTWU1NRVRSSUNURVNUUFJJVkFURUtFWTE="

static char *public_of(const char *secrets)
{
    struct signer *s = make_signer(secrets);
    struct buf out = BUF_INIT;

    signer_add_public(s, &out);
    signer_free(s);
    return buf_take(&out);
}

static void the_example_of_the_standard_is_signed_by_an_ed25519_key_too(void **state)
{
    struct signer *s = make_signer(PRIVATE);
    char *public = public_of(PRIVATE);
    struct buf out = BUF_INIT;

    (void)state;
    signature_add(s, ID, TIME_S, BODY, strlen(BODY), &out);
    assert_string_equal(out.data, SIGNED);
    assert_string_equal(public, PUBLIC);
    assert_true(verifies(PRIVATE, ID, "1614265330", SIGNED, TIME_S, BODY));
    assert_true(verifies(PUBLIC, ID, "1614265330", SIGNED, TIME_S, BODY));
    assert_int_equal(signer_kind(s), SIGNATURE_ED25519);
    free(public);
    buf_release(&out);
    signer_free(s);
}

/* By OpenSSL alone, as a receiver in any language would. */
static void openssl_verifies_what_is_signed_by_the_public_half(void **state)
{
    static const char content[] = ID ".1614265330." BODY;
    unsigned char key[33], signature[66];
    char *public = public_of(PRIVATE2);
    struct signer *s = make_signer(PRIVATE2);
    struct buf out = BUF_INIT;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY *half;

    (void)state;
    signature_add(s, ID, TIME_S, BODY, strlen(BODY), &out);
    assert_int_equal(EVP_DecodeBlock(key, (unsigned char *)public + strlen("whpk_"), 44), 33);
    assert_int_equal(EVP_DecodeBlock(signature, (unsigned char *)out.data + strlen("v1a,"), 88), 66);
    half = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, NULL, NULL, half), 1);
    assert_int_equal(EVP_DigestVerify(context, signature, 64, (const unsigned char *)content, strlen(content)), 1);
    EVP_PKEY_free(half);
    EVP_MD_CTX_free(context);
    free(public);
    buf_release(&out);
    signer_free(s);
}

static void an_ed25519_signature_that_is_changed_or_by_another_is_refused(void **state)
{
    char changed[] = SIGNED;

    (void)state;
    for (size_t i = 0; i < strlen(SIGNED) - 3; i++) {
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(verifies(PUBLIC, ID, "1614265330", changed, TIME_S, BODY));
        changed[i] = SIGNED[i];
    }
    assert_false(verifies(PRIVATE2, ID, "1614265330", SIGNED, TIME_S, BODY));
    assert_false(verifies(SECRET, ID, "1614265330", SIGNED, TIME_S, BODY));
    assert_false(verifies(PUBLIC, ID, "1614265330", SIGNATURE, TIME_S, BODY));
    assert_false(verifies(PUBLIC, ID, "1614265330", "v1a,", TIME_S, BODY));
    assert_false(verifies(PUBLIC, ID, "1614265330", &SIGNED[4], TIME_S, BODY));
    assert_false(verifies(PUBLIC, ID, "1614265331", SIGNED, TIME_S, BODY));
    assert_false(verifies(PUBLIC, ID, "1614265330", SIGNED, TIME_S, BODY " "));
    assert_false(verifies(PUBLIC, ID, "1614265330", SIGNED, TIME_S + 301, BODY));
}

static void kinds_of_secrets_stand_beside_each_other(void **state)
{
    struct signer *both = make_signer(PRIVATE " " SECRET);
    char *public = public_of(PRIVATE " " SECRET " " PRIVATE2);
    struct buf out = BUF_INIT;

    (void)state;
    signature_add(both, ID, TIME_S, BODY, strlen(BODY), &out);
    assert_string_equal(out.data, SIGNED " " SIGNATURE);
    assert_true(verifies(SECRET, ID, "1614265330", out.data, TIME_S, BODY));
    assert_true(verifies(PUBLIC, ID, "1614265330", out.data, TIME_S, BODY));
    assert_true(text_starts(public, PUBLIC " whpk_"));
    assert_int_equal(strlen(public), 2 * strlen(PUBLIC) + 1);
    free(public);
    buf_release(&out);
    signer_free(both);
}

/* Each takes reading the whole body: nobody may ask for that a thousand times in one request. */
static void only_so_many_signatures_are_looked_at(void **state)
{
    struct buf many = BUF_INIT;
    char *wrong = strdup(SIGNED);

    (void)state;
    wrong[10] = 'x';
    for (int i = 0; i < SIGNATURE_KEYS_MOST - 1; i++)
        buf_printf(&many, "%s ", wrong);
    buf_add_text(&many, SIGNED);
    assert_true(verifies(PUBLIC, ID, "1614265330", many.data, TIME_S, BODY));
    buf_reset(&many);
    for (int i = 0; i < SIGNATURE_KEYS_MOST; i++)
        buf_printf(&many, "%s ", wrong);
    buf_add_text(&many, SIGNED);
    assert_false(verifies(PUBLIC, ID, "1614265330", many.data, TIME_S, BODY));
    free(wrong);
    buf_release(&many);
}

static void a_public_half_verifies_and_does_not_sign(void **state)
{
    static const char *const bad[] = {
        "whsk_",
        "whsk_c2hvcnQ=",
        "whpk_",
        "whpk_c2hvcnQ=",
        "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTllWRVRTU0lHTklOR0tFWURPTk9UVVNFVEhJUw=="};
    struct error err;

    (void)state;
    assert_true(signature_secrets_check(PUBLIC " " SECRET, &err));
    assert_false(signature_signing_check(SECRET " " PUBLIC, &err));
    assert_non_null(strstr(err.text, "secret 2 is the public half"));
    assert_true(signature_signing_check(SECRET " " PRIVATE, &err));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (signature_secrets_check(bad[i], &err))
            fail_msg("\"%s\" was taken", bad[i]);
}

/* The seed with the public half behind it, as libsodium writes a private key. */
static void a_private_key_of_64_bytes_is_taken_where_its_halves_fit(void **state)
{
    unsigned char bytes[66], other[66];
    char text[100] = "whsk_";
    struct error err;
    char *public;

    (void)state;
    EVP_DecodeBlock(bytes, (const unsigned char *)PRIVATE + strlen("whsk_"), 44);
    EVP_DecodeBlock(other, (const unsigned char *)PUBLIC + strlen("whpk_"), 44);
    memcpy(bytes + 32, other, 32);
    EVP_EncodeBlock((unsigned char *)text + strlen("whsk_"), bytes, 64);
    public = public_of(text);
    assert_string_equal(public, PUBLIC);
    bytes[40] ^= 1;
    EVP_EncodeBlock((unsigned char *)text + strlen("whsk_"), bytes, 64);
    assert_false(signature_secrets_check(text, &err));
    free(public);
}

static void a_new_secret_can_be_used_and_no_two_are_alike(void **state)
{
    struct buf one = BUF_INIT, other = BUF_INIT;
    struct error err;

    (void)state;
    signature_add_secret(SIGNATURE_HMAC, &one);
    signature_add_secret(SIGNATURE_HMAC, &other);
    assert_true(signature_secrets_check(one.data, &err));
    assert_string_not_equal(one.data, other.data);
    assert_int_equal(one.length, strlen("whsec_") + 44);
    buf_reset(&one);
    signature_add_secret(SIGNATURE_ED25519, &one);
    assert_true(signature_signing_check(one.data, &err));
    assert_true(text_starts(one.data, "whsk_"));
    buf_release(&one);
    buf_release(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_standard_are_signed_and_verified),
        cmocka_unit_test(whatever_is_missing_or_changed_is_refused),
        cmocka_unit_test(one_of_several_signatures_is_enough_and_each_of_several_secrets_signs),
        cmocka_unit_test(a_timestamp_may_be_five_minutes_from_now_and_no_second_more),
        cmocka_unit_test(secrets_that_are_none_are_refused_and_never_quoted),
        cmocka_unit_test(a_new_secret_can_be_used_and_no_two_are_alike),
        cmocka_unit_test(the_example_of_the_standard_is_signed_by_an_ed25519_key_too),
        cmocka_unit_test(openssl_verifies_what_is_signed_by_the_public_half),
        cmocka_unit_test(an_ed25519_signature_that_is_changed_or_by_another_is_refused),
        cmocka_unit_test(kinds_of_secrets_stand_beside_each_other),
        cmocka_unit_test(only_so_many_signatures_are_looked_at),
        cmocka_unit_test(a_public_half_verifies_and_does_not_sign),
        cmocka_unit_test(a_private_key_of_64_bytes_is_taken_where_its_halves_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
