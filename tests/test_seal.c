/* Secrets at rest: they open with their key, at their place, undamaged, and in no other case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/seal.h"
#include "base/text.h"

#define FIRST  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SECOND "/////////////////////////////////////////w8="

static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

static struct seal *keys(const char *text)
{
    struct error err;
    struct seal *s = seal_new(text, &err);

    if (!s)
        fail_msg("%s", err.text);
    return s;
}

static char *sealed(const char *by, const char *text, const char *place)
{
    struct seal *s = keys(by);
    struct buf out = BUF_INIT;

    seal_add(s, text, place, &out);
    seal_free(s);
    return buf_take(&out);
}

/* by NULL: no key at all. */
static void expect_opens(const char *by, const char *text, const char *place, const char *expected)
{
    struct seal *s = by ? keys(by) : NULL;
    struct buf out = BUF_INIT;
    struct error err;

    if (!seal_open(s, text, place, &out, &err))
        fail_msg("%s", err.text);
    assert_string_equal(out.data, expected);
    buf_release(&out);
    seal_free(s);
}

static void expect_closed(const char *by, const char *text, const char *place, const char *says)
{
    struct seal *s = by ? keys(by) : NULL;
    struct buf out = BUF_INIT;
    struct error err;

    assert_false(seal_open(s, text, place, &out, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    if (!strstr(err.text, says))
        fail_msg("%s", err.text);
    assert_int_equal(out.length, 0);
    buf_release(&out);
    seal_free(s);
}

static void what_is_sealed_opens_and_shows_nothing(void **state)
{
    char *a = sealed(FIRST, secret, "wh_1"), *b = sealed(FIRST, secret, "wh_1"), *empty = sealed(FIRST, "", "wh_1");

    (void)state;
    assert_true(seal_is(a));
    assert_false(seal_is(secret));
    assert_string_not_equal(a, b); /* nobody sees that two are the same */
    assert_null(strstr(a, secret));
    expect_opens(FIRST, a, "wh_1", secret);
    expect_opens(FIRST, b, "wh_1", secret);
    expect_opens(FIRST, empty, "wh_1", "");
    free(a);
    free(b);
    free(empty);
}

static void another_key_or_none_does_not_open(void **state)
{
    char *text = sealed(FIRST, secret, "wh_1");

    (void)state;
    expect_closed(SECOND, text, "wh_1", "not among those given");
    expect_closed(NULL, text, "wh_1", "no key is given");
    free(text);
}

static void what_was_moved_does_not_open(void **state)
{
    char *text = sealed(FIRST, secret, "wh_1");

    (void)state;
    expect_closed(FIRST, text, "wh_2", "another place");
    expect_closed(FIRST, text, "", "another place");
    expect_closed(FIRST, text, "wh_1 ", "another place");
    free(text);
}

static void no_changed_character_goes_unnoticed(void **state)
{
    char *text = sealed(FIRST, secret, "wh_1");
    size_t length = strlen(text);

    (void)state;
    text[length - 2]++; /* a bit that has no meaning */
    expect_closed(FIRST, text, "wh_1", "damaged");
    text[length - 2]--;
    for (size_t i = strlen("sealed:"); i < length; i++) {
        char was = text[i];

        if (was == '=')
            continue;
        text[i] = was == 'A' ? 'B' : 'A';
        expect_closed(FIRST, text, "wh_1", "");
        text[i] = '\n';
        expect_closed(FIRST, text, "wh_1", "damaged");
        text[i] = was;
    }
    for (size_t cut = strlen("sealed:"); cut < length; cut++) {
        char *part = strndup(text, cut);

        expect_closed(FIRST, part, "wh_1", "");
        free(part);
    }
    expect_opens(FIRST, text, "wh_1", secret);
    expect_closed(FIRST, secret, "wh_1", "damaged");
    free(text);
}

static void an_older_key_opens_until_it_is_taken_away(void **state)
{
    char *old = sealed(FIRST, secret, "wh_1"), *newer = sealed(SECOND " " FIRST, secret, "wh_1");
    struct seal *both = keys(SECOND " " FIRST);

    (void)state;
    expect_opens(SECOND " " FIRST, old, "wh_1", secret);
    expect_opens(SECOND, newer, "wh_1", secret);
    expect_closed(FIRST, newer, "wh_1", "not among those given");
    assert_true(seal_is_newest(both, newer));
    assert_false(seal_is_newest(both, old));
    assert_false(seal_is_newest(both, secret));
    seal_free(both);
    free(old);
    free(newer);
}

static void what_is_no_key_is_refused_and_not_quoted(void **state)
{
    static const char *const wrong[] = {
        "",
        "canarysecret",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ==",
        FIRST " canarysecret",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\\",
        FIRST " " FIRST " " FIRST " " FIRST " " FIRST " " FIRST " " FIRST " " FIRST " " FIRST,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct error err;

        assert_false(seal_keys_check(wrong[i], &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_null(strstr(err.text, "canary"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_and_shows_nothing),
        cmocka_unit_test(another_key_or_none_does_not_open),
        cmocka_unit_test(what_was_moved_does_not_open),
        cmocka_unit_test(no_changed_character_goes_unnoticed),
        cmocka_unit_test(an_older_key_opens_until_it_is_taken_away),
        cmocka_unit_test(what_is_no_key_is_refused_and_not_quoted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
