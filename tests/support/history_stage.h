/* tests/support/history_stage.h - five events in a history, and how they are asked for. */
#ifndef TESTS_SUPPORT_HISTORY_STAGE_H
#define TESTS_SUPPORT_HISTORY_STAGE_H

#include <jansson.h>
#include <stddef.h>

#include "notifier/door_page.h"
#include "support/scene.h"

enum { HISTORY_DEEDS = 5 };

/* What happened: the day is the number in the id; e1 is of October. */
struct history_deed {
    const char *id, *type, *subject, *actor, *operation, *time, *data;
};

extern const struct history_deed history_deeds[HISTORY_DEEDS];

/* For cmocka: *state is a scene, in which the handler "past" has kept them all. */
int history_stage_open(void **state);
int history_stage_close(void **state);

struct event history_event(struct scene *s, size_t i); /* the deed as an event, in the scene's arena */

/* `crier history` with up to three more words; its exit code. */
int history_verb(struct scene *s, char **out, const char *one, const char *two, const char *three);

/* The answer of the page to somebody who may see events of these types; yours. */
json_t *history_ask(struct scene *s, const struct page_argument *arguments, size_t count, const char *events,
                    unsigned wanted);

#endif
