/*
 * handlers/mail/mail_text.h - the language of mail templates: a text with places that an event fills.
 *
 *     {data.title}                       a value: a string, a number or a truth value; one that is missing is an error
 *     {type} {subject.id} {actor} ...    an attribute of the event, as notifier/template.h has them
 *     {if data.doi}...{else}...{end}     whether it is there and is not null, false, "", [] or {}
 *     {each data.files}...{end}          once for each item of an array (none where it is missing)
 *     {item} {item.name}                 within each: the innermost item, or a value in it; if and each take it too
 *     {{ }}                              the braces themselves
 *
 * In HTML every value is escaped (& < > " '); nothing can be filled in unescaped. A name that is none of these is an
 * error when the template is read. Constant once made: any number of threads.
 */
#ifndef HANDLERS_MAIL_MAIL_TEXT_H
#define HANDLERS_MAIL_MAIL_TEXT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include "notifier/event.h"

enum { MAIL_TEXT_BYTES_MOST = 256 * 1024, MAIL_TEXT_DEPTH_MOST = 8, MAIL_FILLED_BYTES_MOST = 1024 * 1024 };

struct mail_text;

/* first_line: the number that the text's first line has in its file. NULL: ERROR_CONFIG, "LINE: what". */
struct mail_text *mail_text_new(struct span text, bool html, int first_line, struct error *err) must_check;
void mail_text_free(struct mail_text *t); /* NULL is fine */

/*
 * Appends. data: of the event, parsed; NULL: it has none. False: ERROR_INPUT: a value is missing or no scalar, or the
 * text grows beyond MAIL_FILLED_BYTES_MOST.
 */
bool mail_text_add(const struct mail_text *t, const struct event *e, const json_t *data, struct buf *out,
                   struct error *err) must_check;

#endif
