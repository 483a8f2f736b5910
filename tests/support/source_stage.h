/* tests/support/source_stage.h - a source as its [source] section makes it, and all that it lists. */
#ifndef TESTS_SUPPORT_SOURCE_STAGE_H
#define TESTS_SUPPORT_SOURCE_STAGE_H

#include "handlers/source/source.h"

struct source_stage {
    struct settings *settings;
    struct source *source;
    struct arena *arena;
    struct error err;
};

/* ini: one section [source s] and what it needs; fails the test with the mistakes where it does not load. */
struct source_stage *source_stage_open(const char *ini);
void source_stage_close(struct source_stage *s);

/* One document; fails the test where the source is away. */
struct source_document source_stage_get(struct source_stage *s, const char *id);

/* "id@version body\n" of every document from a position on, page by page; each page by a new source where anew is true.
 */
char *source_stage_walk(struct source_stage *s, int64_t since_us, size_t most, bool anew);

#endif
