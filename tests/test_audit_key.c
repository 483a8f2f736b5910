/* The keys that sign the audit file: who has none is found out, and the public half is enough to check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/audit/audit_file.h"
#include "handlers/audit/audit_verify.h"
#include "support/chain_stage.h"

static char empty[] = "", secret[] = SECRET, pair[] = ED25519;

/* The whole chain made anew by somebody who has no key, or another one. */
static void whoever_writes_all_anew_without_the_key_is_found(void **state)
{
    static char other[] = "another " CANARY " of more than 32 bytes";
    char *keys[] = {empty, other, pair};

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        chain_stage_setup(state);
        chain.settings.key = keys[i];
        chain_write(0, 5);
        chain.settings.key = secret;
        chain_finding_is(i == 0 ? ".head is not signed by this key" : "audit.ndjson:1: is not signed by this key");
    }
}

static void the_public_half_of_a_key_is_enough_to_check(void **state)
{
    static char public_key[] = ED25519_PUBLIC;
    struct error err;
    char *finding;

    (void)state;
    chain.settings.key = pair;
    chain_write(0, 3);
    chain_is_well(3);
    finding = chain_finding(public_key, false, NULL, NULL);
    assert_string_equal(finding, "");
    free(finding);
    chain.settings.key = public_key;
    assert_null(audit_file_open(&chain.settings, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "cannot sign"));
}

static void a_key_that_is_none_is_refused_without_being_shown(void **state)
{
    static const char *const bad[] = {CANARY " too short",
                                      "-----BEGIN PRIVATE KEY-----\n" CANARY "\n-----END PRIVATE KEY-----\n"};
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(signing_key_check(bad[i], &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_null(strstr(err.text, "canary"));
    }
}

static void a_key_given_later_signs_from_there_on(void **state)
{
    (void)state;
    chain_write(0, 3);
    chain.settings.key = secret;
    chain_write(3, 6);
    chain_is_well(6);
    chain.settings.key = empty;
    chain_write(6, 7);
    chain.settings.key = secret;
    chain_finding_is("audit.ndjson:7: is not signed, but the one before it is");
}

static void a_key_that_was_replaced_signs_nothing_any_more(void **state)
{
    struct error err;
    struct signing_key *keys[] = {signing_key_new(secret, &err), signing_key_new(pair, &err)};
    char *finding;

    (void)state;
    chain.settings.key = secret;
    chain_write(0, 3);
    chain.settings.key = pair;
    chain_write(3, 6);
    finding = chain_finding_of(keys, 2, false, NULL, NULL);
    assert_string_equal(finding, "");
    free(finding);
    chain_finding_is("audit.ndjson:1: is not signed by this key"); /* the new one alone */
    chain.settings.key = secret;
    chain_write(6, 7); /* by whoever found the old one */
    finding = chain_finding_of(keys, 2, false, NULL, NULL);
    assert_non_null(strstr(finding, "audit.ndjson:7: is not signed by a key that counts there"));
    free(finding);
    signing_key_free(keys[0]);
    signing_key_free(keys[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whoever_writes_all_anew_without_the_key_is_found, chain_stage_setup),
        cmocka_unit_test_setup(the_public_half_of_a_key_is_enough_to_check, chain_stage_setup),
        cmocka_unit_test_setup(a_key_that_is_none_is_refused_without_being_shown, chain_stage_setup),
        cmocka_unit_test_setup(a_key_that_was_replaced_signs_nothing_any_more, chain_stage_setup),
        cmocka_unit_test_setup(a_key_given_later_signs_from_there_on, chain_stage_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
