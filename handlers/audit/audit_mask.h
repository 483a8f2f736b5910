/* handlers/audit/audit_mask.h - values that an entry must not show, and texts that are too long for it. */
#ifndef HANDLERS_AUDIT_AUDIT_MASK_H
#define HANDLERS_AUDIT_AUDIT_MASK_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/text.h"

#define AUDIT_MASKED "(masked)"

/* paths: "before.email *.token", separated by spaces, each beginning with "data."; * is any name, arrays are passed
 * through. What is there, and not null, becomes AUDIT_MASKED. */
void audit_mask(json_t *data, const char *paths);

/* Texts and names longer than most, at any depth. */
void audit_cut(json_t *value, size_t most);

/* A text, cut between characters, with "... (N bytes more)". */
void audit_cut_text(struct span text, size_t most, struct buf *out);

#endif
