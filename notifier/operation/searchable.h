/* notifier/operation/searchable.h - that what the handlers of operations wrote can be searched; the layers above do it.
 */
#ifndef NOTIFIER_OPERATION_SEARCHABLE_H
#define NOTIFIER_OPERATION_SEARCHABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

/* Makes what those handlers wrote searchable: refreshes their indices. */
struct searchable {
    bool (*make)(void *context, const char *const *handlers, size_t count, struct error *err);
    void *context;
};

/* To an object, as members, the handlers of an operation, of which operation_show wrote. */
void searchable_add_handlers(json_t *names, const struct buf *operation);

/* What the handlers of those names wrote until now. */
bool searchable_make(const struct searchable *s, json_t *names, struct error *err) must_check;

#endif
