/* tests/support/pause.h - how a test lets time pass. What it waits for it asks for again until a deadline. */
#ifndef TESTS_SUPPORT_PAUSE_H
#define TESTS_SUPPORT_PAUSE_H

#include <stdint.h>

void pause_ms(int64_t ms);

#endif
