/*
 * handlers/spread/copyist.h - one connection at work: it reads documents page by page and writes those whose copies are
 * behind.
 *
 * Documents are written back at their own version (`versions = platform`: what the platform writes next is still newer,
 * and what it wrote meanwhile refuses ours) or only if nobody wrote them meanwhile (`versions = own`). A refused one is
 * read again. An equal version is not refused: who calls looks again when all is written (spread.h).
 */
#ifndef HANDLERS_SPREAD_COPYIST_H
#define HANDLERS_SPREAD_COPYIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/relation/relation.h"
#include "handlers/spread/changes.h"
#include "handlers/spread/document.h"
#include "indexer/scroll.h"

enum versions { VERSIONS_PLATFORM, VERSIONS_OWN };

/* What is to be done; shared by the copyists that do it together. */
struct copyist_job {
    const struct relation *relation;
    const struct roots *roots;
    const char *index;
    enum versions versions;
    size_t page;
    struct changes *changes; /* all that are known, also those that are not searched for */

    /* After each page, with what was written of it. False: that is the end. NULL: nothing to ask. */
    bool (*between)(void *context, int64_t written, struct error *err);
    void *context;
};

/* What came of it. */
struct copyist_tally {
    int64_t written, superseded, conflicts, refused; /* documents; superseded and conflicts were read again */
    struct hits_sum sum;                             /* of the documents met, as they are now */
    bool sum_known;                                  /* false: a write's number was not told */
    struct error unreadable;                         /* a document that cannot be read; ERROR_NONE: none */
};

struct copyist;

struct copyist *copyist_new(const struct settings *s);
void copyist_free(struct copyist *w); /* NULL is fine */

struct client *copyist_client(struct copyist *w);

/*
 * Every document of the query, or of one of its parts (parts 0: the query has no more than a page). Changes of a
 * document that is refused, or busy, are given that outcome. False: ERROR_AGAIN, or ERROR_INPUT for a query that is
 * refused; what was written is in the tally.
 */
bool copyist_pass(struct copyist *w, const struct copyist_job *job, const json_t *query, int part, int parts,
                  struct copyist_tally *tally, struct error *err) must_check;

#endif
