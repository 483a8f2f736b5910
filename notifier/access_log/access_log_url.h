/*
 * notifier/access_log/access_log_url.h - which lines of an access log are events, and what is in them: the [url]
 * sections.
 *
 * The first section, in the order of the file, that takes the method and status of a line and whose pattern is found in
 * its path and query makes it an event. Its data has the pattern's named groups, decoded as parts of a path, and the
 * fields of `data`: FIELD=VALUE, where {name} stands for a named group or for method, path, status, bytes or referrer.
 * {status} or {bytes} alone is a number; so is a value in digits, and true and false are what they say. A field that
 * needs what the line has not is left out.
 */
#ifndef NOTIFIER_ACCESS_LOG_ACCESS_LOG_URL_H
#define NOTIFIER_ACCESS_LOG_ACCESS_LOG_URL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "notifier/access_log/access_log_line.h"

bool access_url_pattern_check(const char *pattern, struct error *err); /* for configuration rows, as the next two */
bool access_url_methods_check(const char *methods, struct error *err);
bool access_url_status_check(const char *status, struct error *err);
bool access_url_check(const void *url_settings, struct error *err); /* for the whole section */

struct access_urls;
struct access_url;

struct access_urls *access_urls_new(const struct settings *s, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void access_urls_free(struct access_urls *u);

/* The section that makes the line an event; NULL: none. What was found is remembered for the next call. */
const struct access_url *access_urls_find(struct access_urls *u, const struct access_line *line);

const char *access_url_event(const struct access_url *url); /* the type */

/* The data of the line found last, as the platform would send it; personal: with who it was. Yours. */
json_t *access_urls_data(struct access_urls *u, const struct access_url *url, const struct access_line *line,
                         bool personal);

#endif
