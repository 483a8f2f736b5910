/*
 * handlers/archive/archive_keep.h - the files of an archive over time: days that are over are sealed, those that were
 * kept long enough are removed.
 *
 * Safe at any moment against a kill: an open file goes only once the sealed one and its digest are on disk, and what
 * was begun is begun anew. Several processes may be at it in one folder: an open file is locked by whoever seals it.
 */
#ifndef HANDLERS_ARCHIVE_ARCHIVE_KEEP_H
#define HANDLERS_ARCHIVE_ARCHIVE_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/stop.h"

struct archive_keeping {
    const char *folder, *handler;
    bool pack;
    int64_t retain_ms; /* after the end of their day, files of the handler go; 0: never */
};

/* One pass as of now_us. Days of all handlers are sealed, also of one that is no longer configured. False: the first
 * trouble; the other files are done all the same. */
bool archive_keep(const struct archive_keeping *k, int64_t now_us, struct stop *stop, struct error *err) must_check;

/* The same by a thread, at once and then every minute. */
struct archive_keeper;

struct archive_keeper *archive_keeper_start(const struct archive_keeping *k); /* lent */
void archive_keeper_stop(struct archive_keeper *k);                           /* NULL is fine */

#endif
