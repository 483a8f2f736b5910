/*
 * handlers/mail/mail_templates.h - the templates of a folder, by event type and language.
 *
 * TYPE.LANGUAGE.txt is needed (user.updated.en.txt), its first line "Subject: ..." and its second empty;
 * TYPE.LANGUAGE.html may stand beside it. Names that begin with '.' or end with '~' are left aside. Constant once made:
 * any number of threads.
 */
#ifndef HANDLERS_MAIL_MAIL_TEMPLATES_H
#define HANDLERS_MAIL_MAIL_TEMPLATES_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/mail/mail_text.h"

struct mail_template {
    char *type, *language;
    struct mail_text *subject, *text, *html; /* html may be NULL */
};

struct mail_templates;

/* Each type is there in the language that stands in for others. NULL: ERROR_CONFIG, "FILE:LINE: what". */
struct mail_templates *mail_templates_new(const char *folder, const char *language, struct error *err) must_check;
void mail_templates_free(struct mail_templates *t); /* NULL is fine */

/* In the language, or else in the one that stands in. NULL: there is none of the type. */
const struct mail_template *mail_templates_find(const struct mail_templates *t, struct span type, const char *language);

/* Whether one of a type that the pattern fits to is there ("user.*"; without * it is a type). */
bool mail_templates_cover(const struct mail_templates *t, const char *pattern);

bool mail_language_check(const char *language, struct error *err); /* "en", "pt-BR"; for configuration rows */

#endif
