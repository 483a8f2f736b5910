/* notifier/preview.h - downloads that nobody asked for: those a file's own preview page makes to show it. */
#ifndef NOTIFIER_PREVIEW_H
#define NOTIFIER_PREVIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/*
 * Whether data.referrer is the preview page of the file: its path, percent-decoded, ends in
 * /records/<data.recid>/preview/<data.file_key>; query and fragment (?preview=1 of a draft) make no difference.
 */
bool preview_made_it(const json_t *data, struct buf *scratch);

#endif
