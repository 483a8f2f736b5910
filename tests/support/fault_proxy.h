/*
 * tests/support/fault_proxy.h - stands between crier and OpenSearch on 127.0.0.1, and does what servers do on bad days.
 *
 * What goes wrong is set by the test at any time and holds from the next request on. Requests with packed (gzip) bodies
 * are forwarded with their items as they are.
 */
#ifndef TESTS_SUPPORT_FAULT_PROXY_H
#define TESTS_SUPPORT_FAULT_PROXY_H

#include <stdbool.h>
#include <stddef.h>

enum fault_link {
    FAULT_LINK_NONE,
    FAULT_RESET_BEFORE,  /* the connection is reset, and nothing forwarded */
    FAULT_RESET_AFTER,   /* forwarded, and reset instead of a reply: carried out, unknown to the sender */
    FAULT_CUT_REPLY,     /* forwarded; half of the reply, then closed */
    FAULT_CUT_ITEM_LIST, /* forwarded; half of the reply's bytes, as if they were all */
    FAULT_ITEM_MISSING,  /* forwarded; the reply lacks its last item */
    FAULT_HANG,          /* neither forwarded nor answered until the fault changes; then closed */
};

struct fault {
    const char *path_with; /* only requests whose path holds this text; NULL: all */
    size_t longer_than;    /* only requests with a longer body */
    int times;             /* how many requests it lasts for; 0: until the next fault_proxy_set */

    int status;        /* the answer, without forwarding; 0: forwarded */
    const char *body;  /* of that answer; NULL: an error object as OpenSearch writes it */
    int retry_after_s; /* with it; 0: not said */

    int item_status;          /* 429, 503 or 403 as the outcome of some items of a bulk, which are not forwarded */
    int item_every;           /* these: every n-th (1: all) */
    const char *item_id_with; /* or those whose _id holds this text */

    enum fault_link link;

    void (*meanwhile)(void *context); /* called before the request is forwarded; NULL: nothing */
    void *context;
};

struct fault_proxy;

struct fault_proxy *fault_proxy_start(int to_port);
void fault_proxy_free(struct fault_proxy *p); /* NULL is fine */
const char *fault_proxy_url(const struct fault_proxy *p);

/* The texts are lent until the next call. NULL: nothing goes wrong. */
void fault_proxy_set(struct fault_proxy *p, const struct fault *f);

/* Down, it refuses connections and has cut those there were; up again on the same port. */
void fault_proxy_down(struct fault_proxy *p);
void fault_proxy_up(struct fault_proxy *p);

/* Since the start or the last fault_proxy_forget. */
struct fault_counts {
    long requests; /* that came */
    long requests_forwarded;
    long requests_hung; /* FAULT_HANG */
    long items_forwarded;
    long items_faked;
};
struct fault_counts fault_proxy_counts(struct fault_proxy *p);
void fault_proxy_forget(struct fault_proxy *p);

#endif
