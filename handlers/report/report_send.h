/*
 * handlers/report/report_send.h - a report on its way to the hub that [report] hub_url names, as DataCite's takes them.
 *
 * The first time it is posted; the id the hub gives it is kept in Redis under crier:{report}:<kind>:<month>, and from
 * then on the report is put in place of the one that is there. One larger than the hub takes at a time goes in parts,
 * compressed: the first in place of all, the others posted behind it. What may have been taken by halves is begun anew.
 */
#ifndef HANDLERS_REPORT_REPORT_SEND_H
#define HANDLERS_REPORT_REPORT_SEND_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/redis.h"
#include "handlers/report/report.h"

struct send_options {
    size_t datasets_most; /* in one part; 0: the hub's own limit */
    int64_t wait_ms;      /* before the first try after one that failed; 0: one second */
};

/*
 * True: the hub has all of it; id is the hub's name for it, "" where it told none. False: ERROR_AGAIN after several
 * tries, ERROR_INPUT with the hub's own words where it refuses.
 */
bool report_send(const struct report *r, struct redis *redis, const struct send_options *o, struct buf *id,
                 struct error *err) must_check;

#endif
