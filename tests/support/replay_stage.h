/* tests/support/replay_stage.h - an archive of views, and `crier replay` of it through the handlers that know them. */
#ifndef TESTS_SUPPORT_REPLAY_STAGE_H
#define TESTS_SUPPORT_REPLAY_STAGE_H

#include <stdint.h>

#include "support/scene.h"

extern char replay_folder[350]; /* of the archive of the test under way */

/* For cmocka: *state is a scene with the handlers "views", "trail", "keep", which is the archive, and "counts". */
int replay_stage_open(void **state);
int replay_stage_close(void **state);

/* Events through the door, so that what is personal is gone, and the id was made under the day's salt. */
void replay_let_in(struct scene *s, int from, int count);
void replay_work_off(struct scene *s); /* by those three that events come to */
void replay_seal(void);                /* what is open in the archive */

/* At the end of a file as the archive has it, of a handler and day of its own; and lines for it, yours to free. */
void replay_write(const char *name, const char *text);
char *replay_view_lines(int count);

/* Has to say what is wanted, as past_crier has it. */
int replay_verb(struct scene *s, const char *wanted, const char *const words[]);
#define REPLAY(wanted, ...) replay_verb(s, wanted, (const char *const[]){__VA_ARGS__, NULL})

int64_t replay_stream_length(struct scene *s);

#endif
