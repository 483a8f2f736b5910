/* tests/support/fault_items.h - takes chosen items out of a bulk's body, and puts made-up outcomes into its reply. */
#ifndef TESTS_SUPPORT_FAULT_ITEMS_H
#define TESTS_SUPPORT_FAULT_ITEMS_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "support/fault_proxy.h"

struct fault_items {
    json_t *outcomes; /* an array: the made-up outcome of each item, or null for one that was kept */
    struct buf body;  /* the items that were kept */
    long kept, taken;
};

/* *seen counts items from bulk to bulk, for item_every. */
void fault_items_take(struct fault_items *f, const struct fault *fault, const char *body, size_t length, long *seen);
void fault_items_release(struct fault_items *f);

/* The reply for all items, from the one for those that were kept ("" where none was). */
void fault_items_merge(const struct fault_items *f, const char *reply, size_t length, struct buf *out);

/* A reply without its last item. */
void fault_items_drop_last(const char *reply, size_t length, struct buf *out);

#endif
