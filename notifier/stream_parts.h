/* notifier/stream_parts.h - what a stream consists of, for the files stream*.c. */
#ifndef NOTIFIER_STREAM_PARTS_H
#define NOTIFIER_STREAM_PARTS_H

#include "notifier/stream.h"

#define STREAM_HANDED_BACK "-/handed-back" /* holds what a clean stop left unfinished; never a process's name */

/* Redis counts deliveries; above them, in its number, is how often an entry was tried in vain. */
enum { STREAM_TRY = 1000 };

struct stream {
    struct redis *redis;
    char *queue, *group, *consumer;
    char key[KEY_BYTES];
    struct args args;
    int tries;         /* of the entries that a command is about */
    bool used, remade; /* the group was there; it had to be made again since */
};

/* Whether Redis says that the group, or the stream, is not there; it has several words for it. */
bool stream_says_no_group(const struct error *err);

/* Makes the group, from the stream's beginning. True too where another lane was first. */
bool stream_group_make(struct stream *s, struct arena *arena, struct error *err) must_check;

/* Into s->args: XCLAIM of ids for a consumer, where they are idle for idle_ms; the caller adds the options. */
void stream_claim_args(struct stream *s, struct arena *arena, const char *consumer, int64_t idle_ms,
                       const struct stream_id *ids, size_t count);

#endif
