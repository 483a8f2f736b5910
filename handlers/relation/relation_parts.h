/* handlers/relation/relation_parts.h - what a relation consists of, for the files of this folder. */
#ifndef HANDLERS_RELATION_RELATION_PARTS_H
#define HANDLERS_RELATION_RELATION_PARTS_H

#include "handlers/relation/content.h"
#include "handlers/relation/relation.h"

/* A field as the index has it. */
struct mapped {
    char *field;  /* to be searched by: its keyword where it is analysed text */
    char *nested; /* the innermost nested path around it; NULL: none */
    bool number;  /* a whole number */
    bool analysed;
};

/* One field of `match`. All paths begin at the document. */
struct match {
    char *id;
    size_t container; /* of these bytes of id is the path of the object that is a copy; 0: the document */
    char *revision;   /* NULL: none */
    char *tombstone;  /* NULL: none */
    char **targets;   /* for each content; NULL: it goes elsewhere. The container's own path: all of the copy */
    bool overlaps;    /* a target is, or lies in, another one: only the end tells whether anything changed */
    struct mapped id_mapped, revision_mapped;
};

struct relation {
    const struct relation_options *options;
    struct content **contents; /* of the words of `copy` */
    bool *decides;             /* for each: whether one of its fields is among only_when */
    size_t content_count;
    struct match *matches;
    size_t match_count;
    char **only_when; /* without "data." */
    size_t only_when_count;
    bool whole;         /* data lacks what the subject lacks */
    int64_t learned_ms; /* when; 0: not yet */
};

/* The container's path itself as a target. */
bool match_is_whole(const struct match *m, const char *target);

/* Whether each field has one content at most, and no id, revision or tombstone has any. ERROR_CONFIG. */
bool relation_has_no_conflict(const struct relation *r, struct error *err);

/* Where what lies in the container begins, in any path of the match. */
size_t match_inside(const struct match *m);

#endif
