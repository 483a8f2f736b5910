/* base/memory.h - what a service that will wait for long gives back to the system. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/* A crash of this process leaves no core file from here on: it would hold every secret. */
void memory_keep_private(void);

/* Before the first thread: few heaps, so that what one thread frees serves the next. */
void memory_prepare(void);

/*
 * After the start: free heap pages, and code and constants of libraries that only the start needed. What is used again
 * is mapped again from the page cache.
 */
void memory_settle(void);

#endif
