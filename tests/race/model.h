/*
 * tests/race/model.h - OpenSearch with one index, as its clients see it: answers the requests that crier sends.
 *
 * _bulk, _mget, _search (also by point in time), _count, _refresh, _mapping and what else is in model.c. A request it
 * does not know ends the process. That it answers as the real one does is itself a test (flow_race.c).
 */
#ifndef TESTS_RACE_MODEL_H
#define TESTS_RACE_MODEL_H

#include <jansson.h>

#include "base/http.h"
#include "race/store.h"

struct model;

/* index: with its prefix. body: as the index would be created, {"mappings": {"properties": ...}}. */
struct model *model_new(const char *index, const char *body);
void model_free(struct model *m);

/* No document, no point in time, and sequence numbers from 0 on. */
void model_clear(struct model *m);

/* A links_server whose context is the model. */
void model_serve(void *model, const struct http_request *request, const char *path, struct http_reply *reply);

/* Lies for tests of the tests. */
enum model_lie {
    LIE_NONE,
    LIE_REFRESH,  /* a refresh that crier asks for is not done */
    LIE_CONFLICT, /* of two versions the one that comes last wins */
};
void model_lie(struct model *m, enum model_lie lie);

/* For its own parts: what a request is answered with. */
struct answer {
    int status;
    json_t *body;
};
struct store *model_store(struct model *m);
const char *model_index(const struct model *m);
const json_t *model_properties(const struct model *m);

struct answer model_bulk(struct model *m, const char *body, size_t length, const char *parameters);
struct answer model_search(struct model *m, const char *index, const json_t *body);
struct answer model_open_point(struct model *m);
struct answer model_close_points(struct model *m, const json_t *body); /* also scrolls */
struct answer model_open_scroll(struct model *m, const json_t *body);
struct answer model_scroll(struct model *m, const json_t *body); /* the next page */
struct answer model_get(struct model *m, const json_t *body);    /* _mget */
struct answer model_missing_index(const char *index);

struct points;
struct points *model_points(struct model *m);
struct points *points_new(void);
void points_free(struct points *p);

/* The part of a document that "_source" asks for: true, false, names, {"includes": names}. New; NULL: nothing. */
json_t *model_source(const json_t *source, const json_t *asked);

/* The lie in force. */
enum model_lie model_lies(const struct model *m);

#endif
