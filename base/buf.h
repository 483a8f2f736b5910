/*
 * base/buf.h - bytes that grow.
 *
 * Always ended by a NUL that is not counted, so that data can be handed to whoever wants a C string.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct buf {
    char *data;
    size_t length, room;
};

extern char buf_empty[];

#define BUF_INIT                                                                                                       \
    {                                                                                                                  \
        buf_empty, 0, 0                                                                                                \
    }

void buf_init(struct buf *b);
void buf_release(struct buf *b);

/* Empty again, memory kept; buf_trim gives back what lies beyond keep bytes. */
void buf_reset(struct buf *b);
void buf_trim(struct buf *b, size_t keep);

/* Room for at least so many more bytes; what is written there counts after buf_grown. */
char *buf_grow(struct buf *b, size_t more);
void buf_grown(struct buf *b, size_t length);

void buf_add(struct buf *b, const char *bytes, size_t length);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_add_int(struct buf *b, int64_t number);
void buf_printf(struct buf *b, const char *format, ...) printf_like(2, 3);

/* A JSON string with its quotes (RFC 8259 §7): quote, backslash and control characters escaped, the rest as it is. */
void buf_add_json(struct buf *b, const char *bytes, size_t length);
void buf_add_json_text(struct buf *b, const char *text);

/* Yours to free; b is empty again. */
char *buf_take(struct buf *b);

#endif
