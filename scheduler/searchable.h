/* scheduler/searchable.h - makes what handlers wrote searchable, for those who wait for it. */
#ifndef SCHEDULER_SEARCHABLE_H
#define SCHEDULER_SEARCHABLE_H

#include "config/settings.h"
#include "notifier/operation/operation_waits.h"

/* Its context is yours to give to searchable_close. */
struct searchable searchable_open(const struct settings *s);
void searchable_close(struct searchable *r); /* where it was never opened, fine */

#endif
