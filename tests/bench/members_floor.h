/* tests/bench/members_floor.h - the least that changing members can cost: search pages and bulks, over two connections.
 */
#ifndef BENCH_MEMBERS_FLOOR_H
#define BENCH_MEMBERS_FLOOR_H

#include <jansson.h>

#include "config/settings.h"

/* Seconds for all documents of a query, or of a user; they are searchable after it. */
double members_floor(const struct settings *s, const json_t *query);
double members_floor_of(const struct settings *s, const char *user);

#endif
