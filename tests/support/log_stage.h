/* tests/support/log_stage.h - access logs in a folder, and `crier import access-log` into archives. */
#ifndef TESTS_SUPPORT_LOG_STAGE_H
#define TESTS_SUPPORT_LOG_STAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "support/scene.h"

struct log_stage {
    struct scene *scene;
    char folder[300];
    char *out;       /* what the last import said */
    json_t *summary; /* its last line; NULL: it had none */
};

/* For cmocka: *state is a struct log_stage. Events go to the queue "views", with two also to "others". */
int log_stage_open(void **state);
int log_stage_open_two(void **state);
int log_stage_close(void **state);

const char *log_stage_path(struct log_stage *f, const char *name); /* in the folder */

/* Lines from below to, of one second each: every third is a view of a record. Appended, or as a file of the folder. */
void log_stage_add_lines(struct buf *out, int from, int to);
void log_stage_write_lines(struct log_stage *f, const char *name, int from, int to);
void log_stage_write_gzip(struct log_stage *f, const char *name, int from, int to);
void log_stage_write(const char *path, const char *text, size_t length);

/* Of up to three words, NULL where there are fewer; its exit code. */
int log_stage_import(struct log_stage *f, const char *a, const char *b, const char *c);
void log_stage_count_is(struct log_stage *f, const char *what, int64_t number); /* by the summary */

/* In the stream of "views": events, and how many different unique ids these have. */
int64_t log_stage_length(struct log_stage *f);
size_t log_stage_different(struct log_stage *f);

#endif
