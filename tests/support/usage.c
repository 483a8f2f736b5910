#include "support/usage.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int64_t status_kib(int pid, const char *name)
{
    char path[64], line[256];
    long long kib = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ": %lld", &kib);
    if (file)
        fclose(file);
    return kib;
}

static int64_t cpu_us(int pid)
{
    char path[64], line[1024];
    unsigned long long user = 0, system = 0;
    const char *after;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file) && (after = strrchr(line, ')')))
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
    if (file)
        fclose(file);
    return (int64_t)(user + system) * 1000000 / sysconf(_SC_CLK_TCK);
}

struct usage usage_of(int pid)
{
    return (struct usage){cpu_us(pid), status_kib(pid, "VmHWM"), status_kib(pid, "VmRSS")};
}
