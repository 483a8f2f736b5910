/* handlers/report/report_month.h - calendar months in UTC, as reports name them; a month is the number year * 12 +
 * month - 1.
 */
#ifndef HANDLERS_REPORT_REPORT_MONTH_H
#define HANDLERS_REPORT_REPORT_MONTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"

enum { MONTH_TEXT_BYTES = 8, MONTH_TITLE_BYTES = 9, DAY_TEXT_BYTES = 11 };

/* "2026-10". */
bool month_parse(const char *text, int *month, struct error *err) must_check;
int month_of(int64_t time_us);
int64_t month_start_us(int month);

/* Each returns out. */
const char *month_text(int month, char out[MONTH_TEXT_BYTES]);    /* "2026-10" */
const char *month_title(int month, char out[MONTH_TITLE_BYTES]);  /* "Oct-2026" */
const char *month_first_day(int month, char out[DAY_TEXT_BYTES]); /* "2026-10-01" */
const char *month_last_day(int month, char out[DAY_TEXT_BYTES]);  /* "2026-10-31" */
const char *day_text(int64_t time_us, char out[DAY_TEXT_BYTES]);

#endif
