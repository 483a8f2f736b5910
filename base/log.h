/*
 * base/log.h - lines for the operator, on standard error.
 *
 * One call is one line, whatever the text holds: control characters, bidirectional marks and bad UTF-8 are escaped,
 * a line longer than 4 KiB is cut with a mark. Under systemd (JOURNAL_STREAM) the time is left to the journal.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <pthread.h>
#include <stdint.h>

#include "base/attrs.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);

void log_error(const char *format, ...) printf_like(1, 2);
void log_warn(const char *format, ...) printf_like(1, 2);
void log_info(const char *format, ...) printf_like(1, 2);
void log_debug(const char *format, ...) printf_like(1, 2);

/* For what may happen again and again: at most one line in 10 s, which then says how many were left out. */
struct log_limit {
    pthread_mutex_t mutex;
    int64_t next_ms;
    unsigned left_out;
};

#define LOG_LIMIT_INIT                                                                                                 \
    {                                                                                                                  \
        PTHREAD_MUTEX_INITIALIZER, 0, 0                                                                                \
    }

void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...) printf_like(3, 4);

#endif
