/*
 * tests/support/counting.h - services that count, each `crier serve` a process of its own and all on one Redis: what is
 * sent to their doors, and what has become of it in OpenSearch.
 */
#ifndef TESTS_SUPPORT_COUNTING_H
#define TESTS_SUPPORT_COUNTING_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http.h"
#include "support/scene.h"

enum { SERVICES_MOST = 2 };

struct counting {
    struct scene *scene;
    struct http *http;
    struct server *services[SERVICES_MOST];
    size_t service_count;
};

/*
 * The ini as for scene_open, with a line "listen = 127.0.0.1:0"; what earlier tests left of the prefix goes. The
 * services are not there yet.
 */
void counting_open(struct counting *c, const char *ini);
void counting_close(struct counting *c); /* ends the services and removes what there is of the prefix */

/*
 * Salts for so many days from 2026-11-01, the same ones each time: so a visitor has the same id in each run. Up to its
 * precision OpenSearch's cardinality keeps 25 bits of each value; of 48 random ones two are taken for one some 34 times
 * in a million, and where a test counts some hundred times so many, chance would fail it now and then.
 */
void counting_give_salts(struct counting *c, int days);

/* Starts so many, each with a door at a port of its own. */
void counting_serve(struct counting *c, size_t services);

/*
 * A careful sender: the same again, at one door after the other, until it is acknowledged. Fails the test where an
 * event is refused or left out.
 */
void counting_send(struct counting *c, size_t door, const char *content_type, const char *body);

/* Until every handler of type statistics is done with every event; and until every changed key is computed, too. */
void counting_wait_for_events(struct counting *c);
void counting_wait(struct counting *c);

/* The answer of POST /stats; yours. */
json_t *counting_query(struct counting *c, size_t door, const char *body);

/* What a document is; NULL: it is not there. Yours. */
json_t *counting_document(struct counting *c, const char *index, const char *id);

/* Its number at a path ("_source.count"); fails the test where it is another. */
void counting_number_is(struct counting *c, const char *index, const char *id, const char *path, int64_t number);

/* Runs crier with the configuration, NULL-ended words, and wants it to end well; what it says, yours. */
char *counting_crier(struct counting *c, const char *const words[]);

/* Forgets keys of Redis, as time would. */
void counting_forget(struct counting *c, const char *pattern);

#endif
