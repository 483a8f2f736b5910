/*
 * handlers/delivery/delivery_round.h - settles and claims of many owners in one round trip to Redis.
 *
 * All stores share one link.
 */
#ifndef HANDLERS_DELIVERY_DELIVERY_ROUND_H
#define HANDLERS_DELIVERY_DELIVERY_ROUND_H

#include "handlers/delivery/delivery_store.h"

struct delivery_move {
    struct delivery_store *store;
    struct arena *arena;                    /* for what is read */
    const struct delivery_attempt *attempt; /* settles the claim by it; NULL: claims what is due longest into it */
    struct delivery_claim *claim;
    int64_t hold_us;          /* of a claim */
    int64_t failing_since_us; /* after a settle, as delivery_store_settle says it */
    bool ok;                  /* or why not: */
    struct error err;
};

/* In this order. False, with ERROR_AGAIN: the link failed; any of them may have been done or not. */
bool delivery_round(struct redis *r, struct delivery_move *moves, size_t count, int64_t now_us,
                    struct error *err) must_check;

#endif
