/*
 * handlers/tombstone.h - what was deleted, and at which version: OpenSearch forgets it after a minute
 * (index.gc_deletes), and an older event would bring it back.
 *
 * A tombstone {index, id, version} is kept in Redis, in the queue's slot, as long as an older event may still come; it
 * goes by itself then. A document must not be written at its version or a lower one.
 *
 * Two processes may be at one document, so each does things in this order:
 *   to delete at v: raise the tombstone to v, then delete in the index at v, then acknowledge.
 *   to write at v:  read the tombstone; at v or above it, delete in the index at the tombstone's version instead. Else
 *                   write at v, then read it again: by then at v or above it, delete at its version. Then acknowledge.
 * Deletes go through over the same version (external_gte), so that each can be repeated.
 *
 * That an older write cannot outlive a deletion: the tombstone is there before the index is touched. A write that saw
 * none read before it was raised. If it reaches the index before the deletion does, it is deleted; if after, either
 * OpenSearch still knows the deletion and refuses it, or it is written, and the second reading, which comes later than
 * the write, finds the tombstone and deletes again. A process killed between the write and the second reading has not
 * acknowledged: its event comes again, is found older than the tombstone, and deletes. That is why an event that is too
 * old deletes and does not merely do nothing. What remains open: a process that stands still between its first reading
 * and its request for longer than its deadline and than OpenSearch remembers, so that another finishes its event, and
 * is killed between the write and the second reading.
 *
 * A source that does not have a document may be behind, or have lost its database for a moment. Such a tombstone is
 * `silent`: where a source gives the document at the very version, it is removed, unless it was raised meanwhile, and
 * the document is written as if there had been none. One who asked before the document went, and comes to the tombstone
 * after, puts it back as well; that is what reconcile finds.
 *
 * A tombstone below a version that was written is of no more use, as the document itself refuses what is older, and is
 * removed; never one that was raised to that version or above meanwhile.
 */
#ifndef HANDLERS_TOMBSTONE_H
#define HANDLERS_TOMBSTONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "base/text.h"

enum { TOMBSTONE_NONE = -1 };

struct tombstone {
    const char *index; /* as it is written to: the name or alias, without the prefix */
    struct span id;
    int64_t version;
    bool silent; /* nobody said that it was deleted: a source only did not have it; below one that was told, at a
                    version */
};

/* The version of each, TOMBSTONE_NONE where there is none. */
bool tombstones_read(struct redis *r, const char *queue, struct tombstone *items, size_t count, struct arena *arena,
                     struct error *err) must_check;

/* Each to its version at least, and kept so long from now on; the version that is there then is put in. */
bool tombstones_raise(struct redis *r, const char *queue, struct tombstone *items, size_t count, int64_t keep_ms,
                      struct arena *arena, struct error *err) must_check;

/* Removes those that are still below what is given. */
bool tombstones_remove(struct redis *r, const char *queue, const struct tombstone *items, size_t count,
                       struct arena *arena, struct error *err) must_check;

#endif
