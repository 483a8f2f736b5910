/* tests/support/audit_search_stage.h - five entries of an audit, and how they are looked up. */
#ifndef TESTS_SUPPORT_AUDIT_SEARCH_STAGE_H
#define TESTS_SUPPORT_AUDIT_SEARCH_STAGE_H

#include <jansson.h>
#include <stddef.h>

#include "notifier/door_page.h"
#include "support/scene.h"

/*
 * For cmocka: *state is a scene, in which the handler "trail" wrote them: in crier's form, in the platform's, and with
 * a door that wants tokens. "e1" is of the first of November 2026, and so on.
 */
int audit_search_stage_open(void **state);
int audit_search_stage_open_platform(void **state);
int audit_search_stage_open_tokens(void **state);
int audit_search_stage_close(void **state);

/* `crier audit search --json` with up to three more words; its exit code. */
int audit_search_stage_verb(struct scene *s, const char *const more[3], char **out);

/* The answer of the page to somebody who may see events of these types; yours. */
json_t *audit_search_stage_page(struct scene *s, const struct page_argument *arguments, size_t count,
                                const char *events, unsigned wanted);

#endif
