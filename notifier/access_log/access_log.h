/*
 * notifier/access_log/access_log.h - a log at hand: opened, and put where its import stopped the last time.
 */
#ifndef NOTIFIER_ACCESS_LOG_ACCESS_LOG_H
#define NOTIFIER_ACCESS_LOG_ACCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "notifier/access_log/access_log_file.h"
#include "notifier/access_log/access_log_line.h"
#include "notifier/access_log/access_log_past.h"

/* All zero but for the path: not open. */
struct access_log {
    const char *path; /* lent; "-": standard input */
    struct access_file *file;
    int64_t first_us; /* the time of its first line that has one; 0: none */
    struct past past; /* how much of it is done */
};

/* From its beginning, whatever of it was open before. ERROR_INPUT, which names it. */
bool access_log_open(struct access_log *l, const struct access_form *form, struct error *err) must_check;
void access_log_close(struct access_log *l);

/* Goes on behind what was imported before: the most of the content that any of the pasts knows. ERROR_INPUT. */
bool access_log_resume(struct access_log *l, const struct access_form *form, const struct past *pasts, size_t count,
                       struct error *err) must_check;

bool access_log_is_standard_input(const struct access_log *l); /* which cannot be read from its beginning again */

#endif
