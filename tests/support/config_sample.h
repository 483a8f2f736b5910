/* tests/support/config_sample.h - configurations as text, for handlers, a rule and a profile that are there for tests.
 */
#ifndef TESTS_SUPPORT_CONFIG_SAMPLE_H
#define TESTS_SUPPORT_CONFIG_SAMPLE_H

#include <stdint.h>

#include "config/settings.h"

/* What handlers of the type "counting" have, and of "posting", with its secret token; "idle" has nothing. */
struct counting {
    char *index;
};

struct posting {
    char *url, *token;
    int64_t retry_ms;
};

extern const struct config_outside config_sample;

/* Of test.ini: no x may stand in the events of a queue; the profile "counted" counts a type of events. */
struct settings *config_parse(const char *text, struct buf *mistakes);
struct settings *config_parse_good(const char *text); /* fails the test with the mistakes where there are any */
void config_mistakes_are(const char *text, const char *expected);

#endif
