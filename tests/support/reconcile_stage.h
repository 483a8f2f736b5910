/* tests/support/reconcile_stage.h - users in a source, members with copies of them, and what compares these. */
#ifndef TESTS_SUPPORT_RECONCILE_STAGE_H
#define TESTS_SUPPORT_RECONCILE_STAGE_H

#include "base/buf.h"
#include "support/scene.h"

enum { USERS = 30, VERSION = 5, REVISION = 7 };

#define RELATION(rest)                                                                                                 \
    "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n" CHANGES rest

#define CHANGES                                                                                                        \
    "[queue changes]\nevents = user.*\n"                                                                               \
    "[handler trail]\ntype = audit\nqueue = changes\nindex = trail\n"                                                  \
    "[handler members]\ntype = denormalize\nqueue = changes\nschedule = every 2s\nindex = members\n"                   \
    "match = user.id\ncopy = user.name<-data.full_name\nsecond_look = 0s\n"

#define INDEX_SOURCE "[source users]\ntype = index\nindex = users\nversion = revision\n"

#define RECONCILE(rest)                                                                                                \
    "[handler care]\ntype = reconcile\nqueue = changes\nschedule = every 500ms\nof = members\nsource = users\n" rest

#define WITH_REVISION "revision = user.@v\nrevision_format = uuid\n"

void reconcile_stage_open(void **state, const char *ini);
int reconcile_stage_setup(void **state);
int reconcile_stage_close(void **state);
void reconcile_add_user(struct scene *s, struct buf *lines, int user, int revision);
void reconcile_load_users(struct scene *s);

/* As the platform writes it, under the version it counts itself. */
void reconcile_add_member(struct scene *s, struct buf *lines, int member, int revision);
void reconcile_load_members(struct scene *s, int from, int to, int revision);
void reconcile_refresh(struct scene *s);
int reconcile_run(struct scene *s, const char *wanted);

/* The documents with their versions. */
char *reconcile_members(struct scene *s);
void reconcile_members_are(struct scene *s, const char *wanted);

#endif
