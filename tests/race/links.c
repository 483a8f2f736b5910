#include "race/links.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "race/actor.h"

enum { SCRIPTS_MOST = 64, POSTPONED_MOST = 8 };

static links_server *server;
static void *server_context;
static links_observer *observer;
static void *observer_context;
static _Atomic int64_t now_us; /* 0: the real clocks */
static atomic_bool scripts_ask_for_time;

void links_answer_with(links_server *s, void *context)
{
    server = s;
    server_context = context;
}

void links_tell(links_observer *o, void *context)
{
    observer = o;
    observer_context = context;
}

/* ------------------------------------------------------------------------------------------------------- HTTP */

bool __real_http_send(struct http *h, const struct http_request *request, struct http_reply *reply, struct error *err);
bool __wrap_http_send(struct http *h, const struct http_request *request, struct http_reply *reply, struct error *err);

static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://"), *path = strchr(host ? host + 3 : url, '/');

    return path ? path : "/";
}

static bool carry_out(struct http *h, const struct http_request *request, struct http_reply *reply, struct error *err)
{
    const char *path = path_of(request->url);

    if (server) {
        buf_reset(&reply->body);
        reply->retry_after_s = -1;
        reply->may_have_effect = reply->too_long = false;
        server(server_context, request, path, reply);
    } else if (!__real_http_send(h, request, reply, err)) {
        return false;
    }
    if (observer)
        observer(observer_context, request, path, reply);
    return true;
}

static bool no_reply(struct http_reply *reply, bool may_have_effect, struct error *err)
{
    buf_reset(&reply->body);
    reply->status = 0;
    reply->may_have_effect = may_have_effect;
    reply->too_long = false;
    return error_set(err, ERROR_AGAIN, "the process was killed");
}

bool __wrap_http_send(struct http *h, const struct http_request *request, struct http_reply *reply, struct error *err)
{
    const char *path = path_of(request->url);
    char what[160];

    snprintf(what, sizeof what, "%s %.*s", request->method, (int)strcspn(path, "?"), path);
    switch (actor_stop(what)) {
    case ORDER_GO:
        return carry_out(h, request, reply, err);
    case ORDER_CUT_AFTER:
        if (carry_out(h, request, reply, err))
            return no_reply(reply, true, err);
        return false;
    default:
        return no_reply(reply, true, err);
    }
}

/* ------------------------------------------------------------------------------------------------------ clocks */

int64_t __real_clock_wall_us(void);
int64_t __wrap_clock_wall_us(void);
int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t links_time(void)
{
    return now_us;
}

void links_set_time(int64_t us)
{
    now_us = us;
}

int64_t __wrap_clock_wall_us(void)
{
    int64_t now = now_us;

    return now ? now : __real_clock_wall_us();
}

int64_t __wrap_clock_monotonic_ms(void)
{
    int64_t now = now_us;

    return now ? now / 1000 : __real_clock_monotonic_ms();
}

/* ----------------------------------------------------------------------------------------------------- threads */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context);
int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);

/* A thread of an actor that was not joined yet; its number, from 1 on, goes by as the thread's. */
static struct {
    void *(*run)(void *);
    void *context;
} postponed[POSTPONED_MOST];

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context)
{
    size_t i = 0;

    if (!actor_self())
        return __real_pthread_create(thread, attributes, run, context);
    while (i < POSTPONED_MOST && postponed[i].run)
        i++;
    if (i == POSTPONED_MOST)
        abort();
    postponed[i].run = run;
    postponed[i].context = context;
    *thread = (pthread_t)(i + 1);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    size_t i = (size_t)thread - 1;
    void *(*run)(void *);
    void *out;

    if (!actor_self())
        return __real_pthread_join(thread, result);
    run = postponed[i].run;
    out = run(postponed[i].context);
    postponed[i].run = NULL;
    if (result)
        *result = out;
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- Redis */

bool __real_redis_call(struct redis *r, const struct args *a, struct arena *arena, const struct reply **out,
                       struct error *err);
bool __wrap_redis_call(struct redis *r, const struct args *a, struct arena *arena, const struct reply **out,
                       struct error *err);
bool __wrap_redis_do(struct redis *r, struct arena *arena, const struct reply **out, struct error *err,
                     const char *format, ...);
bool __real_redis_append(struct redis *r, const struct args *a, struct error *err);
bool __wrap_redis_append(struct redis *r, const struct args *a, struct error *err);
bool __real_redis_next(struct redis *r, struct arena *arena, const struct reply **out, struct error *err);
bool __wrap_redis_next(struct redis *r, struct arena *arena, const struct reply **out, struct error *err);
void __real_redis_script_args(struct redis_script *s, struct args *a, int keys);
void __wrap_redis_script_args(struct redis_script *s, struct args *a, int keys);
bool __real_redis_script_load(struct redis *r, struct redis_script *s, struct error *err);
bool __wrap_redis_script_load(struct redis *r, struct redis_script *s, struct error *err);
bool __real_redis_script_call(struct redis *r, struct redis_script *s, const struct args *a, struct arena *arena,
                              const struct reply **out, struct error *err);
bool __wrap_redis_script_call(struct redis *r, struct redis_script *s, const struct args *a, struct arena *arena,
                              const struct reply **out, struct error *err);

static bool killed(struct error *err)
{
    return error_set(err, ERROR_AGAIN, "the process was killed");
}

static enum order stop_before(const struct args *a, const char *script)
{
    char what[160];

    if (script)
        snprintf(what, sizeof what, "script %.140s", script);
    else
        snprintf(what, sizeof what, "%.20s %.120s", a->words[0], a->count > 1 ? a->words[1] : "");
    what[strcspn(what, "\n")] = '\0';
    return actor_stop(what);
}

bool __wrap_redis_call(struct redis *r, const struct args *a, struct arena *arena, const struct reply **out,
                       struct error *err)
{
    enum order order = stop_before(a, NULL);

    if (order == ORDER_CUT_BEFORE || !__real_redis_call(r, a, arena, out, err))
        return order == ORDER_CUT_BEFORE ? killed(err) : false;
    return order == ORDER_GO || killed(err);
}

/* The words of a command as RESP has them: "*2\r\n$3\r\nGET\r\n$1\r\na\r\n". */
static void add_words(struct args *a, const char *command)
{
    long count = strtol(command + 1, NULL, 10);
    const char *at = strchr(command, '\n') + 1;

    for (long i = 0; i < count; i++) {
        size_t length = (size_t)strtoul(at + 1, NULL, 10);

        at = strchr(at, '\n') + 1;
        args_bytes(a, at, length);
        at += length + 2;
    }
}

bool __wrap_redis_do(struct redis *r, struct arena *arena, const struct reply **out, struct error *err,
                     const char *format, ...)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    char *command;
    va_list words;
    bool ok;

    va_start(words, format);
    if (redisvFormatCommand(&command, format, words) < 0)
        abort();
    va_end(words);
    add_words(&args, command);
    ok = __wrap_redis_call(r, &args, arena, &reply, err) && reply_ok(reply, err);
    if (ok && out)
        *out = reply;
    args_release(&args);
    redisFreeCommand(command);
    return ok;
}

