/* tests/support/relation_stage.h - subjects that are known, and what becomes of a document by a relation. */
#ifndef TESTS_SUPPORT_RELATION_STAGE_H
#define TESTS_SUPPORT_RELATION_STAGE_H

#include "handlers/relation/relation.h"

/* Lent until relation_forget. */
struct subject *relation_know(const char *id, int64_t revision, const char *data);
void relation_forget(void);

/* As the ini file would give it; what is not named has its default. */
struct relation_options relation_with(struct relation_options o);

/* What becomes of the document; NULL where it is left as it is. A second time changes nothing more. */
const char *relation_applied(struct relation_options given, const char *document);

#endif
