/* tests/support/search_index.h - what a test asks of OpenSearch directly, beside crier. */
#ifndef TESTS_SUPPORT_SEARCH_INDEX_H
#define TESTS_SUPPORT_SEARCH_INDEX_H

#include <jansson.h>
#include <stdint.h>

#include "config/settings.h"

/* All documents of an index or pattern after a refresh, sorted by id: "id source\n" each. Yours to free. */
char *index_dump(const struct settings *s, const char *pattern);
int64_t index_count(const struct settings *s, const char *pattern);

/* A request that must succeed; body may be NULL. The answer is yours. */
json_t *index_ask(const struct settings *s, const char *method, const char *path, const char *body);
void index_delete(const struct settings *s, const char *name);

/* Teardown of a test whose *state is a struct scene: it goes with all indices of its prefix. */
int index_scene_close(void **state);

/* NDJSON for _bulk, which must go through without error. */
void index_bulk(const struct settings *s, const char *lines);

/* How many documents the index was given and how many searches it answered since its creation. */
int64_t index_writes(const struct settings *s, const char *name);
int64_t index_searches(const struct settings *s, const char *name);

#endif
