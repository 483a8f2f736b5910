/*
 * tests/support/change_stage.h - a platform that tells of changes, and its search documents that hold copies of what
 * changed: indices with the mappings of InvenioRDM, written as its own indexer writes them.
 *
 * crier reaches OpenSearch through a proxy on which things can go wrong; the platform does not.
 */
#ifndef TESTS_SUPPORT_CHANGE_STAGE_H
#define TESTS_SUPPORT_CHANGE_STAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "support/fault_proxy.h"
#include "support/platform_broker.h"
#include "support/scene.h"

struct change_stage {
    struct scene *scene;
    struct fault_proxy *proxy;
    struct settings platform; /* the platform's own view of OpenSearch, for search_index.h; the rest is borrowed */
    struct broker broker;     /* its message broker; [platform] of the ini text names it as BROKER */
    struct server *serve;     /* `crier serve`; NULL: not running. Ended with the stage */
};

/*
 * ini: what follows the sections of the servers; there also BROKER in it stands for the broker's URL. The index
 * members is there and empty, behind the platform's alias.
 */
struct change_stage *change_stage_open(const char *ini);
void change_stage_add_records(struct change_stage *st); /* archived, records and drafts likewise */
void change_stage_close(struct change_stage *st);

/* A notification, as JSON; each of its records must be accepted. Returns how many there were. */
size_t change_notify(struct change_stage *st, const char *notification);
/* One of one record: data NULL, or JSON. */
void change_tell(struct change_stage *st, const char *type, const char *id, const char *uuid, int revision,
                 const char *data);

/* Passes of the handler in this process, until no event is left or only such as wait for another try. */
void change_work(struct change_stage *st, const char *handler);

/* As the platform's indexer: at its own version, an equal one is taken. Returns the status: 201, 200 or 409. */
int platform_put(struct change_stage *st, const char *index, const char *id, int64_t version, const char *document);

/* What a document is now, at a dotted path in the answer ("_version", "_source.user.username"), as text in the
 * scene's arena; "" where there is no such thing. Not by a search: a refresh is not needed. */
const char *document_at(struct change_stage *st, const char *index, const char *id, const char *path);

/* Waits until it is that, for as long as wait_ms, or fails the test. */
void document_becomes(struct change_stage *st, const char *index, const char *id, const char *path, const char *value,
                      int wait_ms);

/* How many documents of the index hold a value in a keyword field, after a refresh. */
int64_t documents_with(struct change_stage *st, const char *index, const char *field, const char *value);

/* Membership documents m0 .. m(count - 1) of users 0 .. users - 1, at version 3 with the user's revision 1. */
void members_put(struct change_stage *st, int count, int users);

/* `crier serve` on the stage, and its end by SIGKILL; the ten seconds for which it had said that it lives are over. */
void change_serve(struct change_stage *st);
void change_serve_kill(struct change_stage *st);

/* Events of a queue that were not acknowledged by a handler: delivered and pending, or not delivered yet. */
int64_t change_open_events(struct change_stage *st, const char *queue, const char *handler);
/* Waits until there are so many; what is written is acknowledged a moment later. */
void change_until_open(struct change_stage *st, const char *queue, const char *handler, int64_t wanted);
int64_t change_dead(struct change_stage *st, const char *queue);
/* The one dead letter's field ("reason", "subject"); fails the test where there is another number of them. */
const char *change_dead_field(struct change_stage *st, const char *queue, const char *field);

#endif
