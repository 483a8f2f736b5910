/*
 * handlers/relation/content.h - one word of `copy`, TARGET<-CONTENT: what a subject's data gives for its copies.
 *
 * CONTENT is `data.FIELD`; `data`, all of it; a number, true, false or null; "text" (a JSON string, so that spaces may
 * stand in it); or text with {data.FIELD} in it, "{{" and "}}" standing for braces, in quotes where it holds spaces.
 *
 * Where data lacks the field, or every field of a text, there is no content. A text that lacks some of its fields is
 * made with nothing in their place if the data is the whole subject, and else there is none either. null, and what is
 * neither text nor number nor true nor false, gives nothing in a text.
 */
#ifndef HANDLERS_RELATION_CONTENT_H
#define HANDLERS_RELATION_CONTENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"

struct content;

/*
 * The next word of `copy`; *at moves on, target is lent from it. True with *content == NULL: there are no more.
 * False: ERROR_CONFIG, which quotes the word.
 */
bool content_next(const char **at, const char **target, size_t *target_length, struct content **content,
                  struct error *err) must_check;
void content_free(struct content *c); /* NULL is fine */

/*
 * Lent by the content or the data, which threads may share: no reference of theirs is counted; or made, and then *made
 * is it, and yours. NULL: there is none. whole: the data is all there is of the subject.
 */
const json_t *content_of(const struct content *c, const json_t *data, bool whole, json_t **made);

/* Its index-th field of data, "" for all of it; NULL: there are no more. */
const char *content_field(const struct content *c, size_t index);

#endif
