/*
 * handlers/relation/relation.h - one relation, as a section of the ini file says it: which documents hold copies of
 * which subjects, what is copied, how a copy's revision is written, and what becomes of copies of what is gone.
 *
 * `match = user.id`: a copy is what lies at `user`, as an object, in arrays wherever they come on the way, or as keys
 * with dots ("user.id"); its member `id` holds the subject's id. Several fields: each is the id of a copy of its own.
 * `copy` names what goes into a copy, word by word (handlers/relation/content.h); a target that begins with "." lies in
 * the copy of every match, any other one in the copies of the match around it. A copy of all of data (`.<-data`) keeps
 * its id, its revision and its tombstone, and leaves out data.changed where only_when reads it, and data.uuid where
 * revision_format = uuid does.
 *
 * One thread at a time, but for what takes a pointer to const.
 */
#ifndef HANDLERS_RELATION_RELATION_H
#define HANDLERS_RELATION_RELATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"
#include "config/key.h"
#include "indexer/client.h"
#include "notifier/pattern.h"

enum on_delete { ON_DELETE_KEEP, ON_DELETE_CLEAR, ON_DELETE_REMOVE, ON_DELETE_TOMBSTONE };
enum revision_format { REVISION_NUMBER, REVISION_UUID };
enum absent { ABSENT_AUTO, ABSENT_KEEP, ABSENT_REMOVE };
enum unknown { UNKNOWN_RETRY, UNKNOWN_IGNORE };

/* A type of handler that has a relation begins its struct of options with these. */
struct relation_options {
    char *index, *match, *copy, *revision, *indexed_at, *tombstone, *deleted, *only_when, *source, *subjects;
    int revision_format; /* enum revision_format */
    int on_delete;       /* enum on_delete */
    int absent;          /* enum absent */
    int unknown;         /* enum unknown */
    bool single;
    int64_t clauses;
};

bool relation_match_check(const char *match, struct error *err); /* for configuration rows */
bool relation_copy_check(const char *copy, struct error *err);
bool relation_fields_check(const char *fields, struct error *err);

/* The rows for them. */
/* clang-format off */
#define RELATION_KEYS                                                                                                  \
    {"index", CONFIG_TEXT, offsetof(struct relation_options, index), NULL, 0, 0, NULL, NULL,                           \
     "where the documents are that hold copies: an index, an alias or a pattern"},                                     \
    {"match", CONFIG_TEXT, offsetof(struct relation_options, match), NULL, 0, 0, NULL, relation_match_check,           \
     "field of a copy that holds the subject's id; several separated by spaces"},                                      \
    {"copy", CONFIG_TEXT, offsetof(struct relation_options, copy), NULL, 0, 0, NULL, relation_copy_check,              \
     "what is copied: TARGET<-data.FIELD, <-data, <-1, <-\"text\", <-\"{data.A}, {data.B}\"; .TARGET: of each match"},  \
    {"revision", CONFIG_TEXT, offsetof(struct relation_options, revision), "", 0, 0, NULL, relation_fields_check,      \
     "field of a copy that holds the subject's revision; a copy at the same or a newer one is not written"},           \
    {"revision_format", CONFIG_CHOICE, offsetof(struct relation_options, revision_format), "number", 0, 0,             \
     "number uuid", NULL, "how it is written: 7, or UUID::7 with data.uuid (else the subject's id)"},                  \
    {"single", CONFIG_FLAG, offsetof(struct relation_options, single), "no", 0, 0, NULL, NULL,                         \
     "yes: never several copies in one document; then a search leaves out what is up to date"},                        \
    {"indexed_at", CONFIG_TEXT, offsetof(struct relation_options, indexed_at), "", 0, 0, NULL, relation_fields_check,  \
     "time when a document was written as a whole: those written since, or without it, wait for the second look"},     \
    {"deleted", CONFIG_TEXT, offsetof(struct relation_options, deleted), "*.deleted", 0, 0, NULL, patterns_check,      \
     "types of events that mean the subject is gone"},                                                                 \
    {"on_delete", CONFIG_CHOICE, offsetof(struct relation_options, on_delete), "keep", 0, 0,                           \
     "keep clear remove tombstone", NULL, "what becomes of the copies of a subject that is gone"},                     \
    {"tombstone", CONFIG_TEXT, offsetof(struct relation_options, tombstone), ".deleted", 0, 0, NULL,                   \
     relation_fields_check, "field of a copy that on_delete = tombstone sets to true, and an update removes"},         \
    {"absent", CONFIG_CHOICE, offsetof(struct relation_options, absent), "auto", 0, 0, "auto keep remove", NULL,       \
     "what becomes of a target where data lacks the field; auto: keep for source = payload, else remove"},             \
    {"only_when", CONFIG_TEXT, offsetof(struct relation_options, only_when), "", 0, 0, NULL, relation_fields_check,    \
     "fields of data whose change matters (data.changed names what changed); empty: every one"},                       \
    {"source", CONFIG_TEXT, offsetof(struct relation_options, source), "payload", 0, 0, NULL, NULL,                    \
     "where the subjects' data comes from: payload (the event), or the NAME of a [source]"},                           \
    {"unknown", CONFIG_CHOICE, offsetof(struct relation_options, unknown), "retry", 0, 0, "retry ignore", NULL,         \
     "a subject that the [source] has not, or under another uuid: it is late (retry), or of no concern here (ignore)"}, \
    {"subjects", CONFIG_TEXT, offsetof(struct relation_options, subjects), "", 0, 0, NULL, NULL,                       \
     "index of the subjects' own documents, to find relations that go round; empty: that of a [source] of type index"}, \
    {"clauses", CONFIG_COUNT, offsetof(struct relation_options, clauses), "100", 1, 1000, NULL, NULL,                  \
     "clauses in one search, well below the server's limit"}
