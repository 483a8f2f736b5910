#include "base/redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/text.h"

struct redis {
    const struct redis_address *address;
    int timeout_ms;
    redisContext *link;  /* NULL: not connected */
    struct arena *arena; /* where the reply being read goes */
    struct reply root;
};

/* ------------------------------------------------------------------------- replies straight into the arena */

static struct reply *place(const redisReadTask *task)
{
    struct redis *r = task->privdata;

    return task->parent ? &((struct reply *)task->parent->obj)->items[task->idx] : &r->root;
}

static void *on_text(const redisReadTask *task, char *bytes, size_t length)
{
    struct redis *r = task->privdata;
    struct reply *reply = place(task);

    reply->kind = task->type == REDIS_REPLY_ERROR    ? REPLY_ERROR
                  : task->type == REDIS_REPLY_STATUS ? REPLY_STATUS
                                                     : REPLY_TEXT;
    reply->text = arena_copy(r->arena, bytes, length);
    reply->length = length;
    return reply;
}

#if HIREDIS_MAJOR >= 1
static void *on_array(const redisReadTask *task, size_t count)
#else
static void *on_array(const redisReadTask *task, int count)
#endif
{
    struct redis *r = task->privdata;
    struct reply *reply = place(task);

    reply->kind = REPLY_ARRAY;
    reply->count = (size_t)count;
    reply->items = arena_zero(r->arena, (size_t)count * sizeof *reply->items);
    return reply;
}

static void *on_integer(const redisReadTask *task, long long number)
{
    struct reply *reply = place(task);

    reply->kind = REPLY_INTEGER;
    reply->integer = number;
    return reply;
}

static void *on_nil(const redisReadTask *task)
{
    struct reply *reply = place(task);

    reply->kind = REPLY_NONE;
    return reply;
}

static void on_free(void *reply)
{
    (void)reply; /* the arena's */
}

#if HIREDIS_MAJOR >= 1 /* RESP3's types, which a RESP2 link never sends */
static void *on_double(const redisReadTask *task, double number, char *text, size_t length)
{
    (void)number;
    return on_text(task, text, length);
}

static void *on_bool(const redisReadTask *task, int truth)
{
    return on_integer(task, truth);
}
#endif

static redisReplyObjectFunctions reply_functions = {
    .createString = on_text,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = on_free,
#if HIREDIS_MAJOR >= 1
    .createDouble = on_double,
    .createBool = on_bool,
#endif
};

bool reply_error_is(const struct reply *reply, const char *code)
{
    size_t length = strlen(code);

    return reply->kind == REPLY_ERROR && strncmp(reply->text, code, length) == 0 &&
           (reply->text[length] == ' ' || reply->text[length] == '\0');
}

bool reply_ok(const struct reply *reply, struct error *err)
{
    static const char *const passing[] = {"LOADING",     "OOM",        "READONLY",   "MISCONF", "BUSY",      "TRYAGAIN",
                                          "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "MOVED",   "UNBLOCKED", "NOGROUP"};

    if (reply->kind != REPLY_ERROR)
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(passing); i++)
        if (reply_error_is(reply, passing[i]))
            return error_set(err, ERROR_AGAIN, "Redis says: %s", reply->text);
    if (reply_error_is(reply, "NOAUTH") || reply_error_is(reply, "WRONGPASS") || reply_error_is(reply, "NOPERM"))
        return error_set(err, ERROR_CONFIG, "Redis says: %s", reply->text);
    return error_set(err, ERROR_INPUT, "Redis says: %s", reply->text);
}

const struct reply *reply_field(const struct reply *flat, const char *name)
{
    for (size_t i = 0; i + 1 < flat->count; i += 2)
        if (flat->items[i].text && text_same(flat->items[i].text, name))
            return &flat->items[i + 1];
    return NULL;
}

const char *reply_field_text(const struct reply *flat, const char *name)
{
    const struct reply *value = reply_field(flat, name);

    return value && value->text ? value->text : "";
}

int64_t reply_field_int(const struct reply *flat, const char *name)
{
    const struct reply *value = reply_field(flat, name);

    return value ? value->integer : 0;
}

/* ------------------------------------------------------------------------------------------------ the link */

struct redis *redis_new(const struct redis_options *options)
{
    struct redis *r = xcalloc(1, sizeof *r);

    r->address = options->address;
    r->timeout_ms = options->timeout_ms;
    return r;
}

void redis_drop(struct redis *r)
{
    if (r->link)
        redisFree(r->link);
    r->link = NULL;
}

void redis_free(struct redis *r)
{
    if (!r)
        return;
    redis_drop(r);
    free(r);
}

static const char *address_text(const struct redis_address *a, char out[300])
{
    if (a->path)
        snprintf(out, 300, "%s", a->path);
    else
        snprintf(out, 300, "%s:%d", a->host, a->port);
    return out;
}

static bool link_failed(struct redis *r, struct error *err)
{
    char where[300];
    const char *why = r->link && r->link->errstr[0] ? r->link->errstr : "out of memory";

    if (r->link && r->link->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK))
        error_set(err, ERROR_AGAIN, "Redis at %s: no reply within %d ms", address_text(r->address, where),
                  r->timeout_ms);
    else
        error_set(err, ERROR_AGAIN, "Redis at %s: %s", address_text(r->address, where), why);
    redis_drop(r);
    return false;
}

