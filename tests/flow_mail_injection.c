/* Values that would be headers, recipients, or mails of their own: what postfix gets is what was meant, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/http.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/mail_stage.h"
#include "support/postfix_server.h"
#include "support/work.h"

enum { MOST = 400 };

static const char header[] = "Return-Path X-Original-To Delivered-To Received From To Subject Date Message-ID "
                             "Auto-Submitted MIME-Version Content-Type Content-Transfer-Encoding";

struct stage {
    struct server *postfix;
    struct mail_stage *mail;
    struct lane *lane;
    char *notes[MOST]; /* by number of the case: what its mail's text is to be; NULL: it has no mail */
    size_t count, wrong;
};

static struct stage stage_open(void)
{
    struct stage s = {.postfix = postfix_server_start()};
    char more[200], html[600];

    snprintf(more, sizeof more, "server = %s\ntls = none\nbounce = bounces@example.org\n",
             postfix_server_url(s.postfix));
    s.mail = mail_stage_open(more);
    mail_stage_template(s.mail, "user.updated.en.txt", "Subject: News of {data.name}\n\n{data.note}");
    snprintf(html, sizeof html, "%s/user.updated.en.html", s.mail->folder);
    unlink(html);
    s.lane = work_open(s.mail->scene, "mails");
    return s;
}

static void stage_close(struct stage *s)
{
    lane_leave(s->lane);
    lane_free(s->lane);
    mail_stage_close(s->mail);
    server_free(s->postfix);
    for (size_t i = 0; i < s->count; i++)
        free(s->notes[i]);
}

static void add_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s\"%s\":", out->length > 1 ? "," : "", name);
    buf_add_json_text(out, value);
}

/* One more event to case-N@example.org, and to another who is to be none. */
static void add(struct stage *s, const char *name, const char *note, const char *language, const char *other)
{
    struct buf data = BUF_INIT;
    struct event e;
    char id[30];

    assert_true(s->count < MOST);
    buf_add_text(&data, "{");
    add_member(&data, "name", name);
    add_member(&data, "note", note);
    add_member(&data, "language", language);
    buf_printf(&data, ",\"to\":[\"case-%zu@example.org\"", s->count);
    if (other) {
        buf_add_char(&data, ',');
        buf_add_json_text(&data, other);
        s->wrong++;
    }
    buf_add_text(&data, "]}");
    snprintf(id, sizeof id, "event-%zu", s->count);
    s->notes[s->count++] = xstrdup(note);
    e = scene_event(s->mail->scene, "user.updated", id, "users/1", 3, data.data);
    scene_append(s->mail->scene, &e, 1);
    buf_release(&data);
}

/* Quoted-printable (RFC 2045 §6.7) back to text. */
static char *unquoted(const char *body)
{
    struct buf out = BUF_INIT;

    for (; *body; body++) {
        if (*body != '=') {
            buf_add_char(&out, *body);
        } else if (body[1] == '\n') {
            body++;
        } else {
            const char digits[3] = {body[1], body[2], '\0'};

            buf_add_char(&out, (char)strtol(digits, NULL, 16));
            body += 2;
        }
    }
    buf_add_text(&out, "");
    return buf_take(&out);
}

/* Line ends of any kind are one, and the last line ends. */
static char *lines_of(const char *text)
{
    struct buf out = BUF_INIT;

    for (; *text; text++) {
        buf_add_char(&out, *text == '\r' ? '\n' : *text);
        text += text[0] == '\r' && text[1] == '\n';
    }
    if (out.length > 0 && out.data[out.length - 1] != '\n')
        buf_add_char(&out, '\n');
    buf_add_text(&out, "");
    return buf_take(&out);
}