/* clang-format on */

struct relation;

/* NULL: ERROR_CONFIG, which names the word and what is allowed. The options are lent for as long as the relation is. */
struct relation *relation_new(const struct relation_options *o, struct error *err) must_check;
void relation_free(struct relation *r); /* NULL is fine */

/*
 * Reads the index's mapping where that is not known, or was read 20 seconds ago: nested fields, keywords under analysed
 * text, types of the revision. Otherwise costs nothing: called before each pass. An index that is missing is asked for
 * again next time. Until then the fields are taken for keywords outside of any nested one. Behind an alias may be
 * another index from one moment to the next, in which a search that fitted finds nothing: a second look after more than
 * that time finds what was passed over.
 */
bool relation_learn(struct relation *r, struct client *c, struct error *err) must_check;
void relation_unlearn(struct relation *r); /* where a search was refused: the mapping may be another by now */

/* What is known of a subject now. */
struct subject {
    struct span id;
    struct span uuid;   /* as revision_format = uuid writes it; length 0: the id stands for it */
    bool uuid_unknown;  /* it may have one: a copy keeps that which it holds */
    int64_t revision;   /* REVISION_NONE: not known, then every copy is compared by content */
    const json_t *data; /* NULL where deleted */
    bool deleted;
};

/*
 * Whether an event with that data (may be NULL) can concern a copy: false where data.changed names fields and none of
 * only_when. Not for deletions.
 */
bool relation_matters(const struct relation *r, const json_t *data);
bool relation_has_only_when(const struct relation *r);

/* Whether a subject that the source does not know, or under another uuid, is none of this relation's. */
bool relation_ignores_unknown(const struct relation *r);

/* Whether the data has anything that is copied; what it lacks is that where `absent` removes it. */
bool relation_has_content(const struct relation *r, const json_t *data);

/* Of the data what relation_apply needs, and "uuid": a new reference, to be kept as the newest content. */
json_t *relation_material(const struct relation *r, const json_t *data);

/* Whether a subject that is gone leaves its copies as they are: then there is nothing to search. */
bool relation_keeps(const struct relation *r, const struct subject *s);

/* How many subjects fit into one query. */
size_t relation_subjects_most(const struct relation *r);

/*
 * Documents that hold a copy of one of the subjects; a new reference, NULL where none of them needs one. The platform's
 * own query (one clause a subject and match, `must` the id, `must_not` the revision).
 *
 * only_behind: documents whose copies are up to date are no hits. That is left out for subjects without revision or
 * gone, and where it would pass over a document: revisions as numbers in objects of which a document may hold several
 * (not nested, not `single`). So a hit need not be behind, but one that is behind is a hit.
 *
 * before_us: only documents that `indexed_at` says were written by then; 0, or without `indexed_at`: all.
 */
json_t *relation_query(const struct relation *r, const struct subject *const *subjects, size_t count, bool only_behind,
                       int64_t before_us);

/* Whether relation_query can tell documents that are behind: then a search after a write finds only those. */
bool relation_finds_behind(const struct relation *r);

/* Documents that hold any copy at all; a new reference. */
json_t *relation_query_all(const struct relation *r);

/* Who knows the subjects, and is told whose copies changed. */
struct copy_source {
    /* Asked for each copy in the document, with the id in it (lent for the call). NULL: nothing is known of it. */
    const struct subject *(*look_up)(void *context, struct span id);
    void (*changed)(void *context, const struct subject *s); /* once for each copy */
    void *context;
};

/*
 * Brings every copy in the document up to date; true where the document changed. A copy at the subject's revision or a
 * newer one is left alone; one of an unreadable revision or another uuid is behind. With only_when a copy is also left
 * alone, revision and all, where what those fields give is equal already. Doing it twice changes nothing more.
 *
 * `indexed_at` stays as it is: it says when the platform wrote the whole document, and a later time would hide the
 * document from the platform's search for another subject's copies.
 */
bool relation_apply(const struct relation *r, json_t *document, const struct copy_source *from);

#endif
