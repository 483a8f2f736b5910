/*
 * notifier/access_log/access_log_line.h - one line of a web server's access log, taken apart where it stands.
 *
 * The form is "combined" or a pattern of literal text and fields: {address} {user} {time} {request} {method} {path}
 * {status} {bytes} {referrer} {user_agent}, and {-} for what is not looked at; {-} as the last field takes the rest of
 * the line. A field ends where the text after it begins; in quotes a backslash keeps the next character in it.
 */
#ifndef NOTIFIER_ACCESS_LOG_ACCESS_LOG_LINE_H
#define NOTIFIER_ACCESS_LOG_ACCESS_LOG_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"

enum { ACCESS_LINE_BYTES_MOST = 64 * 1024, ACCESS_BYTES_NONE = -1 };

/* Spans lie in the line, as they are written there; length 0: none, or "-". */
struct access_line {
    struct span address, user;
    struct span method, path; /* path with its query; both empty where the request is none of HTTP */
    struct span referrer, user_agent;
    int64_t time_us;
    int64_t bytes; /* ACCESS_BYTES_NONE: not told */
    int status;
};

struct access_form;

struct access_form *access_form_new(const char *pattern, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void access_form_free(struct access_form *f);
bool access_form_check(const char *pattern, struct error *err); /* for configuration rows */

/* Without its end of line. False: it is not of the form. */
bool access_line_read(const struct access_form *f, struct span line, struct access_line *out);

#endif
