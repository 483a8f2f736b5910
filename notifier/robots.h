/*
 * notifier/robots.h - a list of patterns of user agents (COUNTER robots, machines), and which user agents it names.
 *
 * The file has one regular expression a line; before the first one, lines that start with "# " (or are "#") are
 * comments. A user agent is named where one of them is found in it. One thread at a time.
 */
#ifndef NOTIFIER_ROBOTS_H
#define NOTIFIER_ROBOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"

enum robots_case { ROBOTS_ANY_CASE, ROBOTS_THIS_CASE };

struct robots;

/* All that read one file in one way share its compiled form. NULL: ERROR_CONFIG, with file and line. */
struct robots *robots_new(const char *path, enum robots_case how, struct error *err) must_check;
void robots_free(struct robots *r);

/* UTF-8; what lies beyond 4 KiB is not looked at. */
bool robots_name(struct robots *r, const char *user_agent, size_t length);

/* The same, and what in it is named first: lent by user_agent. */
bool robots_find(struct robots *r, const char *user_agent, size_t length, struct span *found);

/* Reads a file that was replaced, as shared_file_renew has it. True: it may name others now. */
bool robots_renew(struct robots *r);

/* Tells one content of the list from another: hexadecimal digits of a digest of the file. Lent until robots_renew. */
const char *robots_version(const struct robots *r);

#endif
