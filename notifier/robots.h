/*
 * notifier/robots.h - a list of patterns of user agents (COUNTER robots, machines), and which user agents it names.
 *
 * The file has one regular expression a line; before the first one, lines that start with "# " (or are "#") are
 * comments. A user agent is named where one of them is found in it, without regard to case. What was decided is
 * remembered by hashes alone, in a table of fixed size. One thread at a time.
 */
#ifndef NOTIFIER_ROBOTS_H
#define NOTIFIER_ROBOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"

struct robots;

/* All that read one file share its compiled form. NULL: ERROR_CONFIG, with file and line. */
struct robots *robots_new(const char *path, struct error *err) must_check;
void robots_free(struct robots *r);

/* UTF-8; what lies beyond 4 KiB is not looked at. */
bool robots_name(struct robots *r, const char *user_agent, size_t length);

#endif
