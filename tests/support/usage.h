/* tests/support/usage.h - what a process has used, read from /proc. */
#ifndef TESTS_SUPPORT_USAGE_H
#define TESTS_SUPPORT_USAGE_H

#include <stdint.h>

struct usage {
    int64_t cpu_us;   /* user and system */
    int64_t peak_kib; /* resident, the highest so far */
    int64_t now_kib;
};

struct usage usage_of(int pid);

#endif
