/*
 * handlers/source/source.h - where the present state of subjects comes from: a [source NAME] section.
 *
 * A source gives documents by id, and all of them page by page. One that is down, busy or refuses us is ERROR_AGAIN:
 * whoever asks pauses, and nothing is lost; one that asked to be left alone for a while (Retry-After) is not asked
 * before. What its answers can never be used for is ERROR_INPUT (a list) or said of the one document. One thread at a
 * time; all memory given out is the arena's.
 */
#ifndef HANDLERS_SOURCE_SOURCE_H
#define HANDLERS_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"
#include "config/settings.h"

enum { VERSION_NONE = -1 };

struct source_document {
    struct span id;
    int64_t version;  /* the revision at the source; VERSION_NONE: it tells none */
    bool found;       /* false: the source has no such document (any more) */
    struct span body; /* a JSON object as compact text (base/json_compact.h), not NUL-ended; length 0 where not found */
    struct span routing; /* length 0: none */
    const char *wrong;   /* why this document cannot be had, however often it is asked for; NULL: nothing is wrong */
    bool may_pass;       /* of wrong: it may be another the next time */
};

struct source;

/* name: of the [source] section. NULL: ERROR_CONFIG, with the nearest known name. No link is opened before a call. */
struct source *source_new(const struct settings *s, const char *name, struct error *err) must_check;
void source_free(struct source *x); /* NULL is fine */

/*
 * Those of these ids, in the same order. False: ERROR_AGAIN only. All bodies are in memory at once: some hundred ids
 * a call are enough to be quick.
 */
bool source_get(struct source *x, const struct span *ids, size_t count, struct arena *arena,
                struct source_document *out, struct error *err) must_check;

struct source_walk {
    int64_t since_us;     /* only what changed since, where the source can tell (else ERROR_CONFIG); 0: all */
    struct span position; /* length 0: from the beginning; else what source_page gave: goes on after that page */
    size_t most; /* documents a page, or the source's own `page`; more where several have one place in its order */
};

/*
 * The next page; position is moved on (in the arena). *count 0: that was all. Documents come in an order of the
 * source's own: by id (postgres), by the field `order` or the writes (index), as the platform lists them (http).
 *
 * A position is text without line feeds, some hundred bytes, good for another source of the same section in another
 * process at a later time. What is there during the whole walk comes at least once (over http: where list_url is of a
 * kind that allows it); what is written meanwhile may come twice or not at all. A document may be
 * `wrong`, and one that a source tells to be gone is not `found`.
 */
bool source_page(struct source *x, struct source_walk *walk, struct arena *arena, struct source_document **out,
                 size_t *count, struct error *err) must_check;

/* How many there are, for progress; -1: the source cannot tell. */
bool source_count(struct source *x, int64_t since_us, int64_t *count, struct error *err) must_check;

/* Whether there is a section of that name, for handlers' `fits`. ERROR_CONFIG says what name may be meant. */
bool source_named(const struct settings *s, const char *name, struct error *err) must_check;

/* For config_whole: whether a struct source_settings makes one. */
bool source_check(const void *section, struct error *err);

#endif
