/* handlers/source/source_url.h - addresses with {placeholders}, of one document or of a page of a list. */
#ifndef HANDLERS_SOURCE_SOURCE_URL_H
#define HANDLERS_SOURCE_SOURCE_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

struct source_url_values {
    struct span id, after;
    int64_t page;
    size_t size;
    int64_t since_us;
};

/* key: of the ini file, for the text. known: names of placeholders that may stand there, separated by spaces. */
bool source_url_check(const char *key, const char *url, const char *known, struct error *err);

bool source_url_has(const char *url, const char *name);

/* Every value percent-encoded, but for after: that is encoded already. */
void source_url_add(const char *url, const struct source_url_values *values, struct buf *out);

/*
 * The address a link leads to, at the same host as url whatever host the link names: what a platform behind a proxy
 * calls itself is not where it was asked, and our token goes nowhere else. False: it is no link.
 */
bool source_url_follow(const char *url, struct span link, struct buf *out);

#endif
