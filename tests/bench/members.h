/*
 * tests/bench/members.h - an index of small documents, the members of communities, each with a copy of its user. What
 * goes wrong ends the program.
 */
#ifndef BENCH_MEMBERS_H
#define BENCH_MEMBERS_H

#include <stdint.h>

#include "config/settings.h"
#include "indexer/bulk.h"

enum { MEMBERS_BULK_BYTES = 8 * 1024 * 1024 };

/* Anew: total documents, of users in turn, as a platform writes them at its own version. */
void members_load(const struct settings *s, int64_t total, int64_t users);

/* The same, where user 0 has total documents, and each of fifty others a thousandth of that. */
void members_load_mass(const struct settings *s, int64_t total);

void members_refresh(const struct settings *s);
void members_remove(const struct settings *s);

int64_t members_count_at(const struct settings *s, const char *user, int64_t revision); /* of the copy; refreshes */
int64_t members_writes(const struct settings *s); /* to the index, since it was made */

void members_send(struct bulk *b); /* all of it has to be written */

#endif