static void expect_mail(const struct stage *s, const struct postfix_mails *all, size_t i)
{
    const struct postfix_mail *m;
    char to[60], *text, *wanted;

    snprintf(to, sizeof to, "case-%zu@example.org", i);
    m = postfix_mail_to(all, to);
    if (!m)
        fail_msg("%s got no mail", to);
    assert_string_equal(m->from, "bounces@example.org");
    if (strcmp(m->names, header) != 0)
        fail_msg("%s: the header is %s", to, m->names);
    text = postfix_mail_header(m, "To");
    assert_string_equal(text, to);
    free(text);
    text = unquoted(m->body);
    wanted = lines_of(s->notes[i]);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s: the text is \"%s\" instead of \"%s\"", to, text, wanted);
    free(text);
    free(wanted);
}

/* Each case has its mail and nobody else has any; nobody else was named to the server, either. */
static void expect_all(struct stage *s)
{
    struct postfix_mails all;
    struct dead_letter *letters;
    struct error err;
    size_t taken = 1, count;
    char *log;

    while (taken > 0)
        if (!lane_pass(s->lane, 0, &taken, &err))
            fail_msg("%s", err.text);
    all = postfix_server_await(s->postfix, s->count);
    assert_int_equal(all.count, s->count);
    for (size_t i = 0; i < s->count; i++)
        expect_mail(s, &all, i);
    log = postfix_server_await_log(s->postfix, "]: DATA", s->count);
    assert_int_equal(postfix_log_count(log, "]: MAIL FROM:"), s->count);
    assert_int_equal(postfix_log_count(log, "]: MAIL FROM:<bounces@example.org>"), s->count);
    assert_int_equal(postfix_log_count(log, "]: RCPT TO:"), s->count);
    assert_int_equal(postfix_log_count(log, "]: RCPT TO:<case-"), s->count);
    assert_int_equal(postfix_log_count(log, "]: DATA"), s->count);
    free(log);
    if (!dead_list(s->mail->scene->redis, "q", NULL, MOST, s->mail->scene->arena, &letters, &count, &err))
        fail_msg("%s", err.text);
    assert_int_equal(count, s->wrong);
    print_message("%zu mails, %zu of them beside a value that is no address\n", all.count, s->wrong);
    postfix_mails_release(&all);
}

/* What may begin a line, in any header or address. */
static const char *const breaks[] = {
    "\r\n",         "\n",   "\r",   "\n\r", "\r\n ",    "\r\n\t", "\xc2\x85", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\x0b", "\x0c", "\x1c", "\r\n\r\n", "%0d%0a", "\\r\\n",
};

static void no_value_in_a_subject_adds_a_header_or_a_recipient(void **state)
{
    static const char *const followers[] = {
        "Bcc: evil@example.net",
        "\r\n.\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<evil@example.net>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n",
    };
    struct stage s = stage_open();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(breaks); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(followers); j++) {
            struct buf name = BUF_INIT;

            buf_printf(&name, "New%s%s", breaks[i], followers[j]);
            add(&s, name.data, "note", "en", NULL);
            add(&s, "N", name.data, "en", NULL); /* the same in the text */
            buf_release(&name);
        }
    for (size_t i = 0; i < ARRAY_LENGTH(breaks); i++) {
        char language[60];

        snprintf(language, sizeof language, "en%sBcc: evil", breaks[i]);
        add(&s, "N", "note", language, NULL);
    }
    add(&s, "=?UTF-8?Q?=0D=0ABcc:_evil@example.net?=", "note", "en", NULL);
    add(&s, "=?UTF-8?B?DQpCY2M6IGV2aWxAZXhhbXBsZS5uZXQ=?=", "note", "en", NULL);
    add(&s, "N\r\nContent-Type: text/html", "note", "en", NULL);
    add(&s, "N\r\nTo: evil@example.net", "note", "en", NULL);
    expect_all(&s);
    assert_true(s.count >= 60);
    stage_close(&s);
}

