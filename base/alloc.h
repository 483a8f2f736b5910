/*
 * base/alloc.h - memory that is there or ends the process.
 *
 * Exhausted memory is no error to handle: whatever was under way is still in Redis and comes again.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);

#endif
