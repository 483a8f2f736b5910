/*
 * handlers/line_file.h - an append-only file of lines, shared by processes: mode 0600, on disk before a line counts.
 *
 * A line that comes again after a crash is recognised by its key among the newest lines and not written twice. A line
 * torn by a crash was never acknowledged: it is cut off, and comes again whole. Several processes may share a file:
 * each flush first reads what the others wrote. A file that was moved away is made anew by the next flush.
 */
#ifndef HANDLERS_LINE_FILE_H
#define HANDLERS_LINE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

/* What the lines are. A file that ends in anything else was named by mistake, and is not ours to cut. */
struct line_file_form {
    const char *what;  /* "audit file" */
    const char *start; /* how every line begins */
    size_t line_most;  /* bytes: a longer one is none of ours */

    /* By what a line is known again, lent by the line; length 0: by nothing. */
    struct span (*key)(struct span line);
};

/*
 * What more is done with a file, all of it under its lock. A file may be another than before at any time: start says
 * so, and what is in it comes again.
 */
struct line_file_ways {
    void (*start)(void *context);
    void (*last)(void *context, struct span line); /* the newest that is there, or its end */

    /* Before lines are added to a file that ends there. */
    bool (*take)(void *context, int fd, off_t end, struct error *err);

    /* Whether a file that is not empty has to make room for a new one first, and where it goes. */
    bool (*full)(void *context, const struct stat *status, struct buf *moved);
    void (*add)(void *context, struct span line, struct buf *out); /* as it is to stand there, without line feed */
    bool (*written)(void *context, struct error *err);             /* what was added is on disk; also nothing may be */
};

struct line_file;

/* NULL: ERROR_CONFIG. */
struct line_file *line_file_open(const char *path, const struct line_file_form *form, struct error *err) must_check;
void line_file_close(struct line_file *f); /* NULL is fine */

/* Before the first line is added: the context is the caller's, for as long as the file is open. */
void line_file_use(struct line_file *f, const struct line_file_ways *ways, void *context);

/* Collects a line, without line feed, unless it is there already. */
void line_file_add(struct line_file *f, const char *line, size_t length);

/* Writes what was collected and waits for the disk. False (ERROR_AGAIN): nothing of it counts, all can come again. */
bool line_file_flush(struct line_file *f, struct error *err) must_check;

#endif
