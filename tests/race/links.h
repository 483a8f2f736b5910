/*
 * tests/race/links.h - where the production code's requests, commands and looks at the clock pass through the test.
 *
 * The linker puts these in place of base/http.h's, base/redis.h's and base/clock.h's functions (--wrap): every request
 * of an actor stops there (race/actor.h). What is no actor's passes through. A thread that an actor starts is run by
 * the actor when it is waited for, so that its requests stop, too.
 */
#ifndef TESTS_RACE_LINKS_H
#define TESTS_RACE_LINKS_H

#include <stdint.h>

#include "base/http.h"
#include "base/redis.h"

/* Who answers HTTP requests; path is the URL without scheme and host. Fills status and body. */
typedef void links_server(void *context, const struct http_request *request, const char *path,
                          struct http_reply *reply);
void links_answer_with(links_server *server, void *context); /* NULL: the server that the URL names */

/* Told of each request that was carried out, with its reply. */
typedef void links_observer(void *context, const struct http_request *request, const char *path,
                            const struct http_reply *reply);
void links_tell(links_observer *observer, void *context); /* NULL: nobody */

/* Both clocks stand at this time; 0: they run again. */
void links_set_time(int64_t now_us);
int64_t links_time(void); /* 0: they run */

/* Scripts that ask Redis for the time are told the one kept there by this; and whether any asked so far. */
void links_keep_time(struct redis *r);
bool links_time_is_asked(void);

#endif