static bool greet(struct redis *r, struct error *err);

static bool connected(struct redis *r, struct error *err)
{
    struct timeval limit = {r->timeout_ms / 1000, r->timeout_ms % 1000 * 1000};

    if (r->link)
        return true;
    r->link = r->address->path ? redisConnectUnixWithTimeout(r->address->path, limit)
                               : redisConnectWithTimeout(r->address->host, r->address->port, limit);
    if (!r->link || r->link->err)
        return link_failed(r, err);
    redisSetTimeout(r->link, limit);
    if (!r->address->path)
        redisEnableKeepAlive(r->link); /* on a socket of the file system it fails, and marks the link as failed */
    r->link->reader->fn = &reply_functions;
    r->link->reader->privdata = r;
    return greet(r, err);
}

static bool send_words(struct redis *r, const struct args *a, struct error *err)
{
    if (redisAppendCommandArgv(r->link, (int)a->count, a->words, a->lengths) == REDIS_OK)
        return true;
    return link_failed(r, err);
}

static bool read_reply(struct redis *r, struct arena *arena, const struct reply **out, struct error *err)
{
    void *read = NULL;
    struct reply *copy;

    r->arena = arena;
    r->root = (struct reply){0};
    errno = 0;
    if (redisGetReply(r->link, &read) != REDIS_OK)
        return link_failed(r, err);
    copy = arena_alloc(arena, sizeof *copy);
    *copy = r->root;
    *out = copy;
    return true;
}

/* AUTH and SELECT on a new link. */
static bool greet(struct redis *r, struct error *err)
{
    const struct redis_address *a = r->address;
    struct args args = ARGS_INIT;
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = true;

    if (a->password) {
        args_text(&args, "AUTH");
        if (a->user)
            args_text(&args, a->user);
        args_text(&args, a->password);
        ok = send_words(r, &args, err) && read_reply(r, arena, &reply, err) && reply_ok(reply, err);
    }
    if (ok && a->database) {
        args_reset(&args);
        args_text(&args, "SELECT");
        args_int(&args, a->database);
        ok = send_words(r, &args, err) && read_reply(r, arena, &reply, err) && reply_ok(reply, err);
    }
    if (!ok)
        redis_drop(r);
    args_release(&args);
    arena_free(arena);
    return ok;
}

bool redis_append(struct redis *r, const struct args *a, struct error *err)
{
    return connected(r, err) && send_words(r, a, err);
}

bool redis_next(struct redis *r, struct arena *arena, const struct reply **out, struct error *err)
{
    if (!r->link)
        return error_set(err, ERROR_AGAIN, "Redis: the link was lost in the middle of a pipeline");
    return read_reply(r, arena, out, err);
}

/* A master that became a replica stays one: the address may lead to its successor by now. */
static void leave_replica(struct redis *r, const struct reply *reply)
{
    if (reply_error_is(reply, "READONLY"))
        redis_drop(r);
}

bool redis_call(struct redis *r, const struct args *a, struct arena *arena, const struct reply **out, struct error *err)
{
    if (!redis_append(r, a, err) || !redis_next(r, arena, out, err))
        return false;
    leave_replica(r, *out);
    return true;
}

bool redis_do(struct redis *r, struct arena *arena, const struct reply **out, struct error *err, const char *format,
              ...)
{
    const struct reply *reply;
    va_list words;
    int status;

    if (!connected(r, err))
        return false;
    va_start(words, format);
    status = redisvAppendCommand(r->link, format, words);
    va_end(words);
    if (status != REDIS_OK)
        return link_failed(r, err);
    if (!read_reply(r, arena, &reply, err))
        return false;
    leave_replica(r, reply);
    if (!reply_ok(reply, err))
        return false;
    if (out)
        *out = reply;
    return true;
}

/* ------------------------------------------------------------------------------------------------ scripts */

/* Whoever needs it first works it out; threads share the script. */
static void know_sha(struct redis_script *s)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    unsigned char digest[SHA_DIGEST_LENGTH];

    pthread_mutex_lock(&mutex);
    if (!s->sha[0]) {
        SHA1((const unsigned char *)s->text, strlen(s->text), digest);
        hash_hex(digest, sizeof digest, s->sha);
    }
    pthread_mutex_unlock(&mutex);
}

void redis_script_args(struct redis_script *s, struct args *a, int keys)
{
    know_sha(s);
    args_reset(a);
    args_text(a, "EVALSHA");
    args_text(a, s->sha);
    args_int(a, keys);
}

bool redis_script_load(struct redis *r, struct redis_script *s, struct error *err)
{
    struct arena *arena = arena_new();
    bool ok = redis_do(r, arena, NULL, err, "SCRIPT LOAD %s", s->text);

    arena_free(arena);
    return ok;
}

bool redis_script_call(struct redis *r, struct redis_script *s, const struct args *a, struct arena *arena,
                       const struct reply **out, struct error *err)
{
    if (!redis_call(r, a, arena, out, err))
        return false;
    if (reply_error_is(*out, "NOSCRIPT") && (!redis_script_load(r, s, err) || !redis_call(r, a, arena, out, err)))
        return false;
    return reply_ok(*out, err);
}
