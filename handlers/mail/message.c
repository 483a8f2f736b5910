#include "handlers/mail/message.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
    WORD_BYTES_MOST = 45,  /* of text in one encoded word: 60 as base64, 72 with what is around it */
    PLAIN_BYTES_MOST = 60, /* of a header's value that is left as it is */
    QUOTED_BYTES_MOST = 76,
    URL_BYTES_MOST = 900,
};

/* ------------------------------------------------------------------------------------------------------- header */

/* How many bytes a control character or line end takes here; 0: it is none. */
static size_t control_bytes(const char *at, size_t left)
{
    unsigned char c = (unsigned char)at[0];

    if (c < ' ' || c == 0x7f)
        return 1;
    if (left >= 2 && c == 0xc2 && (unsigned char)at[1] >= 0x80 && (unsigned char)at[1] <= 0x9f)
        return 2; /* C1, where U+0085 is */
    if (left >= 3 && memcmp(at, "\xe2\x80", 2) == 0 && ((unsigned char)at[2] == 0xa8 || (unsigned char)at[2] == 0xa9))
        return 3; /* U+2028, U+2029 */
    return 0;
}

bool header_text_is_plain(struct span text)
{
    if (text_utf8_valid(text.text, text.length) < text.length)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (control_bytes(text.text + i, text.length - i) > 0)
            return false;
    return true;
}

static void add_cleaned(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.length;) {
        size_t control = control_bytes(text.text + i, text.length - i);

        buf_add_char(out, control > 0 ? ' ' : text.text[i]);
        i += control > 0 ? control : 1;
    }
}

static bool may_stay(const struct buf *text)
{
    for (size_t i = 0; i < text->length; i++)
        if ((unsigned char)text->data[i] >= 0x7f)
            return false;
    return text->length <= PLAIN_BYTES_MOST && !strstr(text->data, "=?");
}

/* Encoded words, each of whole characters and on a line of its own. */
static void add_words(struct buf *out, const struct buf *text)
{
    for (size_t at = 0; at < text->length;) {
        size_t length = text->length - at < WORD_BYTES_MOST ? text->length - at : WORD_BYTES_MOST;
        unsigned char word[2 * WORD_BYTES_MOST];

        while (at + length < text->length && ((unsigned char)text->data[at + length] & 0xc0) == 0x80)
            length--;
        EVP_EncodeBlock(word, (const unsigned char *)text->data + at, (int)length);
        buf_printf(out, "%s=?UTF-8?B?%s?=", at > 0 ? "\r\n " : "", (const char *)word);
        at += length;
    }
}

/* phrase: it stands before an address, where a word of special characters needs quotes; so it is encoded. */
static void add_header_text(struct buf *out, struct span text, bool phrase)
{
    struct buf clean = BUF_INIT;

    add_cleaned(&clean, text);
    if (may_stay(&clean) && !(phrase && strpbrk(clean.data, "()<>[]:;@\\,.\"")))
        buf_add(out, clean.data, clean.length);
    else
        add_words(out, &clean);
    buf_release(&clean);
}

static void add_mailbox(struct buf *out, const struct mailbox *box)
{
    if (*box->name) {
        add_header_text(out, span_of(box->name), true);
        buf_printf(out, "\r\n <%s>", box->address);
    } else {
        buf_add_text(out, box->address);
    }
}

