/* tests/support/found_ids.h - what a search of a history or an audit found, as a text that a test compares. */
#ifndef TESTS_SUPPORT_FOUND_IDS_H
#define TESTS_SUPPORT_FOUND_IDS_H

#include <jansson.h>

/* The ids in a JSON array of events or entries, in its order: "e5 e4 "; "" of none. Yours to free. */
char *found_ids(const json_t *found);

#endif
