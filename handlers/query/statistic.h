/*
 * handlers/query/statistic.h - one [query] section: what a request asks for becomes a search, and its answer the
 * result, both in the shapes that invenio-stats gave them.
 *
 * Constant once made: several threads may use it at a time.
 */
#ifndef HANDLERS_QUERY_STATISTIC_H
#define HANDLERS_QUERY_STATISTIC_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/query/moment.h"

struct statistic;

struct statistic *statistic_new(const struct query_settings *q, struct error *err); /* NULL: ERROR_CONFIG */
void statistic_free(struct statistic *s);                                           /* NULL is fine */
const char *statistic_name(const struct statistic *s);
const char *statistic_index(const struct statistic *s); /* without the prefix */

/* For config_whole: whether a struct query_settings makes one. */
bool statistic_check(const void *query_settings, struct error *err);

/* The parameters of one request, checked. */
struct asked {
    const json_t *params; /* an object; NULL: none. Borrowed */
    const char *interval; /* of a histogram; borrowed from params */
    bool has_start, has_end;
    struct moment start, end;
};

/* False (ERROR_INPUT): names the parameter that is missing or wrong. */
bool statistic_ask(const struct statistic *s, const json_t *params, struct asked *out, struct error *err) must_check;

/* The body of the search; yours. */
json_t *statistic_search(const struct statistic *s, const struct asked *a);

/* The result from the search's answer; yours. NULL (ERROR_AGAIN): it is no such answer. */
json_t *statistic_result(const struct statistic *s, const struct asked *a, const json_t *answer,
                         struct error *err) must_check;

/* The result where there is no index yet; yours. */
json_t *statistic_zeros(const struct statistic *s);

#endif
