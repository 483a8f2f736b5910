/*
 * tests/support/postgres_server.h - a real PostgreSQL with a fresh cluster and the database crier; see support/server.h
 * for its life. It does not wait for the disk (fsync): what a kill can take from a process does not depend on that.
 */
#ifndef TESTS_SUPPORT_POSTGRES_SERVER_H
#define TESTS_SUPPORT_POSTGRES_SERVER_H

#include "base/postgres.h"
#include "support/server.h"

struct server *postgres_server_start(void);
const char *postgres_server_url(const struct server *s); /* postgresql://crier@127.0.0.1:PORT/crier */

/* Where a program of the same version is ("psql"). */
void postgres_server_program(const char *name, char *path, size_t size);

/* A link of the test's own, to be freed by it. */
struct postgres *postgres_server_link(const struct server *s);

/* Both fail the test on an error; postgres_text gives the first column of the first row (yours to free), "" for none.
 */
void postgres_do(struct postgres *p, const char *sql);
char *postgres_text(struct postgres *p, const char *sql);
int64_t postgres_number(struct postgres *p, const char *sql);

#endif
