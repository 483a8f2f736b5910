/*
 * handlers/source/source_list.h - the pages of a platform's list: where each is, what is in it, where the next one is.
 *
 * A position is "page N" (where the address has {page}), "after TEXT" ({after}), "next LINK" (neither), or "end".
 */
#ifndef HANDLERS_SOURCE_SOURCE_LIST_H
#define HANDLERS_SOURCE_SOURCE_LIST_H

#include "base/buf.h"
#include "handlers/source/source_type.h"

struct source_list {
    const char *url; /* with placeholders */
    int64_t since_us;
    const char *items, *next; /* paths; next "": links.next, or for {after} the last id */
    struct source_paths paths;
};

bool source_list_ended(struct span position);

/* The address of the page at walk->position. ERROR_INPUT: that is no position. */
bool source_list_add_url(const struct source_list *list, const struct source_walk *walk, struct buf *out,
                         struct error *err) must_check;

/*
 * The documents of a page, and the position behind it. text is compact and the arena's. ERROR_INPUT: it is no page, or
 * the list goes in circles.
 */
bool source_list_read(const struct source_list *list, struct span text, struct source_walk *walk, struct arena *arena,
                      struct source_document **out, size_t *count, struct error *err) must_check;

#endif
