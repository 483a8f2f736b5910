/*
 * indexer/hits.h - the documents in a search's reply, as text: none is parsed before somebody wants to look into it.
 */
#ifndef INDEXER_HITS_H
#define INDEXER_HITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"

/* A document as a search, or a reading of it by its id, found it. Names end with a NUL. */
struct hit {
    const char *index; /* with the prefix */
    struct span id;
    const char *routing; /* NULL: by the id */
    int64_t version, seq_no, primary_term;
    struct span source; /* JSON text, lent by the reply; length 0: none came */
    bool found;         /* always true for a search */
};

struct hits {
    struct hit *items; /* in the arena */
    size_t count;
    struct span scroll_id; /* length 0: none */
};

/*
 * A reply to _search or _search/scroll. False: ERROR_AGAIN, it is cut short or of another form, or a part of the index
 * did not answer.
 */
bool hits_read_search(struct hits *h, struct span reply, struct arena *arena, struct error *err) must_check;

/*
 * A reply to _mget for so many documents, in their order. One whose index is missing is not found. False: ERROR_AGAIN,
 * as above, or one of them could not be read.
 */
bool hits_read_documents(struct hits *h, struct span reply, size_t expected, struct arena *arena,
                         struct error *err) must_check;

#endif
