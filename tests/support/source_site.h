/* tests/support/source_site.h - a platform that answers by HTTP, and the source "s" that asks it. */
#ifndef TESTS_SUPPORT_SOURCE_SITE_H
#define TESTS_SUPPORT_SOURCE_SITE_H

#include "support/record_server.h"
#include "support/source_stage.h"

struct source_site {
    struct record_server *server;
    struct source_stage *stage;
};

/* For cmocka: *state is a struct source_site. The second one's platform asks for a token. */
int source_site_open(void **state);
int source_site_open_token(void **state);
int source_site_close(void **state);

/* The source anew, with more keys; the same with a list at a path of the server. */
void source_site_open_stage(struct source_site *f, const char *more);
void source_site_open_list(struct source_site *f, const char *path, const char *more);

void source_site_fill(struct source_site *f, int from, int count); /* "r000" and so on, at revision 1 and so on */

#endif
