#include "notifier/verb_deed.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/log.h"
#include "notifier/deed.h"

enum { GO_ON_SECONDS = DEED_LIFE_MS / 1000 / 5 };

static struct {
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    struct redis *redis; /* NULL: there was no deed yet */
    struct deed *deed;   /* NULL: none is under way */
    pthread_t thread;
    bool over;
} verb = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* What cannot be said now is said the next time. */
static void *say_that_it_goes_on(void *unused)
{
    struct timespec next;
    struct error err;

    (void)unused;
    pthread_mutex_lock(&verb.mutex);
    clock_gettime(CLOCK_MONOTONIC, &next);
    while (!verb.over) {
        next.tv_sec += GO_ON_SECONDS;
        while (!verb.over && pthread_cond_timedwait(&verb.changed, &verb.mutex, &next) == 0)
            ;
        if (!verb.over && verb.deed && !deed_go_on(verb.deed, verb.redis, &err))
            log_debug("%s", err.text);
    }
    pthread_mutex_unlock(&verb.mutex);
    return NULL;
}

/* Signals are for the verb's own thread. */
static void start(const struct settings *s)
{
    pthread_condattr_t monotonic;
    sigset_t all, before;
    struct error err;

    verb.redis = settings_redis(s);
    verb.over = false;
    if (!deeds_tell_lost(s, verb.redis, &err))
        log_debug("%s", err.text);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&verb.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_create(&verb.thread, NULL, say_that_it_goes_on, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool end(const char *failed, int exit_code, struct error *err)
{
    struct deed *d = verb.deed;

    verb.deed = NULL;
    return !d || deed_end(d, verb.redis, failed, exit_code, err);
}

bool verb_deed_begin(const struct settings *s, const char *type, const char *subject, json_t *data, struct error *err)
{
    bool ok;

    pthread_mutex_lock(&verb.mutex);
    if (!verb.redis)
        start(s);
    ok = end(NULL, 0, err);
    if (ok)
        verb.deed = deed_begin(s, verb.redis, type, subject, NULL, data, err);
    else
        json_decref(data);
    ok = ok && verb.deed;
    pthread_mutex_unlock(&verb.mutex);
    return ok;
}

bool verb_deed_settle(bool done, const struct error *why)
{
    struct error err;
    bool told;

    pthread_mutex_lock(&verb.mutex);
    told = end(done ? NULL : why->text, 0, &err);
    pthread_mutex_unlock(&verb.mutex);
    if (!told)
        log_warn("%s", err.text);
    return done;
}

bool verb_deed_over(const char *failed, int exit_code, struct error *err)
{
    bool told;

    pthread_mutex_lock(&verb.mutex);
    told = end(failed, exit_code, err);
    verb.over = true;
    if (verb.redis)
        pthread_cond_broadcast(&verb.changed);
    pthread_mutex_unlock(&verb.mutex);
    if (!verb.redis)
        return told;
    pthread_join(verb.thread, NULL);
    pthread_cond_destroy(&verb.changed);
    redis_free(verb.redis);
    verb.redis = NULL;
    return told;
}
