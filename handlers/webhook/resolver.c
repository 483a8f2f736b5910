#include "handlers/webhook/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/alloc.h"
#include "handlers/webhook/name_pace.h"

/*
 * getaddrinfo knows no time limit: it runs in threads, which nobody waits for where it takes too long. What is an
 * address already needs none.
 */
enum {
    STACK_BYTES = 256 * 1024,
    TRY_S = 2, /* of a name server */
    TRIES = 2,
};

/*
 * Threads that may be at names of a pace: those that hang keep none of the others from being asked for. Where many turn
 * late while they are asked for, they give up their places until so many threads are with them.
 */
static const size_t most_of[PACE_COUNT] = {[PACE_NEW] = 48, [PACE_PROMPT] = 64, [PACE_LATE] = 16};
enum { TURNED_LATE_MOST = 48 };

/* A name that is asked for: all who want it at that time share the one answer. */
struct name {
    char *host;
    struct addrinfo *list;
    int code;
    enum name_pace pace;
    bool running, threadless, done;
    struct question *askers; /* who wait for it */
    size_t holders;          /* questions, and the thread: the last one frees it */
    struct name *next;
};

struct question {
    pthread_cond_t answered;
    struct name *name;
    int wake; /* -1: nobody to be woken */
    struct question *next;
};

/* Under the mutex, as all names and questions. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct name *names; /* in the order they came */
static size_t threads, threads_at[PACE_COUNT];

/* ------------------------------------------------------------------------------------------------------- names */

static struct name *name_find(const char *host)
{
    for (struct name *n = names; n; n = n->next)
        if (strcasecmp(n->host, host) == 0)
            return n;
    return NULL;
}

static struct name *name_new(const char *host)
{
    struct name *n = xcalloc(1, sizeof *n);

    n->host = xstrdup(host);
    return n;
}

static struct name *name_wanted(const char *host)
{
    struct name *n = name_find(host), **at = &names;

    if (n)
        return n;
    n = name_new(host);
    n->pace = name_pace_of(host);
    while (*at)
        at = &(*at)->next;
    *at = n;
    return n;
}

/* It is asked for no more. */
static void name_strike(const struct name *n)
{
    struct name **at = &names;

    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
}

static void name_leave(struct name *n)
{
    if (--n->holders > 0)
        return;
    if (n->list)
        freeaddrinfo(n->list);
    free(n->host);
    free(n);
}

static bool may_run(const struct name *n)
{
    return !n->running && threads < RESOLVER_THREADS_MOST && threads_at[n->pace] < most_of[n->pace];
}

static struct name *name_next(void)
{
    struct name *n = names;

    while (n && !may_run(n))
        n = n->next;
    return n;
}

/* ----------------------------------------------------------------------------------------------------- threads */

static void tell_all(struct name *n)
{
    name_strike(n);
    n->done = true;
    while (n->askers) {
        struct question *q = n->askers;

        n->askers = q->next;
        pthread_cond_signal(&q->answered);
        if (q->wake >= 0)
            eventfd_write(q->wake, 1);
    }
}

/* Without the mutex, for as long as it takes. */
static void ask_system(struct name *n)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int code;

    pthread_mutex_unlock(&mutex);
    code = getaddrinfo(n->host, NULL, &hints, &list);
    pthread_mutex_lock(&mutex);
    n->code = code;
    n->list = list;
    if (n->askers)
        name_pace_note(n->host, PACE_PROMPT);
}

/* A name server that is silent is given up sooner than by the system's own settings: by this thread, and no other. */
static void be_brief(void)
{
    if (res_ninit(&_res) != 0)
        return;
    if (_res.retrans > TRY_S)
        _res.retrans = TRY_S;
    if (_res.retry > TRIES)
        _res.retry = TRIES;
    _res.options |= RES_NORELOAD;
}

static void count_in(struct name *n)
{
    n->running = true;
    n->holders++;
    threads++;
    threads_at[n->pace]++;
}

static void count_out(struct name *n)
{
    threads--;
    threads_at[n->pace]--;
    name_leave(n);
}

