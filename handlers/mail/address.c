#include "handlers/mail/address.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "handlers/mail/message.h"

enum { LOCAL_BYTES_MOST = 64, LABEL_BYTES_MOST = 63 };

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* What RFC 5322 calls a dot-atom. */
static bool is_local(const char *text, size_t length)
{
    if (length == 0 || length > LOCAL_BYTES_MOST || text[0] == '.' || text[length - 1] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.' ? text[i - 1] == '.'
                           : !is_letter_or_digit(text[i]) && !memchr("!#$%&'*+-/=?^_`{|}~", text[i], 19))
            return false;
    }
    return true;
}

static bool is_domain(const char *text, size_t length)
{
    size_t label = 0;

    for (size_t i = 0; i < length; i++) {
        bool hyphen = text[i] == '-';

        if (text[i] == '.') {
            if (label == 0 || text[i - 1] == '-')
                return false;
            label = 0;
        } else if ((!is_letter_or_digit(text[i]) && !hyphen) || (hyphen && label == 0) || ++label > LABEL_BYTES_MOST) {
            return false;
        }
    }
    return label > 0 && text[length - 1] != '-';
}

bool mail_address_check(struct span address, struct error *err)
{
    const char *at = memchr(address.text, '@', address.length);
    size_t local = at ? (size_t)(at - address.text) : 0;

    if (at && address.length < MAIL_ADDRESS_BYTES && is_local(address.text, local) &&
        is_domain(at + 1, address.length - local - 1))
        return true;
    return error_set(err, ERROR_INPUT, "it is not one mail address (name@example.org, in ASCII)");
}

bool mailbox_read(const char *text, struct mailbox *out, struct error *err)
{
    const char *open = strrchr(text, '<'), *address = open ? open + 1 : text;
    size_t name = open ? (size_t)(open - text) : 0, length = strlen(address);

    *out = (struct mailbox){.name = ""};
    if (open) {
        if (length == 0 || address[length - 1] != '>')
            return error_set(err, ERROR_INPUT, "it is not name@example.org or Name <name@example.org>");
        length--;
        while (name > 0 && text[name - 1] == ' ')
            name--;
    }
    if (!mail_address_check((struct span){address, length}, err))
        return false;
    if (name >= MAIL_NAME_BYTES || !header_text_is_plain((struct span){text, name}))
        return error_set(err, ERROR_INPUT, "the name is longer than %d bytes, or holds a control character",
                         MAIL_NAME_BYTES - 1);
    snprintf(out->name, sizeof out->name, "%.*s", (int)name, text);
    snprintf(out->address, sizeof out->address, "%.*s", (int)length, address);
    return true;
}

bool mailbox_check(const char *text, struct error *err)
{
    struct mailbox box;

    if (mailbox_read(text, &box, err))
        return true;
    err->kind = ERROR_CONFIG;
    return false;
}

bool mail_address_key_check(const char *address, struct error *err)
{
    if (mail_address_check(span_of(address), err))
        return true;
    err->kind = ERROR_CONFIG;
    return false;
}

/* ---------------------------------------------------------------------------------------------------- patterns */

/* Each '*' could be a letter. */
static bool is_pattern(const char *text, size_t length)
{
    char tried[MAIL_ADDRESS_BYTES];
    struct error ignored;

    if (length >= sizeof tried)
        return false;
    for (size_t i = 0; i < length; i++)
        tried[i] = text[i] == '*' ? 'a' : text[i];
    return mail_address_check((struct span){tried, length}, &ignored);
}

bool mail_address_patterns_check(const char *patterns, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&patterns, &word, &length))
        if (!is_pattern(word, length))
            return error_set(
                err, ERROR_CONFIG,
                "\"%.*s\" is no pattern of a mail address: *@example.org, where * stands for any characters",
                (int)(length < 100 ? length : 100), word);
    return true;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* As with file globs, only the last '*' has to be tried with more characters. The '@' of the one is that of the other.
 */
static bool matches(struct span pattern, struct span address)
{
    size_t p = 0, a = 0, behind_star = 0, retry = 0;
    bool star = false;

    while (a < address.length) {
        if (p < pattern.length && pattern.text[p] == '*') {
            star = true;
            behind_star = ++p;
            retry = a;
        } else if (p < pattern.length && same_letter(pattern.text[p], address.text[a])) {
            p++;
            a++;
        } else if (star) {
            p = behind_star;
            a = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.text[p] == '*')
        p++;
    return p == pattern.length;
}

bool mail_address_matches(const char *patterns, struct span address)
{
    const char *word;
    size_t length;

    while (text_word(&patterns, &word, &length))
        if (matches((struct span){word, length}, address))
            return true;
    return false;
}
