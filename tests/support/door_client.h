/*
 * tests/support/door_client.h - a door with a Redis behind it, and a client before it, as the tests of the door share
 * them.
 */
#ifndef TESTS_SUPPORT_DOOR_CLIENT_H
#define TESTS_SUPPORT_DOOR_CLIENT_H

#include <curl/curl.h>
#include <jansson.h>

#include "base/buf.h"
#include "notifier/door.h"
#include "support/scene.h"

#define STRUCTURED "Content-Type: application/cloudevents+json"
#define BATCH      "Content-Type: application/cloudevents-batch+json"
#define JSON       "Content-Type: application/json"
#define LINES      "Content-Type: application/x-ndjson"
#define EVENT(id)                                                                                                      \
    "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"user.updated\","                          \
    "\"subject\":\"users/1\",\"data\":{\"n\":\"" id "\"}}"

struct door_client {
    struct scene *scene;
    struct door *door;
    CURL *curl;
    const char *from;         /* address of this machine that it asks from; NULL: a loopback address */
    long status, retry_after; /* of the last answer, as all that follows; -1: no Retry-After */
    char allow[80];
    struct buf body;
    json_t *json; /* the body, where it is JSON */
};

/*
 * Setup and teardown of a test. The door takes events of 4 KiB, bodies of 64 KiB, 100 events at a time, 16 levels deep,
 * and has a page /hello. Queues: statistics (record-view, prepared and counted; record-plain) and changes (user.*).
 */
int client_door_open(void **state);

/* The same with more lines for [http]. */
int client_door_open_with(void **state, const char *lines);
int client_door_close(void **state);

/* headers end with NULL. Fails the test where no answer comes; returns its status. */
long client_request(struct door_client *c, const char *method, const char *path, const char *const headers[],
                    const char *bytes, size_t length);
long client_post(struct door_client *c, const char *type, const char *text);

/* Of the only event, or of the i-th of several; "none" where the answer has no such thing. */
const char *client_outcome(const struct door_client *c, size_t i);
const char *client_reason(const struct door_client *c, size_t i);

int64_t client_stream_length(struct door_client *c, const char *queue);

/* A field of the only entry of a queue's stream; NULL: it has no such field. */
const char *client_field(struct door_client *c, const char *queue, const char *name);

#endif
