#include "handlers/reindex/page_size.h"

enum {
    HITS_FIRST = 100,
    PAGE_BYTES = 3 * 512 * 1024, /* what a page is meant to be */
    GROWTH_MOST = 2,             /* those that follow may be longer */
    PARTS = 4,
};

static size_t within(const struct page_size *p, size_t hits)
{
    return hits < 1 ? 1 : hits < p->most ? hits : p->most;
}

void page_size_begin(struct page_size *p)
{
    if (p->hits == 0)
        p->hits = within(p, HITS_FIRST);
}

/* A page that is not full tells of too few hits to ask for more by it. */
void page_size_fit(struct page_size *p, size_t bytes, size_t hits)
{
    size_t fits = hits ? (size_t)PAGE_BYTES * hits / (bytes + 1) : p->hits;
    size_t most = hits < p->hits ? p->hits : GROWTH_MOST * p->hits;

    p->hits = within(p, fits < most ? fits : most);
}

bool page_size_less(struct page_size *p)
{
    if (p->hits == 1)
        return false;
    p->hits = within(p, p->hits / PARTS);
    return true;
}
