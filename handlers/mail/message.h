/*
 * handlers/mail/message.h - a message as it goes on the wire (RFC 5322, 2045 to 2047): a header that no value can add
 * to, and text, or text and HTML, as quoted-printable in UTF-8. Lines end with CRLF and have at most 78 bytes, but for
 * the long values of List-Unsubscribe and addresses, which stay below 998.
 */
#ifndef HANDLERS_MAIL_MESSAGE_H
#define HANDLERS_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include "handlers/mail/address.h"

struct message_parts {
    const struct mailbox *from;
    const char *to;          /* bare, checked again */
    struct span subject;     /* UTF-8; control characters and line ends of any kind become spaces */
    struct span text, html;  /* UTF-8; html of length 0: there is none */
    const char *id;          /* letters, digits, '.', '-', '_': what stands before the @ of Message-ID */
    const char *unsubscribe; /* a URL, https: or mailto:; "": none */
    const char *one_click;   /* an https: URL that takes a POST (RFC 8058); "": none */
    int64_t now_us;
};

/* Appends. False: ERROR_INPUT: the recipient is no address, or a text is not UTF-8 or holds NUL. */
bool message_add(const struct message_parts *p, struct buf *out, struct error *err) must_check;

/* UTF-8 without control characters or line ends (U+0085, U+2028, U+2029 are some). */
bool header_text_is_plain(struct span text);

bool message_unsubscribe_check(const char *url, struct error *err); /* for configuration rows */

#endif
