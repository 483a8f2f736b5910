/*
 * base/redis.h - one link to Redis (or Valkey), with what hiredis 0.14 leaves open.
 *
 * Replies are laid out in the caller's arena. A link that failed, or that leads to a server which became a replica
 * (READONLY), is dropped; the next call connects anew, so nothing needs a restart to heal. Connecting is tried at most
 * once per call. One thread at a time.
 */
#ifndef BASE_REDIS_H
#define BASE_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

struct redis_address {
    char *host; /* or path, never both */
    char *path;
    char *user, *password; /* NULL: none */
    int port, database;
    bool tls;
};

/* redis://[user:password@]host[:port][/db], unix:///path[?db=n], rediss:// where built with TLS. */
bool redis_address_parse(const char *url, struct redis_address *out, struct error *err) must_check;
void redis_address_release(struct redis_address *a);

struct redis_options {
    const struct redis_address *address; /* lent, valid as long as the link */
    int timeout_ms;                      /* to connect, and longest wait for a reply */
};

struct redis;

struct redis *redis_new(const struct redis_options *options); /* connects at the first call */
void redis_free(struct redis *r);

/* ------------------------------------------------------------------------------------------------- replies */

enum reply_kind { REPLY_NONE, REPLY_TEXT, REPLY_STATUS, REPLY_ERROR, REPLY_INTEGER, REPLY_ARRAY };

struct reply {
    enum reply_kind kind;
    int64_t integer;
    const char *text; /* of TEXT, STATUS, ERROR; NUL-ended */
    size_t length;    /* of text */
    struct reply *items;
    size_t count; /* of items */
};

/* Whether it is an error whose first word is code ("NOGROUP"). */
bool reply_error_is(const struct reply *reply, const char *code);

/* False and err where the reply is an error: ERROR_AGAIN for what passes (LOADING, OOM, READONLY, MISCONF ...). */
bool reply_ok(const struct reply *reply, struct error *err) must_check;

/* The value that follows name in a flat [name, value, name, value ...] array; NULL: not there. */
const struct reply *reply_field(const struct reply *flat, const char *name);
const char *reply_field_text(const struct reply *flat, const char *name); /* "" where it is not there */
int64_t reply_field_int(const struct reply *flat, const char *name);      /* 0 likewise */

/* ------------------------------------------------------------------------------------------------- commands */

/* The words of one command; the bytes are lent until the command was sent. Grows; reuse with args_reset. */
struct args {
    const char **words;
    size_t *lengths;
    size_t count, room;
    struct buf numbers; /* where args_int keeps its digits */
};

#define ARGS_INIT                                                                                                      \
    {                                                                                                                  \
        NULL, NULL, 0, 0, BUF_INIT                                                                                     \
    }

void args_reset(struct args *a);
void args_release(struct args *a);
void args_text(struct args *a, const char *text);
void args_bytes(struct args *a, const char *bytes, size_t length);
void args_int(struct args *a, int64_t number);

/* One command and its reply, which may be an error reply. False: the link failed (ERROR_AGAIN). */
bool redis_call(struct redis *r, const struct args *a, struct arena *arena, const struct reply **out,
                struct error *err) must_check;

/* The same from a format of words, each %s a C string, %b bytes and size_t, %lld a number; error replies fail too. */
bool redis_do(struct redis *r, struct arena *arena, const struct reply **out, struct error *err, const char *format,
              ...) must_check;

/* Pipelining: any number of redis_append, then as many redis_next in that order. */
bool redis_append(struct redis *r, const struct args *a, struct error *err) must_check;
bool redis_next(struct redis *r, struct arena *arena, const struct reply **out, struct error *err) must_check;

/* Closes the link; the next call opens a new one. For a pipeline given up half way. */
void redis_drop(struct redis *r);

/* ------------------------------------------------------------------------------------------------- scripts */

/*
 * A text that begins with SCRIPT_ALLOW_OOM also runs while Redis is out of memory: for what keeps the service alive, or
 * leads to memory being freed.
 */
#define SCRIPT_ALLOW_OOM "#!lua flags=allow-oom\n"

struct redis_script {
    const char *text;
    char sha[41]; /* filled at first use */
};

/* Starts args with EVALSHA sha keys; the caller adds keys and arguments. */
void redis_script_args(struct redis_script *s, struct args *a, int keys);

/* Loads the script: after a NOSCRIPT reply, then the command is sent again. */
bool redis_script_load(struct redis *r, struct redis_script *s, struct error *err) must_check;

/* redis_call with the loading done as needed; an error reply fails. */
bool redis_script_call(struct redis *r, struct redis_script *s, const struct args *a, struct arena *arena,
                       const struct reply **out, struct error *err) must_check;

#endif
