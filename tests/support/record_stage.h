/* tests/support/record_stage.h - a [handler record] with its index, its tombstones and its dead letters. */
#ifndef TESTS_SUPPORT_RECORD_STAGE_H
#define TESTS_SUPPORT_RECORD_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/http.h"
#include "handlers/tombstone.h"
#include "notifier/dead.h"
#include "support/fault_proxy.h"
#include "support/scene.h"

#define PEERS(search)                                                                                                  \
    "[redis]\nurl = REDIS\n[opensearch]\nurl = " search "\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"            \
    "[queue changes]\nevents = record.*\n"

#define HANDLER(rest) PEERS("SEARCH") "[handler documents]\ntype = record\nqueue = changes\nindex = documents\n" rest

void record_stage_open(void **state, const char *ini);
int record_stage_setup(void **state);
int record_stage_close(void **state);
struct event record_event(struct scene *s, const char *what, const char *subject, int revision, const char *data);
void record_handle(struct scene *s, const char *what, const char *subject, int revision, const char *data);
char *record_dump(struct scene *s);
void record_documents_are(struct scene *s, const char *expected);

/* What a test does behind crier's back: a request to PREFIXdocuments + rest. */
void record_ask(struct scene *s, const char *method, const char *rest, const char *body);

/* Whether OpenSearch takes it. */
bool record_try_put(struct scene *s, const char *rest, const char *body);

/* Waits until OpenSearch has forgotten what was deleted until now: a later deletion, of a document of our own, too. */
void record_forget(struct scene *s);
int64_t record_tombstone(struct scene *s, const char *id);
struct dead_letter *record_dead_letters(struct scene *s, size_t expected);

#endif
