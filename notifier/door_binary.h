/* notifier/door_binary.h - CloudEvents in HTTP's binary mode: attributes in headers that begin with ce-. */
#ifndef NOTIFIER_DOOR_BINARY_H
#define NOTIFIER_DOOR_BINARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "notifier/event.h"

struct header {
    const char *name, *value;
};

/* Fills e from the ce- headers and Content-Type; others must not be among them. ERROR_INPUT names the attribute. */
bool binary_read(struct event *e, const struct header *headers, size_t count, struct arena *arena,
                 struct error *err) must_check;

#endif
