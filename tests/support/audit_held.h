/* tests/support/audit_held.h - an audit in a file and in indices holds, whatever died meanwhile. */
#ifndef TESTS_SUPPORT_AUDIT_HELD_H
#define TESTS_SUPPORT_AUDIT_HELD_H

#include <stdint.h>

#include "support/scene.h"

/*
 * Each of so many changes has one line of its own in the file at path, and one document in the indices "audit-..."; and
 * the lines hold together. What the service says of itself is not counted. direct: how OpenSearch is reached.
 */
void audit_held_check(const struct scene *s, const struct settings *direct, const char *path, int64_t changes);

#endif
