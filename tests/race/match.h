/*
 * tests/race/match.h - whether a document fits a query: the forms of OpenSearch's query language that crier writes.
 *
 * Anything else ends the process with the query: a model that guesses proves nothing.
 */
#ifndef TESTS_RACE_MATCH_H
#define TESTS_RACE_MATCH_H

#include <jansson.h>
#include <stdbool.h>

/* One document and how its index is mapped. */
struct matched {
    const char *id;
    const json_t *source;
    const json_t *properties; /* of the mapping */
};

bool match(const json_t *query, const struct matched *m);

/* The values of a field as a search compares them, through arrays on the way: a new array. */
json_t *match_values(const json_t *source, const char *field);

/* Ends the process: the model does not know this. */
void match_unknown(const char *what, const json_t *where) __attribute__((noreturn));

#endif
