/*
 * notifier/lines.h - the lines of a file one by one, blank ones left aside; of a line that is too long only its number
 * is kept, so that no file can fill the memory.
 */
#ifndef NOTIFIER_LINES_H
#define NOTIFIER_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

struct lines {
    int fd;
    size_t most;   /* bytes of a line */
    size_t number; /* of the line last given */
    struct buf kept;
    size_t start; /* of what is not given yet, in kept */
    bool skipping, ended;
};

enum line_kind { LINE_TEXT, LINE_TOO_LONG, LINE_END, LINE_FAILED };

void lines_start(struct lines *l, int fd, size_t most);
void lines_release(struct lines *l);

/* The next line without its end, lent until the next call. FAILED: ERROR_INPUT with the system's word. */
enum line_kind lines_next(struct lines *l, struct span *line, struct error *err) must_check;

/* What is wrong with an event that is one line of its own: the parser's "line 1" says nothing and goes. */
const char *line_reason(const char *reason);

#endif