bool __wrap_redis_append(struct redis *r, const struct args *a, struct error *err)
{
    const struct actor *self = actor_self();

    return self && actor_was_cut(self) ? killed(err) : __real_redis_append(r, a, err);
}

/* The commands of a pipeline go out with the first reply that is asked for: what is cut here may have had its effect.
 */
bool __wrap_redis_next(struct redis *r, struct arena *arena, const struct reply **out, struct error *err)
{
    enum order order = actor_stop("replies of Redis");

    if (order == ORDER_CUT_BEFORE || !__real_redis_next(r, arena, out, err))
        return order == ORDER_CUT_BEFORE ? killed(err) : false;
    return order == ORDER_GO || killed(err);
}

/* --------------------------------------------------------------------- scripts that ask for the time are given ours */

#define ASKS_FOR_TIME "redis.call('TIME')"
#define IS_GIVEN_TIME "redis.call('HMGET', 'race:time', 's', 'us')"

static struct {
    struct redis_script *original, changed;
} scripts[SCRIPTS_MOST];
static size_t script_count;

static char *changed_text(const char *text)
{
    struct buf out = BUF_INIT;
    const char *found;

    while ((found = strstr(text, ASKS_FOR_TIME))) {
        buf_add(&out, text, (size_t)(found - text));
        buf_add_text(&out, IS_GIVEN_TIME);
        text = found + strlen(ASKS_FOR_TIME);
    }
    buf_add_text(&out, text);
    return buf_take(&out);
}

static struct redis_script *in_place_of(struct redis_script *s)
{
    size_t i;

    if (!actor_self() || !strstr(s->text, ASKS_FOR_TIME))
        return s;
    for (i = 0; i < script_count && scripts[i].original != s; i++)
        ;
    if (i == SCRIPTS_MOST)
        abort();
    if (i == script_count) {
        scripts[i].original = s;
        scripts[i].changed.text = changed_text(s->text); /* as long as the process, as the script itself */
        script_count++;
    }
    scripts_ask_for_time = true;
    return &scripts[i].changed;
}

void __wrap_redis_script_args(struct redis_script *s, struct args *a, int keys)
{
    __real_redis_script_args(in_place_of(s), a, keys);
}

bool __wrap_redis_script_load(struct redis *r, struct redis_script *s, struct error *err)
{
    return __real_redis_script_load(r, in_place_of(s), err);
}

bool __wrap_redis_script_call(struct redis *r, struct redis_script *s, const struct args *a, struct arena *arena,
                              const struct reply **out, struct error *err)
{
    enum order order = stop_before(a, s->text);

    if (order == ORDER_CUT_BEFORE)
        return killed(err);
    return __real_redis_script_call(r, in_place_of(s), a, arena, out, err) && (order == ORDER_GO || killed(err));
}

bool links_time_is_asked(void)
{
    return scripts_ask_for_time;
}

void links_keep_time(struct redis *r)
{
    struct arena *arena = arena_new();
    struct error err;

    if (!redis_do(r, arena, NULL, &err, "HMSET race:time s %lld us %lld", (long long)(now_us / US_PER_SECOND),
                  (long long)(now_us % US_PER_SECOND)))
        abort();
    arena_free(arena);
}
