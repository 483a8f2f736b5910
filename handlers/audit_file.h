/*
 * handlers/audit_file.h - the append-only audit file: one JSON line per entry, mode 0600, on disk before it counts.
 *
 * An entry that comes again after a crash is recognised by its id among the newest lines and not written twice. A line
 * torn by a crash was never acknowledged: it is cut off, and comes again whole. Several processes may share a file:
 * each flush first reads what the others wrote. A file that was moved away is made anew by the next flush.
 */
#ifndef HANDLERS_AUDIT_FILE_H
#define HANDLERS_AUDIT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"

struct audit_file;

struct audit_file *audit_file_open(const char *path, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void audit_file_close(struct audit_file *f);                                        /* NULL is fine */

/* Collects an entry (one line, no line feed) under its id, unless it is there already. */
void audit_file_add(struct audit_file *f, struct span id, const char *line, size_t length);

/* Writes what was collected and waits for the disk. False (ERROR_AGAIN): nothing of it counts, all can come again. */
bool audit_file_flush(struct audit_file *f, struct error *err) must_check;

#endif
