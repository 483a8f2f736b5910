#include "scheduler/redis_awaited.h"

#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "notifier/guard.h"
#include "scheduler/held.h"
#include "scheduler/reload.h"
#include "scheduler/signals.h"
#include "scheduler/watchdog.h"

enum { FIRST_WAIT_MS = 250, LONGEST_WAIT_MS = 5000 };

bool redis_is_safe(const struct verb_call *call, bool *stopped, struct error *err)
{
    const struct settings *s = call->settings;
    struct redis *r = settings_redis(s);
    struct log_limit limit = LOG_LIMIT_INIT;
    int signal;
    bool ok;

    for (int failures = 0; !(ok = guard_check(r, err)) && err->kind == ERROR_AGAIN; failures++) {
        log_limited(&limit, LOG_LEVEL_WARN, "%s; waiting for it", err->text);
        sd_notify(0, "STATUS=waiting for Redis\nEXTEND_TIMEOUT_USEC=30000000");
        signal = watchdog_wait(backoff_ms(failures, FIRST_WAIT_MS, LONGEST_WAIT_MS));
        *stopped = signals_end(signal);
        if (!*stopped && signal && reload_is_good(call, false, false))
            reload_begin(call);
        if (*stopped)
            break;
    }
    redis_free(r);
    if (!ok && err->kind == ERROR_CONFIG && s->redis.unsafe) {
        log_warn("%s; going on, as [redis] unsafe = yes", err->text);
        ok = true;
    }
    return ok;
}
