/* tests/support/outbox_stage.h - a scene with a PostgreSQL whose outbox is relayed, in this process or by crier. */
#ifndef TESTS_SUPPORT_OUTBOX_STAGE_H
#define TESTS_SUPPORT_OUTBOX_STAGE_H

#include <stddef.h>

#include "base/stop.h"
#include "support/postgres_server.h"
#include "support/scene.h"

enum { OUTBOX_RELAYS_MOST = 4 };

struct outbox_stage {
    struct scene *scene;
    struct server *server; /* lent */
    struct postgres *link; /* the platform's */
    struct stop *stop;
    struct outbox_relays *relays[OUTBOX_RELAYS_MOST];
};

/*
 * As scene_open, with "POSTGRES" replaced too; the tables of [outbox platform] made anew, as `crier outbox sql` prints
 * them, and empty.
 */
struct outbox_stage *outbox_stage_open(struct server *postgres, const char *ini);
void outbox_stage_close(struct outbox_stage *s);

/* What the verb prints; yours to free. Fails the test where it does not end with the code. */
char *outbox_stage_verb(struct outbox_stage *s, int code, const char *const words[]);

void outbox_stage_relay(struct outbox_stage *s, size_t count); /* so many relays begin */
void outbox_stage_halt(struct outbox_stage *s);                /* and end */

/* Until the first outbox stands still, or goes on; fails the test after a while. */
void outbox_stage_wait_trouble(struct outbox_stage *s, bool wanted);

/* The events in the stream of queue "changes", in order, in the scene's arena; waits until there are so many. */
struct event *outbox_stage_events(struct outbox_stage *s, size_t count);

/* Until the table has so many rows; fails the test after a while. */
void outbox_stage_wait_rows(struct outbox_stage *s, const char *table, int64_t wanted);

#endif
