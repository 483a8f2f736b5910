/*
 * tests/race/store.h - the documents of one index as OpenSearch keeps them: versions, sequence numbers, tombstones, and
 * what searches see since the last refresh.
 */
#ifndef TESTS_RACE_STORE_H
#define TESTS_RACE_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was written to a document last. */
struct revision {
    json_t *source; /* NULL: there is no document */
    int64_t version, seq_no;
    int64_t deleted_ms; /* when; a tombstone is forgotten after index.gc_deletes, 60 s */
};

struct document {
    char *id;
    bool known;           /* `now` is a document or a tombstone */
    struct revision now;  /* what a request by id sees */
    struct revision seen; /* what a search sees; source NULL: nothing */
};

struct store {
    struct document *documents;
    size_t count;
    int64_t next_seq_no, refreshes;
    int64_t indexed, deleted; /* writes that were taken, whatever they found */
};

void store_init(struct store *s);
void store_release(struct store *s); /* and empty again */

struct document *store_find(const struct store *s, const char *id); /* NULL: never heard of */
void store_refresh(struct store *s);

enum write_action { WRITE_INDEX, WRITE_CREATE, WRITE_DELETE };
enum write_version { VERSION_INTERNAL, VERSION_EXTERNAL, VERSION_EXTERNAL_GTE };

struct write {
    enum write_action action;
    const char *id;
    json_t *source; /* borrowed */
    enum write_version type;
    int64_t version; /* of the external types */
    int64_t seq_no;  /* if_seq_no; -1: none */
    int64_t now_ms;
};

struct write_result {
    int status; /* 200, 201, 404 (a delete of what is not there), 409 */
    int64_t version, seq_no;
    char reason[160]; /* of 409 */
};
struct write_result store_write(struct store *s, const struct write *w);

#endif
