#include "notifier/access/access.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "notifier/pattern.h"

enum { LOOK_EVERY_MS = 500 };

struct access {
    bool loopback_is_open;
    const char *listen; /* lent by the settings */
    bool told;          /* what there being no token means */
    struct redis *redis;
    struct stop *stop;
    pthread_t thread;
    pthread_mutex_t mutex; /* over what follows */
    struct token *tokens;  /* by id */
    size_t count;
    bool read; /* else Redis was not reached yet, and nobody knows what there is */
};

/* ---------------------------------------------------------------------------------------- what tokens there are */

static void adopt(struct access *a, const struct token *tokens, size_t count)
{
    struct token *copy = xcalloc(count + 1, sizeof *copy), *before;

    memcpy(copy, tokens, count * sizeof *copy);
    pthread_mutex_lock(&a->mutex);
    before = a->tokens;
    a->tokens = copy;
    a->count = count;
    a->read = true;
    pthread_mutex_unlock(&a->mutex);
    free(before);
}

static bool is_of_this_machine(const char *listen)
{
    return text_starts(listen, "127.") || text_starts(listen, "[::1]");
}

/* Once, as an operator who waits for requests from elsewhere looks into the log first. */
static void tell_without_tokens(struct access *a, size_t count)
{
    if (count > 0 || a->told)
        return;
    if (!a->loopback_is_open)
        log_warn("[http] access = tokens, and there is none: nobody is served before `crier tokens create`");
    else if (!is_of_this_machine(a->listen))
        log_warn("[http] listen = %s, and there is no token: only this machine is served before `crier tokens create`",
                 a->listen);
    a->told = true;
}

/* The number first: a token that comes in between changes it again. */
static bool look(struct access *a, struct arena *arena, int64_t *seen, struct error *err)
{
    struct token *tokens;
    int64_t generation;
    size_t count;

    arena_reset(arena);
    if (!token_generation(a->redis, arena, &generation, err))
        return false;
    if (generation == *seen)
        return true;
    if (!token_list(a->redis, arena, &tokens, &count, err))
        return false;
    adopt(a, tokens, count);
    tell_without_tokens(a, count);
    *seen = generation;
    return true;
}

static void *keep_looking(void *context)
{
    struct log_limit limit = LOG_LIMIT_INIT;
    struct access *a = context;
    struct arena *arena = arena_new();
    int64_t seen = -1;
    struct error err;

    do
        if (!look(a, arena, &seen, &err))
            log_limited(&limit, LOG_LEVEL_WARN, "the tokens cannot be read: %s; those known last count", err.text);
    while (!stop_sleep(a->stop, LOOK_EVERY_MS));
    arena_free(arena);
    return NULL;
}

struct access *access_new(const struct settings *s)
{
    struct access *a = xcalloc(1, sizeof *a);

    a->loopback_is_open = s->http.access == ACCESS_LOOPBACK;
    a->listen = s->http.listen;
    a->redis = settings_redis(s);
    a->stop = stop_new();
    pthread_mutex_init(&a->mutex, NULL);
    pthread_create(&a->thread, NULL, keep_looking, a);
    return a;
}

void access_free(struct access *a)
{
    if (!a)
        return;
    stop_raise(a->stop);
    pthread_join(a->thread, NULL);
    pthread_mutex_destroy(&a->mutex);
    stop_free(a->stop);
    redis_free(a->redis);
    free(a->tokens);
    free(a);
}

/* ----------------------------------------------------------------------------------------------- one who asks */

static bool find_token(struct access *a, const char *id, struct token *out, bool *read)
{
    bool found = false;

    pthread_mutex_lock(&a->mutex);
    *read = a->read;
    for (size_t i = 0; i < a->count && !found; i++)
        if (strcmp(a->tokens[i].id, id) == 0) {
            *out = a->tokens[i];
            found = true;
        }
    pthread_mutex_unlock(&a->mutex);
    return found;
}

static unsigned refused(unsigned status, const char *text, const char **reason)
{
    *reason = text;
    return status;
}

/* What was wrong with it is not told apart: neither the id nor the secret can be guessed by it. */
static unsigned check_token(struct access *a, const char *text, struct caller *out, const char **reason)
{
    char id[TOKEN_ID_BYTES], secret[TOKEN_SECRET_BYTES];
    struct token token;
    bool read = true;

    if (!token_parse(text, id, secret) || !find_token(a, id, &token, &read) || !token_is(&token, secret))
        return !read ? refused(503, "the tokens cannot be read yet: try again", reason)
                     : refused(401, "this token is not known (any more)", reason);
    if (token.expires_us && token.expires_us <= clock_wall_us())
        return refused(401, "this token has expired", reason);
    *out = (struct caller){.scopes = token.scopes & SCOPE_ADMIN ? SCOPE_ALL : token.scopes};
    memcpy(out->id, token.id, sizeof out->id);
    memcpy(out->name, token.name, sizeof out->name);
    memcpy(out->events, token.events, sizeof out->events);
    return 0;
}

static const char *why_a_token_is_needed(const struct access *a, enum asked_from from)
{
    if (a->loopback_is_open && from == FROM_THIS_MACHINE_BY_A_NAME)
        return "without a token this door is asked only as localhost, 127.0.0.1 or [::1], and Host has another name: "
               "ask "
               "by one of these, or with a token (Authorization: Bearer crier_...) that the operator makes by `crier "
               "tokens create`";
    return "a token is needed (Authorization: Bearer crier_...): the operator makes one by `crier tokens create`";
}

unsigned access_check(struct access *a, const char *authorization, enum asked_from from, enum scope needed,
                      struct caller *out, const char **reason)
{
    static const char bearer[] = "Bearer ";
    unsigned status = 0;

    *out = (struct caller){.scopes = SCOPE_NONE};
    if (authorization && strncasecmp(authorization, bearer, sizeof bearer - 1) == 0)
        status = check_token(a, authorization + sizeof bearer - 1, out, reason);
    else if (from == FROM_THIS_MACHINE && a->loopback_is_open)
        out->scopes = SCOPE_ALL;
    else if (needed != SCOPE_NONE)
        return refused(401, why_a_token_is_needed(a, from), reason);
    if (needed == SCOPE_NONE)
        return 0;
    if (!status && !(out->scopes & needed))
        status = refused(403, "the token has not the scope that this needs", reason);
    return status;
}

bool caller_may_see(const struct caller *c, struct span type)
{
    return !c->events[0] || patterns_match(c->events, type);
}
