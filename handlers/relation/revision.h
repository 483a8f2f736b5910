/* handlers/relation/revision.h - a subject's revision as its copies hold it: 7, "7" or "UUID::7". */
#ifndef HANDLERS_RELATION_REVISION_H
#define HANDLERS_RELATION_REVISION_H

#include "handlers/relation/relation.h"

/* What a copy holds (NULL: nothing) against the subject's, which is known. */
enum revision_state { REVISION_BEHIND, REVISION_SAME, REVISION_NEWER };
enum revision_state revision_compare(enum revision_format format, const json_t *held, const struct subject *s);

/* As the copy is to hold it: a number stays a number, text stays text. A new reference. */
json_t *revision_make(enum revision_format format, const json_t *held, const struct subject *s);

#endif
