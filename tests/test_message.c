/* A message's header is what it is meant to be, whatever the values: nothing is added, no line is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attrs.h"
#include "handlers/mail/message.h"

static const struct mailbox sender = {"The Archive", "archive@example.org"};

static bool make(const char *to, struct span subject, struct span text, struct span html, struct buf *out)
{
    struct error err;

    return message_add(
        &(struct message_parts){
            .from = &sender,
            .to = to,
            .subject = subject,
            .text = text,
            .html = html,
            .id = "mail_0123",
            .unsubscribe = "https://example.org/off",
            .one_click = "",
            .now_us = INT64_C(1795210805000000),
        },
        out, &err);
}

/* CRLF and nothing else, lines of at most 998 bytes. */
static void expect_lines(const struct buf *m)
{
    size_t column = 0;

    for (size_t i = 0; i < m->length; i++) {
        if (m->data[i] == '\r') {
            assert_true(m->data[i + 1] == '\n');
            column = 0;
            i++;
        } else {
            assert_int_not_equal(m->data[i], '\n');
            assert_true(++column <= 998);
            assert_true((unsigned char)m->data[i] < 0x80);
            assert_int_not_equal(m->data[i], '\0');
        }
    }
}

/* The names of the header's fields, and no others, each once. */
static void expect_header(const struct buf *m, const char *of)
{
    static const char *const names[] = {"From",           "To",
                                        "Subject",        "Date",
                                        "Message-ID",     "List-Unsubscribe",
                                        "Auto-Submitted", "MIME-Version",
                                        "Content-Type",   "Content-Transfer-Encoding"};
    const char *line = m->data;
    size_t count = 0;

    while (strncmp(line, "\r\n", 2) != 0) {
        if (*line != ' ') {
            size_t length = strcspn(line, ":");

            assert_true(count < ARRAY_LENGTH(names));
            if (strlen(names[count]) != length || strncmp(line, names[count], length) != 0)
                fail_msg("%s: the header has a line %.*s", of, (int)strcspn(line, "\r"), line);
            count++;
        }
        line = strstr(line, "\r\n") + 2;
    }
    assert_int_equal(count, ARRAY_LENGTH(names));
}

/* ------------------------------------------------------------------------------------------------------ injection */

/* What may begin a line, in any header or address. */
static const char *const breaks[] = {
    "\r\n",         "\n",   "\r",   "\n\r", "\r\n ",    "\r\n\t", "\xc2\x85", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\x0b", "\x0c", "\x1c", "\r\n\r\n", "%0d%0a", "\\r\\n",
};
static const char *const followers[] = {"Bcc: evil@example.net", "\r\n.\r\nMAIL FROM:<evil@example.net>"};

static void no_value_of_a_subject_adds_a_header(void **state)
{
    size_t cases = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(breaks); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(followers); j++, cases++) {
            struct buf subject = BUF_INIT, m = BUF_INIT;

            buf_printf(&subject, "New%s%s", breaks[i], followers[j]);
            assert_true(
                make("a@example.org", (struct span){subject.data, subject.length}, span_of("hello"), SPAN_NONE, &m));
            expect_lines(&m);
            expect_header(&m, subject.data);
            buf_release(&subject);
            buf_release(&m);
        }
    assert_int_equal(cases, 30);
}

