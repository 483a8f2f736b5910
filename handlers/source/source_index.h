/* handlers/source/source_index.h - what the two halves of a source of type index share: documents by id, and walks. */
#ifndef HANDLERS_SOURCE_SOURCE_INDEX_H
#define HANDLERS_SOURCE_SOURCE_INDEX_H

#include "base/buf.h"
#include "handlers/source/source_type.h"
#include "indexer/client.h"

struct source_index {
    struct client *client;
    struct source_paths paths; /* in a hit */
    char *id, *version, *document, *routing;
    char *point; /* the point in time of a walk; NULL: none is open */
    char *at;    /* where the walk over it is */
    int64_t since_us;
    struct buf request, compact;
};

/* What a reply is besides its text. */
struct source_index_reply {
    struct span text; /* compact, lent until the next call */
    bool missing;     /* a 404, of whatever kind */
    bool too_long;    /* it may fit if less is asked for */
};

/* Sends s->request. False with too_long: ERROR_AGAIN, which is the caller's to judge. */
bool source_index_ask(struct source_index *s, const char *path, struct source_index_reply *reply,
                      struct error *err) must_check;

/* The document of a hit. */
void source_index_read(const struct source_index *s, struct span hit, struct arena *arena, struct source_document *out);

/* ERROR_AGAIN: it may be made anew just now. */
bool source_index_missing(const struct source *x, struct error *err);

/* The query for what changed since, or for all. */
void source_index_add_query(const struct source *x, int64_t since_us, struct buf *out);

/* source_index_walk.c */
bool source_index_page(struct source *x, struct source_walk *walk, struct arena *arena, struct source_document **out,
                       size_t *count, struct error *err) must_check;
void source_index_leave(struct source_index *s); /* closes the point in time */

#endif
