/* handlers/repair/archive_manifest.h - manifest.json of an export: which files there are, and what each must be. */
#ifndef HANDLERS_REPAIR_ARCHIVE_MANIFEST_H
#define HANDLERS_REPAIR_ARCHIVE_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/packed.h"

/* NULL with err->kind ERROR_NONE: there is none. Every member that an import uses is there and of its type. */
json_t *manifest_read(const char *folder, struct error *err) must_check;
bool manifest_write(const char *folder, json_t *manifest, struct error *err) must_check;

const json_t *manifest_files(const json_t *manifest);
const json_t *manifest_file_of(const json_t *manifest, const char *index); /* NULL: none */

/* FOLDER/FILE of a row of the manifest. */
void manifest_add_path(const char *folder, const json_t *file, struct buf *out);

/* The file against its size and digest. ERROR_INPUT: it is another. */
bool manifest_check_file(const char *folder, const json_t *file, struct error *err) must_check;

/* What a file turned out to be, as members of its row. */
void manifest_set_sums(json_t *file, const struct packed_sums *sums);

#endif
