/* handlers/reindex/page_size.h - how many hits a page is asked to have, found by how long the last ones were. */
#ifndef HANDLERS_REINDEX_PAGE_SIZE_H
#define HANDLERS_REINDEX_PAGE_SIZE_H

#include <stdbool.h>
#include <stddef.h>

enum { PAGE_HITS_MOST = 2000 };

/* The first is the caller's; zero the rest. */
struct page_size {
    size_t most; /* hits */
    size_t hits; /* of the next page */
};

/* A few to begin with, where nothing is known yet. */
void page_size_begin(struct page_size *p);

/* A page of so many hits was that long: the next one has about the bytes that one is meant to have. */
void page_size_fit(struct page_size *p, size_t bytes, size_t hits);

/* It was too long for one reply, and is asked for in parts. False: of one hit. */
bool page_size_less(struct page_size *p);

#endif
