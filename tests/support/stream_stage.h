/* tests/support/stream_stage.h - the queue "q" with events in it, and who reads them as the group "h". */
#ifndef TESTS_SUPPORT_STREAM_STAGE_H
#define TESTS_SUPPORT_STREAM_STAGE_H

#include "notifier/stream.h"
#include "support/scene.h"

/* For cmocka: *state is a scene. */
int stream_stage_open(void **state);
int stream_stage_close(void **state);

void stream_stage_append(struct scene *s, int count);                      /* "e0" and so on */
struct stream *stream_stage_reader(struct scene *s, const char *consumer); /* of the tail; yours to free */
struct batch stream_stage_read(struct scene *s, struct stream *stream);    /* what is new, in the scene's arena */

#endif
