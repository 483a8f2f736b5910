/*
 * notifier/country.h - the country an IP address is in, by a MaxMind database.
 *
 * The file is read anew when it is replaced. One thread at a time.
 */
#ifndef NOTIFIER_COUNTRY_H
#define NOTIFIER_COUNTRY_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"

enum { COUNTRY_TEXT_BYTES = 3 };

struct country;

struct country *country_new(const char *path, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void country_free(struct country *c);

/* ISO 3166-1 code ("CH"). False: no address, a private one, or one that the database does not know. */
bool country_of(struct country *c, const char *address, char out[COUNTRY_TEXT_BYTES]);

#endif
