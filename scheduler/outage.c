#include "scheduler/outage.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"

void outage_say(const char *format, ...)
{
    static struct log_limit limit = LOG_LIMIT_INIT;
    char text[sizeof((struct error *)0)->text + 64];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_limited(&limit, LOG_LEVEL_WARN, "%s", text);
}