static void add_unsubscribe(const struct message_parts *p, struct buf *out)
{
    if (*p->one_click && *p->unsubscribe)
        buf_printf(out, "List-Unsubscribe: <%s>,\r\n <%s>\r\n", p->one_click, p->unsubscribe);
    else if (*p->one_click || *p->unsubscribe)
        buf_printf(out, "List-Unsubscribe: <%s>\r\n", *p->one_click ? p->one_click : p->unsubscribe);
    if (*p->one_click)
        buf_add_text(out, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
}

static void add_header(const struct message_parts *p, struct buf *out)
{
    char date[60];

    time_format(p->now_us, "%a, %d %b %Y %H:%M:%S +0000", date, sizeof date);
    buf_add_text(out, "From: ");
    add_mailbox(out, p->from);
    buf_printf(out, "\r\nTo: %s\r\nSubject: ", p->to);
    add_header_text(out, p->subject, false);
    buf_printf(out, "\r\nDate: %s\r\nMessage-ID: <%s%s>\r\n", date, p->id, strchr(p->from->address, '@'));
    add_unsubscribe(p, out);
    buf_add_text(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
}

/* --------------------------------------------------------------------------------------------------------- body */

struct quoting {
    struct buf *out;
    size_t column;
};

/* What is added stays together on one line, which is broken softly before it where it would get too long. */
static void quote_add(struct quoting *q, const char *bytes, size_t length)
{
    if (q->column + length > QUOTED_BYTES_MOST - 1) {
        buf_add_text(q->out, "=\r\n");
        q->column = 0;
    }
    buf_add(q->out, bytes, length);
    q->column += length;
}

/* A space or tab at the end of a line does not. */
static bool stays_plain(struct span text, size_t at)
{
    char c = text.text[at], next = at + 1 < text.length ? text.text[at + 1] : '\n';

    return c == ' ' || c == '\t' ? next != '\n' && next != '\r' : c > ' ' && c < 0x7f && c != '=';
}

/* As many bytes as stay plain and have room on the line, at least the first; returns how many. */
static size_t quote_add_plain(struct quoting *q, struct span text, size_t at)
{
    size_t length = 1, room;

    quote_add(q, &text.text[at], 1);
    room = QUOTED_BYTES_MOST - 1 - q->column;
    while (length <= room && at + length < text.length && stays_plain(text, at + length))
        length++;
    quote_add(q, &text.text[at + 1], length - 1);
    return length;
}

/* Quoted-printable (RFC 2045 §6.7); line ends of any kind become CRLF. */
static void add_quoted(struct buf *out, struct span text)
{
    struct quoting q = {out, 0};

    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.text[i];
        char code[4];

        if (c == '\r' || c == '\n') {
            i += c == '\r' && i + 1 < text.length && text.text[i + 1] == '\n';
            buf_add_text(out, "\r\n");
            q.column = 0;
        } else if (stays_plain(text, i)) {
            i += quote_add_plain(&q, text, i) - 1;
        } else {
            snprintf(code, sizeof code, "=%02X", c);
            quote_add(&q, code, 3);
        }
    }
    if (q.column > 0)
        buf_add_text(out, "\r\n");
}

static void add_part(struct buf *out, const char *type, struct span text)
{
    buf_printf(out, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
               type);
    add_quoted(out, text);
}

static bool is_text(struct span text)
{
    return text_utf8_valid(text.text, text.length) == text.length && !memchr(text.text, '\0', text.length);
}

/* "=_" cannot stand in quoted-printable, so no text can hold the boundary. */
bool message_add(const struct message_parts *p, struct buf *out, struct error *err)
{
    if (!mail_address_check(span_of(p->to), err))
        return error_in(err, "the recipient");
    if (text_utf8_valid(p->subject.text, p->subject.length) < p->subject.length || !is_text(p->text) ||
        !is_text(p->html))
        return error_set(err, ERROR_INPUT, "the message is not UTF-8, or holds NUL");
    add_header(p, out);
    if (p->html.length == 0) {
        add_part(out, "plain", p->text);
        return true;
    }
    buf_printf(out, "Content-Type: multipart/alternative;\r\n boundary=\"=_%s\"\r\n\r\n--=_%s\r\n", p->id, p->id);
    add_part(out, "plain", p->text);
    buf_printf(out, "\r\n--=_%s\r\n", p->id);
    add_part(out, "html", p->html);
    buf_printf(out, "\r\n--=_%s--\r\n", p->id);
    return true;
}

bool message_unsubscribe_check(const char *url, struct error *err)
{
    if ((!text_starts(url, "https://") && !text_starts(url, "mailto:")) || strlen(url) > URL_BYTES_MOST)
        return error_set(err, ERROR_CONFIG, "it is to begin with https:// or mailto:, and to have at most %d bytes",
                         URL_BYTES_MOST);
    for (; *url; url++)
        if ((unsigned char)*url <= ' ' || (unsigned char)*url >= 0x7f || strchr("<>\"", *url))
            return error_set(err, ERROR_CONFIG, "it holds a character that no URL has");
    return true;
}
