#include "bench/measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

const char *const measure_redis_arguments[] = {
    "--appendonly", "yes", "--maxmemory-policy", "noeviction", "--auto-aof-rewrite-percentage", "0", NULL};

void measure_failed(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    exit(1);
}

double measure_seconds_since(int64_t start_us)
{
    return (double)(clock_wall_us() - start_us) / 1e6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double measure_quantile(double *values, size_t count, double part)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_size);
    return values[(size_t)(part * (double)(count - 1) + 0.5)];
}
