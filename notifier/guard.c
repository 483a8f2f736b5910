#include "notifier/guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* The value of a line "name:value" of INFO, into the arena; "" where there is none. */
static const char *info_value(struct arena *arena, const char *info, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = info; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return arena_copy(arena, line + length + 1, strcspn(line + length + 1, "\r\n"));
    }
    return "";
}

static bool keeps(struct arena *arena, const char *info, struct error *err)
{
    const char *version = info_value(arena, info, "redis_version");
    const char *policy = info_value(arena, info, "maxmemory_policy");

    if (strtol(version, NULL, 10) < 7)
        return error_set(err, ERROR_CONFIG, "Redis %s is too old: 7.0 or later is needed", version);
    if (strcmp(info_value(arena, info, "aof_enabled"), "1") != 0)
        return error_set(err, ERROR_CONFIG,
                         "Redis has no append-only file and loses events when it restarts: set appendonly yes");
    if (strcmp(policy, "noeviction") != 0)
        return error_set(err, ERROR_CONFIG,
                         "Redis may throw events away when memory is short (%s): set maxmemory-policy noeviction",
                         policy);
    return true;
}

bool guard_check(struct redis *r, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *info;
    bool ok = redis_do(r, arena, &info, err, "INFO") && keeps(arena, info->text ? info->text : "", err);

    arena_free(arena);
    return ok;
}
