/*
 * base/postgres.h - one link to PostgreSQL, over libpq.
 *
 * Connects at the first call, anew after any failure of the link, or when the server became a standby. Statements are
 * prepared once per link. Every call ends within the time limit, also where the server is silent. The password never
 * appears in an error. One thread at a time.
 */
#ifndef BASE_POSTGRES_H
#define BASE_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

struct postgres_options {
    const char
        *url; /* as libpq takes it: postgresql://user@host:port/database, or key=value words; no password in it */
    const char *password; /* NULL or "": none */
    int connect_ms, timeout_ms;
};

struct postgres;
struct postgres_rows;

struct postgres *postgres_new(const struct postgres_options *o); /* what o points to is copied */
void postgres_free(struct postgres *p);                          /* NULL is fine */
void postgres_drop(struct postgres *p); /* closes the link (ends a transaction); the next call opens a new one */
bool postgres_is_open(const struct postgres *p); /* false after a failure of the link: a transaction is gone */

/* For configuration rows; refuses a password in it, and never repeats it. */
bool postgres_url_check(const char *url, struct error *err) must_check;

/* Appends a name as SQL has it: "name", or "schema"."name" where a dot divides it; quotes in it are doubled. */
void postgres_add_name(struct buf *out, const char *name);

/*
 * One statement with its parameters ($1 ...) as text; a span whose text is NULL is the SQL null. rows may be NULL where
 * none are wanted; else yours to free. ERROR_AGAIN: the server is away, or says what passes (classes 08, 40, 53, 55,
 * 57, 58, XX, a standby); ERROR_CONFIG: the statement, the table or the rights need mending (classes 28, 3D, 3F, 42);
 * ERROR_INPUT: it refuses these values. All in the server's own words, with the SQLSTATE.
 */
bool postgres_query(struct postgres *p, const char *sql, const struct span *parameters, size_t count,
                    struct postgres_rows **rows, struct error *err) must_check;

/* Several statements with ; between them, and no parameters; one transaction, unless they say otherwise. */
bool postgres_script(struct postgres *p, const char *sql, struct error *err) must_check;

size_t postgres_row_count(const struct postgres_rows *r);
size_t postgres_column_count(const struct postgres_rows *r);
int postgres_column(const struct postgres_rows *r, const char *name); /* its number; -1: none of that name */
const char *postgres_column_name(const struct postgres_rows *r, size_t column);
bool postgres_is_null(const struct postgres_rows *r, size_t row, int column);
/* NUL-ended, lent; SPAN_NONE for null. */
struct span postgres_value(const struct postgres_rows *r, size_t row, int column);
int64_t postgres_affected(const struct postgres_rows *r); /* rows that INSERT, UPDATE, DELETE touched */
void postgres_rows_free(struct postgres_rows *r);         /* NULL is fine */

/*
 * NOTIFY on one channel. postgres_wait returns when a notification came, or after wait_ms; on a new link LISTEN is said
 * again, and that counts as a notification, since one may have been missed.
 */
bool postgres_listen(struct postgres *p, const char *channel, struct error *err) must_check;
bool postgres_wait(struct postgres *p, int wait_ms, bool *notified, struct error *err) must_check;

#endif
