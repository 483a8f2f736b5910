/* base/base64.h - base64 as RFC 4648 has it, padded, and no other spelling of the same bytes. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"

void base64_add(const unsigned char *bytes, size_t length, struct buf *out);

/* The bytes; 0: it is none. out has room for 3 of each 4. Nothing of what is read stays elsewhere: it may be secret. */
size_t base64_read(const char *text, size_t length, unsigned char *out) must_check;

#endif
