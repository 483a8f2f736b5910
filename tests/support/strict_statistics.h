/* tests/support/strict_statistics.h - statistics whose fields are named, and what is aggregated by day and by month. */
#ifndef TESTS_SUPPORT_STRICT_STATISTICS_H
#define TESTS_SUPPORT_STRICT_STATISTICS_H

extern const char strict_statistics_ini[];

/* For cmocka: the state is its scene. */
int strict_statistics_setup(void **state);

#endif
