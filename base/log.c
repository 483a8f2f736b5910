#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

enum { LINE_BYTES = 4096, QUIET_MS = 10000 };

static atomic_int most_detail = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&most_detail, (int)level);
}

static void write_line(enum log_level level, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    struct buf line = BUF_INIT;

    if (!getenv("JOURNAL_STREAM")) {
        char now[TIME_TEXT_BYTES];

        buf_printf(&line, "%s ", time_text(clock_wall_us(), now));
    }
    buf_printf(&line, "%s: ", names[level]);
    text_add_escaped(&line, text, strlen(text), LINE_BYTES);
    buf_add_char(&line, '\n');
    if (write(STDERR_FILENO, line.data, line.length) < 0) {
        /* nobody is left to tell */
    }
    buf_release(&line);
}

static void printf_like(2, 0) log_args(enum log_level level, const char *format, va_list args)
{
    char text[LINE_BYTES + 64];

    if ((int)level > atomic_load(&most_detail))
        return;
    vsnprintf(text, sizeof text, format, args);
    write_line(level, text);
}

#define DEFINE_LOG(name, level)                                                                                        \
    void name(const char *format, ...)                                                                                 \
    {                                                                                                                  \
        va_list args;                                                                                                  \
                                                                                                                       \
        va_start(args, format);                                                                                        \
        log_args(level, format, args);                                                                                 \
        va_end(args);                                                                                                  \
    }

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warn, LOG_LEVEL_WARN)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)

/* How many lines were left out before this one, or -1 where this one is to be left out too. */
static int limit_pass(struct log_limit *limit)
{
    int64_t now = clock_monotonic_ms();
    int before = -1;

    pthread_mutex_lock(&limit->mutex);
    if (now < limit->next_ms) {
        limit->left_out++;
    } else {
        before = (int)limit->left_out;
        limit->left_out = 0;
        limit->next_ms = now + QUIET_MS;
    }
    pthread_mutex_unlock(&limit->mutex);
    return before;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list args;
    int left_out;

    if ((int)level > atomic_load(&most_detail) || (left_out = limit_pass(limit)) < 0)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text - 40, format, args);
    va_end(args);
    if (left_out > 0)
        snprintf(text + strlen(text), 40, " (and %d like it before)", left_out);
    write_line(level, text);
}
