/*
 * handlers/spread/changes.h - some subjects that changed, each once: what is newest of it, and what became of spreading
 * it.
 */
#ifndef HANDLERS_SPREAD_CHANGES_H
#define HANDLERS_SPREAD_CHANGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "handlers/relation/relation.h"
#include "notifier/batch.h"

struct change {
    struct subject subject; /* its texts and data are the change's own */
    json_t *material;       /* what subject.data and subject.uuid lie in (null: it is not known); never NULL */
    int64_t time_us;        /* of the event */
    bool to_mass;           /* to be spread by the clock, whatever its size */
    bool in_mass;           /* is, or waits to be */
    bool moved;             /* something newer took its place since the last look */
    bool wrote;             /* a document was written on its account */
    int64_t due_ms;         /* of what the clock does: as newest_due read it */
    enum outcome outcome;   /* OUTCOME_NONE: still to be spread */
    const char *reason, *reply;
};

struct changes;

struct changes *changes_new(void);
void changes_free(struct changes *c);  /* NULL is fine */
void changes_reset(struct changes *c); /* empty again */

/* One more, of an id that is not there yet. The texts are copied, the material is referred to. */
struct change *changes_add(struct changes *c, const struct subject *s, const json_t *material, int64_t time_us);

/* Puts newer content in its place; takes the reference to the material. */
void change_replace(struct change *change, int64_t revision, int64_t time_us, bool deleted, json_t *material);

size_t changes_count(const struct changes *c);
struct change *changes_at(struct changes *c, size_t i);
struct change *changes_find(struct changes *c, struct span id);

/*
 * What time can help goes first, and the rest shows again then: wait, retry, dead, done. reason and reply are copied.
 * May be called by several threads at once.
 */
void change_set(struct changes *c, struct change *change, enum outcome outcome, const char *reason, const char *reply);

/* A document was written on its account. Likewise. */
void change_wrote(struct changes *c, struct change *change);

/* Those still to be spread, up to most of them from *from on, which moves behind them; their number. */
size_t changes_open(struct changes *c, size_t *from, struct change **out, size_t most);

#endif
