/* tests/support/rebuild_stage.h - a live index "users" behind its alias, and `crier reindex users` at it. */
#ifndef TESTS_SUPPORT_REBUILD_STAGE_H
#define TESTS_SUPPORT_REBUILD_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "handlers/reindex/rebuild_state.h"
#include "support/live_index.h"
#include "support/scene.h"

enum { DOCUMENTS = 3000, SHARDS = 2, DEADLINE_MS = 60000, SEEN_MS = 20000, RESUMED_MS = 40000 };

/* Half a minute for all of them: whatever is to be done meanwhile is done before its end, also under load. */
#define SLOWLY  "100"
#define QUICKLY "100000"

struct rebuild_stage {
    struct scene *scene;
    struct live_index *platform;
};

/* For cmocka: *state is a struct rebuild_stage. */
int rebuild_stage_open(void **state);
int rebuild_stage_close(void **state);

/* The index behind the alias, yours; that it is the old one or is not; how many there are, "users" and whatever
 * follows. */
char *rebuild_behind(struct scene *s);
void rebuild_behind_is(struct scene *s, bool old);
size_t rebuild_indices(struct scene *s);

/* As the state in Redis says; false: there is none. */
bool rebuild_state_now(struct scene *s, struct rebuild_state *out);

int64_t rebuild_audited(struct scene *s, const char *type); /* events of a type in the audit's queue */
void rebuild_forget_lease(struct scene *s);                 /* as if some seconds had passed */

/* `crier reindex users`: as words, and begun with an option and its value (NULL: none); at its end the exit code. */
extern const char *const rebuild_words[];
pid_t rebuild_begin(struct scene *s, const char *option, const char *value);
pid_t rebuild_begin_with(const char *config, const char *option, const char *value);
int rebuild_wait_for_end(pid_t child);

/* Until the reindex is in that phase or beyond, or has ended; whether it is in it. */
bool rebuild_wait_for_phase(struct scene *s, enum rebuild_phase phase, int64_t done);

#endif
