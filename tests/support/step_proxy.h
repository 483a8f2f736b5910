/*
 * tests/support/step_proxy.h - stands between a client and a server of 127.0.0.1, and stops the world at a message.
 *
 * What a peer sends at once is a message, whoever it is. The one that is chosen goes no further: in its place the
 * victim gets SIGKILL, and the link it came by is closed. So a request that is held was never seen by the server, and a
 * reply that is held is of something the server did and the client does not know.
 */
#ifndef TESTS_SUPPORT_STEP_PROXY_H
#define TESTS_SUPPORT_STEP_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct step_proxy;

struct step_proxy *step_proxy_start(int to_port);
void step_proxy_free(struct step_proxy *p); /* NULL is fine */
int step_proxy_port(const struct step_proxy *p);

/*
 * The number-th message from now on (1: the next) kills the process victim. words: NULL, or a list that ends with NULL,
 * of which a request must hold one to count; its replies count too.
 */
void step_proxy_arm(struct step_proxy *p, int64_t number, const char *const words[], int victim);

/* From now on no message kills. True: one did. */
bool step_proxy_disarm(struct step_proxy *p);

/* Whether that has happened; what was the message then, for people. */
bool step_proxy_struck(struct step_proxy *p);
const char *step_proxy_message(struct step_proxy *p);

#endif
