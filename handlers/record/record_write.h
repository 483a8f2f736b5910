/* handlers/record/record_write.h - documents written and deleted, under the rule of handlers/tombstone.h. */
#ifndef HANDLERS_RECORD_RECORD_WRITE_H
#define HANDLERS_RECORD_RECORD_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "handlers/handler.h"
#include "handlers/record/record_batch.h"

/*
 * Does what each of the documents says whose newest event has no outcome yet, and gives it one. False: OpenSearch or
 * Redis is away; some may have one.
 */
bool record_write(struct handler *h, struct bulk *bulk, struct records *r, struct record *items, size_t count,
                  struct error *err) must_check;

#endif
