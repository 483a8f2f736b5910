/*
 * handlers/audit/audit_file.h - the audit file of [audit]: a line for each entry, each linked to the one before
 * (handlers/audit/audit_chain.h), moved to FILE.PLACE where it is full. Several processes may write to it.
 *
 * Where the file is not as its head says, entries are still taken: the chain then has a gap that stays.
 */
#ifndef HANDLERS_AUDIT_AUDIT_FILE_H
#define HANDLERS_AUDIT_AUDIT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"
#include "config/settings.h"

#define AUDIT_ENTRY_START "{\"id\":\"" /* how every entry begins */

struct audit_file;

struct audit_file *audit_file_open(const struct audit_settings *s, struct error *err) must_check; /* NULL: CONFIG */
void audit_file_close(struct audit_file *f);                                                      /* NULL is fine */

/* Collects an entry, a JSON object that begins with its id, unless it is there already. */
void audit_file_add(struct audit_file *f, struct span entry);

/* As line_file_flush. */
bool audit_file_flush(struct audit_file *f, struct error *err) must_check;

/* The files that were moved away, in their order, and the file itself where it is there: paths, yours to free. */
char **audit_files_list(const char *file, size_t *count, struct error *err) must_check;
void audit_files_free(char **files, size_t count);

#endif
