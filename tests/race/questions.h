/*
 * tests/race/questions.h - requests by choice, of every form the model knows, to ask the model and OpenSearch the same.
 */
#ifndef TESTS_RACE_QUESTIONS_H
#define TESTS_RACE_QUESTIONS_H

#include <jansson.h>

#include "base/buf.h"
#include "race/choice.h"

/* How the index has to be made. */
extern const char questions_index[];

/* A query, up to so deep; new. */
json_t *question_query(struct choice *c, int depth);

/* NDJSON of a bulk with a few writes; seq_no: the highest that was given out so far. */
void question_writes(struct choice *c, const char *index, int64_t seq_no, struct buf *out);

/* For _mget; new. */
json_t *question_documents(struct choice *c, const char *index);

/* A search in the order of sequence numbers, its size not said; new. */
json_t *question_search(struct choice *c);

/*
 * What counts of an answer, in a form in which equal answers are equal: statuses, versions, sequence numbers, which
 * documents. by_id: in that order, where none is promised. New.
 */
json_t *question_essence(const json_t *answer, bool by_id);

#endif
