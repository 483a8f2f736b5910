/*
 * handlers/mail/address.h - mail addresses, checked so that one can never become two, nor a header of its own.
 *
 * LOCAL@DOMAIN in ASCII: no quoted local part, no literal of an address, no comment, no route, no list.
 */
#ifndef HANDLERS_MAIL_ADDRESS_H
#define HANDLERS_MAIL_ADDRESS_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"

enum { MAIL_ADDRESS_BYTES = 255, MAIL_NAME_BYTES = 200 };

/* ERROR_INPUT, without the text, which is personal. */
bool mail_address_check(struct span address, struct error *err) must_check;

/* "LOCAL@DOMAIN" or "Name <LOCAL@DOMAIN>"; the name is UTF-8 without control characters. */
struct mailbox {
    char name[MAIL_NAME_BYTES], address[MAIL_ADDRESS_BYTES];
};

bool mailbox_read(const char *text, struct mailbox *out, struct error *err) must_check;
/* For configuration rows. */
bool mailbox_check(const char *text, struct error *err);
bool mail_address_key_check(const char *address, struct error *err);

/*
 * Patterns of addresses separated by white space: in each half of LOCAL@DOMAIN "*" stands for any characters, also
 * none. Letters are compared without regard to case.
 */
bool mail_address_patterns_check(const char *patterns, struct error *err); /* for configuration rows */
bool mail_address_matches(const char *patterns, struct span address);

#endif