static void no_value_of_an_address_adds_a_header_or_a_recipient(void **state)
{
    static const char *const forms[] = {"a@example.org%sBcc: evil@example.net", "a%sevil@example.net@example.org"};
    static const char *const others[] = {
        "a@example.org, evil@example.net",
        "a@example.org,evil@example.net",
        "a@example.org;evil@example.net",
        "a@example.org evil@example.net",
        "<a@example.org> evil@example.net",
        "a@example.org>\r\nRCPT TO:<evil@example.net",
        "<a@example.org>",
        "\"a\r\nb\"@example.org",
        "\"a b\"@example.org",
        "a@example.org (evil)",
        "Name <a@example.org>",
        "group: a@example.org;",
        "@relay.example.net:a@example.org",
        "a@b@example.org",
        "a@[127.0.0.1]",
        "a@example.org\t",
        "",
        "@",
        "a@",
        "@example.org",
        "a@-example.org",
        "a@example..org",
        ".a@example.org",
        "a..b@example.org",
        "a.@example.org",
        "\xc3\xa4@example.org",
        "a@ex\xc3\xa4mple.org",
        "a@example.org\xe2\x80\xa8",
        "a@example.org SIZE=1",
        "a@example.org>",
    };
    size_t cases = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(breaks); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(forms); j++, cases++) {
            struct buf to = BUF_INIT, m = BUF_INIT;
            const char *place = strstr(forms[j], "%s");

            buf_add(&to, forms[j], (size_t)(place - forms[j]));
            buf_add_text(&to, breaks[i]);
            buf_add_text(&to, place + 2);
            assert_false(make(to.data, span_of("x"), span_of("x"), SPAN_NONE, &m));
            assert_int_equal(m.length, 0);
            buf_release(&to);
            buf_release(&m);
        }
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++, cases++) {
        struct buf m = BUF_INIT;

        if (make(others[i], span_of("x"), span_of("x"), SPAN_NONE, &m))
            fail_msg("%s is taken for an address", others[i]);
        buf_release(&m);
    }
    assert_int_equal(cases, 60);
}

static void ordinary_addresses_are_taken(void **state)
{
    static const char *const good[] = {"a@b", "first.last+tag@mail.example.org", "o'neil_x=1@ex-ample.org",
                                       "1@2.example"};
    struct mailbox box;
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_true(mail_address_check(span_of(good[i]), &err));
    assert_true(mailbox_read("J\xc3\xbcrgen M. <j@example.org>", &box, &err));
    assert_string_equal(box.name, "J\xc3\xbcrgen M.");
    assert_string_equal(box.address, "j@example.org");
    assert_false(mailbox_read("x\r\nBcc: y <j@example.org>", &box, &err));
    assert_false(mailbox_read("x\xe2\x80\xa8y <j@example.org>", &box, &err));
    assert_false(mailbox_read("x <j@example.org", &box, &err));
}