static void no_text_ends_its_mail_or_begins_another(void **state)
{
    static const char *const texts[] = {
        ".",
        "..",
        ".hidden",
        "a\n.",
        "a\n.\nb",
        "a\r\n.\r\nb",
        "a\n.\r\nb",
        "a\r\n.\nb",
        "a\r.\rb",
        "a\r\n.\rb",
        "a\n\n.\n\nb",
        "a\n.\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<evil@example.net>\r\nDATA\r\n\r\nx\r\n.\r\n",
        "a\r.\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<evil@example.net>\r\nDATA\r\n\r\nx\r\n.\r\n",
        "a\r\n.\r\nQUIT\r\n",
        "\r\n\r\nBcc: evil@example.net\r\n\r\nx",
        "From evil@example.net Thu Jan  1\nx",
        "--=_mail\nContent-Type: text/html\n\nx\n--=_mail--",
        "=0A=2E=0A",
        "=\n.\n=",
        "\xc3\xa9\xe2\x80\xa8.\xe2\x80\xa8\xf0\x9f\x98\x80",
        "tab\t \nspace  \n",
    };
    struct stage s = stage_open();
    struct buf line = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        add(&s, "N", texts[i], "en", NULL);
    for (size_t length = 996; length < 1001; length++) {
        buf_reset(&line);
        for (size_t i = 0; i < length; i++)
            buf_add_char(&line, '.');
        add(&s, "N", line.data, "en", NULL);
    }
    for (int i = 0; i < 10000; i++)
        buf_add_text(&line, "\xc3\xa9");
    add(&s, "N", line.data, "en", NULL);
    buf_release(&line);
    expect_all(&s);
    stage_close(&s);
}

static void no_value_of_an_address_becomes_a_recipient_or_a_word_to_the_server(void **state)
{
    static const char *const forms[] = {"a@example.org%sBcc: evil@example.net",
                                        "a@example.org>%sRCPT TO:<evil@example.net", "a%sevil@example.net@example.org",
                                        "a%sb@example.org", "a@exam%sple.org"};
    static const char *const others[] = {
        "a@example.org, evil@example.net",
        "a@example.org,evil@example.net",
        "a@example.org;evil@example.net",
        "a@example.org evil@example.net",
        "<a@example.org> evil@example.net",
        "<a@example.org>",
        "a b@example.org",
        "a,b@example.org",
        "a>b@example.org",
        "a<b@example.org",
        "\"a\r\nb\"@example.org",
        "\"a b\"@example.org",
        "\"a> RCPT TO:<evil@example.net\"@example.org",
        "a@example.org (evil)",
        "Name <a@example.org>",
        "group: a@example.org;",
        "@relay.example.net:a@example.org",
        "a%evil@example.net@example.org",
        "evil!a@b@example.org",
        "a@[127.0.0.1]",
        "a@example.org\t",
        "",
        "@",
        "a@",
        "@example.org",
        "\xc3\xa4@example.org",
        "a@ex\xc3\xa4mple.org",
        "a@example.org NOTIFY=SUCCESS",
        "a@example.org> NOTIFY=SUCCESS ORCPT=rfc822;evil@example.net",
        "a@example.org SIZE=1",
        "a@example.org>",
        "postmaster",
    };
    struct stage s = stage_open();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(breaks); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(forms); j++) {
            const char *place = strstr(forms[j], "%s");
            struct buf to = BUF_INIT;

            if (*breaks[i] == '%' && strcmp(forms[j], "a%sb@example.org") == 0)
                continue; /* that is one address */
            buf_add(&to, forms[j], (size_t)(place - forms[j]));
            buf_add_text(&to, breaks[i]);
            buf_add_text(&to, place + 2);
            add(&s, "N", "note", "en", to.data);
            buf_release(&to);
        }
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        add(&s, "N", "note", "en", others[i]);
    expect_all(&s);
    assert_true(s.count >= 60);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_value_in_a_subject_adds_a_header_or_a_recipient),
        cmocka_unit_test(no_text_ends_its_mail_or_begins_another),
        cmocka_unit_test(no_value_of_an_address_becomes_a_recipient_or_a_word_to_the_server),
    };

    http_global_init();
    return postfix_server_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