static void *run(void *context)
{
    struct name *n = context;

    pthread_mutex_lock(&mutex);
    be_brief(); /* the list it keeps of such settings has a lock of its own, which thread sanitizers do not know */
    while (n) {
        ask_system(n);
        tell_all(n);
        count_out(n);
        n = name_next();
        if (n)
            count_in(n);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void start_thread(struct name *n)
{
    pthread_attr_t detached;
    pthread_t thread;

    count_in(n);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, STACK_BYTES);
    if (pthread_create(&thread, &detached, run, n) != 0) {
        n->threadless = true;
        tell_all(n);
        count_out(n);
    }
    pthread_attr_destroy(&detached);
}

static void start_threads(void)
{
    struct name *n;

    while ((n = name_next()))
        start_thread(n);
}

/* --------------------------------------------------------------------------------------------------- questions */

static struct question *question_new(int wake)
{
    struct question *q = xcalloc(1, sizeof *q);
    pthread_condattr_t monotonic;

    q->wake = wake;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return q;
}

static void question_free(struct question *q)
{
    pthread_cond_destroy(&q->answered);
    free(q);
}

/* NULL: it is no address. */
static struct name *address(const char *host)
{
    static const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *list;
    struct name *n;

    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return NULL;
    n = name_new(host);
    n->list = list;
    n->done = true;
    return n;
}

struct question *resolver_ask(const char *host, int wake)
{
    struct question *q = question_new(wake);

    q->name = address(host);
    if (q->name) {
        q->name->holders++;
        return q;
    }
    pthread_mutex_lock(&mutex);
    q->name = name_wanted(host);
    q->name->holders++;
    q->next = q->name->askers;
    q->name->askers = q;
    start_threads();
    pthread_mutex_unlock(&mutex);
    return q;
}

bool resolver_answered(struct question *q)
{
    bool done;

    pthread_mutex_lock(&mutex);
    done = q->name->done;
    pthread_mutex_unlock(&mutex);
    return done;
}

/* A name that turns out late gives its place to others of its pace; one that nobody waits for is not asked. */
static void give_up(struct question *q)
{
    struct name *n = q->name;
    struct question **at = &n->askers;

    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    if (!n->running && !n->askers)
        name_strike(n);
    if (!n->running)
        return;
    name_pace_note(n->host, PACE_LATE);
    if (n->pace == PACE_LATE || threads_at[PACE_LATE] >= TURNED_LATE_MOST)
        return;
    threads_at[n->pace]--;
    n->pace = PACE_LATE;
    threads_at[PACE_LATE]++;
    start_threads();
}

static bool read_answer(const struct name *n, struct addresses *out, struct error *err)
{
    out->count = 0;
    if (!n->done)
        return error_set(err, ERROR_AGAIN, "the addresses of %s were not told in time", n->host);
    if (n->threadless)
        return error_set(err, ERROR_AGAIN, "no thread for the addresses of %s", n->host);
    if (n->code != 0)
        return error_set(err, ERROR_AGAIN, "%s: %s", n->host, gai_strerror(n->code));
    for (const struct addrinfo *a = n->list; a; a = a->ai_next) {
        if (out->count == ADDRESSES_MOST)
            return error_set(err, ERROR_AGAIN, "%s has more than %d addresses", n->host, ADDRESSES_MOST);
        memcpy(&out->items[out->count++], a->ai_addr, a->ai_addrlen);
    }
    return out->count > 0 || error_set(err, ERROR_AGAIN, "%s has no address", n->host);
}

bool resolver_take(struct question *q, struct addresses *out, struct error *err)
{
    bool ok;

    pthread_mutex_lock(&mutex);
    if (!q->name->done)
        give_up(q);
    ok = read_answer(q->name, out, err);
    name_leave(q->name);
    pthread_mutex_unlock(&mutex);
    question_free(q);
    return ok;
}

static struct timespec after_ms(int wait_ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += wait_ms / 1000;
    at.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool resolver_system(const char *host, int wait_ms, struct addresses *out, struct error *err)
{
    struct question *q = resolver_ask(host, -1);
    struct timespec until = after_ms(wait_ms);

    pthread_mutex_lock(&mutex);
    while (!q->name->done && pthread_cond_timedwait(&q->answered, &mutex, &until) == 0)
        continue;
    pthread_mutex_unlock(&mutex);
    return resolver_take(q, out, err);
}