static void patterns_say_which_addresses_may_be_told(void **state)
{
    static const char patterns[] = "*@example.org ada+*@Uni.example  *@*.archive.example";
    static const char *const allowed[] = {"a@example.org", "A.B@EXAMPLE.ORG", "ada+x@uni.example", "ada+@uni.example",
                                          "b@x.y.archive.example"};
    static const char *const others[] = {"a@example.org.evil.example",
                                         "a@sub.example.org",
                                         "a@xexample.org",
                                         "ada@uni.example",
                                         "eve@uni.example",
                                         "b@archive.example",
                                         "@example.org.x",
                                         ""};
    static const char *const wrong[] = {"*", "example.org", "@example.org", "*@*@*", "*@exa mple", "a@b\"c", "*@.org"};
    struct error err;

    (void)state;
    assert_true(mail_address_patterns_check(patterns, &err));
    for (size_t i = 0; i < ARRAY_LENGTH(allowed); i++)
        if (!mail_address_matches(patterns, span_of(allowed[i])))
            fail_msg("%s is not allowed", allowed[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        if (mail_address_matches(patterns, span_of(others[i])))
            fail_msg("%s is allowed", others[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        if (mail_address_patterns_check(wrong[i], &err))
            fail_msg("%s is a pattern", wrong[i]);
}

/* ---------------------------------------------------------------------------------------------------------- body */

static void a_body_is_quoted_so_that_no_byte_of_it_can_end_it(void **state)
{
    struct buf m = BUF_INIT, line = BUF_INIT;

    (void)state;
    for (int i = 0; i < 500; i++)
        buf_add_text(&line, "\xc3\xa9x =");
    buf_add_text(&line, "\n.\r\n..\nfirst \rsecond\t\r\n--=_mail_0123--\n");
    assert_true(make("a@example.org", span_of("x"), (struct span){line.data, line.length},
                     span_of("<p>\n.\n--=_mail_0123\n</p>"), &m));
    expect_lines(&m);
    assert_non_null(strstr(m.data, "=C3=A9x =3D"));
    assert_non_null(strstr(m.data, "first=20\r\nsecond=09\r\n--=3D_mail_0123--\r\n"));
    assert_non_null(strstr(m.data, "multipart/alternative"));
    assert_non_null(strstr(m.data, "\r\n--=_mail_0123--\r\n"));
    buf_release(&m);
    buf_release(&line);
}

static void a_subject_that_is_not_ascii_or_long_is_encoded_by_whole_characters(void **state)
{
    struct buf m = BUF_INIT, subject = BUF_INIT;

    (void)state;
    assert_true(make("a@example.org",
                     span_of("Gr\xc3\xbc\xc3\x9f"
                             "e"),
                     span_of("x"), SPAN_NONE, &m));
    assert_non_null(strstr(m.data, "\r\nSubject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"));
    buf_reset(&m);
    assert_true(make("a@example.org", span_of("=?UTF-8?Q?=0D=0ABcc:_x?="), span_of("x"), SPAN_NONE, &m));
    assert_null(strstr(m.data, "?Q?"));
    buf_reset(&m);
    for (int i = 0; i < 300; i++)
        buf_add_text(&subject, "\xf0\x9f\x98\x80");
    assert_true(make("a@example.org", (struct span){subject.data, subject.length}, span_of("x"), SPAN_NONE, &m));
    expect_lines(&m);
    assert_non_null(strstr(m.data, "=?UTF-8?B?8J+YgPCfmIDwn5iA8J+YgPCfmIDwn5iA8J+YgPCfmIDwn5iA8J+YgPCfmIA=?=\r\n "));
    buf_release(&m);
    buf_release(&subject);
}

static void what_is_not_utf8_or_holds_nul_is_refused(void **state)
{
    struct buf m = BUF_INIT;

    (void)state;
    assert_false(make("a@example.org", span_of("\xff"), span_of("x"), SPAN_NONE, &m));
    assert_false(make("a@example.org", span_of("x"), span_of("\xc3"), SPAN_NONE, &m));
    assert_false(make("a@example.org", span_of("x"), (struct span){"a\0b", 3}, SPAN_NONE, &m));
    assert_int_equal(m.length, 0);
    assert_true(make("a@example.org", (struct span){"a\0b", 3}, span_of("x"), SPAN_NONE, &m));
    assert_non_null(strstr(m.data, "Subject: a b\r\n"));
    buf_release(&m);
}

static void a_link_for_one_click_comes_first_and_says_how_it_is_asked(void **state)
{
    static const struct {
        const char *unsubscribe, *one_click, *expected;
    } cases[] = {
        {"mailto:off@example.org", "https://c.example.org/x",
         "\r\nList-Unsubscribe: <https://c.example.org/x>,\r\n <mailto:off@example.org>\r\n"
         "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nAuto-"                                                  },
        {"",                       "https://c.example.org/x",
         "\r\nList-Unsubscribe: <https://c.example.org/x>\r\n"
         "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nAuto-"                                                  },
        {"mailto:off@example.org", "",                        "\r\nList-Unsubscribe: <mailto:off@example.org>\r\nAuto-"},
        {"",                       "",                        "@example.org>\r\nAuto-"                                 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf m = BUF_INIT;
        struct error err;

        assert_true(message_add(&(struct message_parts){.from = &sender,
                                                        .to = "a@example.org",
                                                        .subject = span_of("s"),
                                                        .text = span_of("t"),
                                                        .html = SPAN_NONE,
                                                        .id = "mail_0",
                                                        .unsubscribe = cases[i].unsubscribe,
                                                        .one_click = cases[i].one_click},
                                &m, &err));
        assert_non_null(strstr(m.data, cases[i].expected));
        buf_release(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_for_one_click_comes_first_and_says_how_it_is_asked),
        cmocka_unit_test(no_value_of_a_subject_adds_a_header),
        cmocka_unit_test(no_value_of_an_address_adds_a_header_or_a_recipient),
        cmocka_unit_test(ordinary_addresses_are_taken),
        cmocka_unit_test(patterns_say_which_addresses_may_be_told),
        cmocka_unit_test(a_body_is_quoted_so_that_no_byte_of_it_can_end_it),
        cmocka_unit_test(a_subject_that_is_not_ascii_or_long_is_encoded_by_whole_characters),
        cmocka_unit_test(what_is_not_utf8_or_holds_nul_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
