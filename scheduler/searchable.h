/* scheduler/searchable.h - makes what handlers wrote searchable, for those who wait for it. */
#ifndef SCHEDULER_SEARCHABLE_H
#define SCHEDULER_SEARCHABLE_H

#include "config/settings.h"
#include "notifier/operation/searchable.h"

/* Its context is yours to give to searchable_close. */
struct searchable searchable_open(const struct settings *s);
void searchable_close(struct searchable *r); /* where it was never opened, fine */

/* For one operation; each request of it may take most_ms. */
bool searchable_once(const struct settings *s, const char *const *handlers, size_t count, int64_t most_ms,
                     struct error *err) must_check;

#endif
