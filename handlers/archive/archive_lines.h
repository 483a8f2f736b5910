/* handlers/archive/archive_lines.h - the lines of a file, whether it is packed (gzip) or not, one by one. */
#ifndef HANDLERS_ARCHIVE_ARCHIVE_LINES_H
#define HANDLERS_ARCHIVE_ARCHIVE_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"

struct archive_lines;

/* path "-": standard input. NULL: ERROR_INPUT, which names it. */
struct archive_lines *archive_lines_open(const char *path, struct error *err) must_check;
void archive_lines_close(struct archive_lines *l); /* NULL is fine */

/* The next line that is not blank, lent until the next call, and its number; *ended after the last. A line that is too
 * long comes with length 0. ERROR_INPUT names the file: it is damaged. */
bool archive_lines_next(struct archive_lines *l, struct span *line, int64_t *number, bool *ended,
                        struct error *err) must_check;

#endif
