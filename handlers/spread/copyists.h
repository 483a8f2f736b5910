/*
 * handlers/spread/copyists.h - several copyists that do one job together, each a part of it in a thread of its own.
 */
#ifndef HANDLERS_SPREAD_COPYISTS_H
#define HANDLERS_SPREAD_COPYISTS_H

#include "handlers/spread/copyist.h"

struct copyists;

/* So many, but no more than two. */
struct copyists *copyists_new(const struct settings *s, int count);
void copyists_free(struct copyists *c); /* NULL is fine */

/* One's connection, while none is at work. */
struct client *copyists_client(struct copyists *c);

/*
 * Every document of the query (copyist.h); with one_page no more than a page, which one of them does alone. False: one
 * of them failed, with ERROR_AGAIN where it was so of any; the tally is that of all. What the job has to call between
 * pages is called by each in its thread.
 */
bool copyists_pass(struct copyists *c, const struct copyist_job *job, const json_t *query, bool one_page,
                   struct copyist_tally *tally, struct error *err) must_check;

#endif
