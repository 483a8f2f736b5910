/*
 * handlers/spread/document.h - a relation applied to a document that stays text: only the members that hold copies are
 * parsed and written anew, the rest is copied byte by byte.
 */
#ifndef HANDLERS_SPREAD_DOCUMENT_H
#define HANDLERS_SPREAD_DOCUMENT_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include "handlers/relation/relation.h"

struct roots;

/* match: as in the relation's options. The top-level members of a document that its copies lie in. */
struct roots *roots_new(const char *match);
void roots_free(struct roots *r); /* NULL is fine */

/*
 * Brings the copies in the text up to date. *changed: the new text is in out; else nothing is. False: ERROR_INPUT, the
 * text cannot be read where copies are. Several threads may share relation and roots.
 */
bool document_apply(const struct relation *relation, const struct roots *roots, struct span text,
                    const struct copy_source *from, struct buf *out, bool *changed, struct error *err) must_check;

#endif
