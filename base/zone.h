/*
 * base/zone.h - what the clocks of a place show: a zone of the system's tz database (TZif files, RFC 8536).
 *
 * Constant once read, so that any number of threads may share it; the environment's TZ plays no part.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"

struct zone;

/* name: "Europe/Berlin", a file below the folder. NULL: ERROR_CONFIG, with the package to install where all are gone.
 */
struct zone *zone_new(const char *folder, const char *name, struct error *err) must_check;
void zone_free(struct zone *z); /* NULL is fine */

/* Seconds east of UTC at a moment. */
int32_t zone_offset_s(const struct zone *z, int64_t utc_s);

/* The first moment at which the clocks show a local time, or, where they skip it, the moment of the change. */
int64_t zone_utc_s(const struct zone *z, int64_t local_s);

#endif
