/* tests/support/denormalize_stage.h - members with copies of their users, and what keeps these up to date. */
#ifndef TESTS_SUPPORT_DENORMALIZE_STAGE_H
#define TESTS_SUPPORT_DENORMALIZE_STAGE_H

#include "support/scene.h"

#define HANDLER(rest)                                                                                                  \
    "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"                \
    "[queue changes]\nevents = user.*\n"                                                                               \
    "[handler members]\ntype = denormalize\nqueue = changes\nschedule = every 2s\nindex = members\n"                   \
    "match = user.id\ncopy = user.name<-data.full_name user.affiliation<-data.affiliation\n"                           \
    "revision = user.@v\n" rest

#define MAPPED(id_type, rest)                                                                                          \
    "{\"settings\":{\"index.refresh_interval\":\"-1\"},\"mappings\":{" rest "\"properties\":{\"user\":{"               \
    "\"properties\":{\"id\":{\"type\":\"" id_type                                                                      \
    "\"},\"name\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"long\"}}}}}}"

/* The index as a test of its own wants it. */
void denormalize_make_members(struct scene *s, const char *body);
void denormalize_stage_open(void **state, const char *ini);
int denormalize_stage_setup(void **state);
int denormalize_stage_close(void **state);

/* count memberships of each of users users, at revision 1. */
void denormalize_load(struct scene *s, int count, int users);
struct event denormalize_change(struct scene *s, int user, int revision);
int denormalize_occurrences(const char *text, const char *word);

#endif
