#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "handlers/query/stats_query.h"
#include "notifier/guard.h"
#include "notifier/platform/platform_door.h"
#include "scheduler/clock_part.h"
#include "scheduler/clock_workers.h"
#include "scheduler/held.h"
#include "scheduler/monitor.h"
#include "scheduler/verbs.h"
#include "scheduler/worker.h"

enum { PART_DOOR = 1, PART_HANDLERS = 2, PART_CLOCK = 4, PARTS_ALL = 7 };

enum { PAGES_MOST = 8 };

/* What runs; NULL where the part is not asked for. */
struct parts {
    struct stop *stop;
    struct monitor *monitor;
    struct clock_part *clock;
    struct clock_workers *clock_workers;
    struct workers *workers;
    struct stats_query *stats_query;
    struct door_page pages[PAGES_MOST + 1]; /* ended by a zero row */
    size_t page_count;
    struct door *door;
    struct platform_door *platform_door;
};

/* "host-pid-xxxx": no two processes have the same, even in containers with the same host name and pid. */
static void name_process(char out[128])
{
    char host[65] = "localhost", random[9];
    unsigned char secret[4];

    gethostname(host, sizeof host - 1);
    for (char *c = host; *c; c++)
        if (*c == '/' || *c == ' ')
            *c = '-';
    random_secret(secret, sizeof secret);
    hash_hex(secret, sizeof secret, random);
    snprintf(out, 128, "%s-%d-%s", host, (int)getpid(), random);
}

static bool parse_parts(const struct verb_call *call, int *parts, struct error *err)
{
    static const struct {
        const char *name;
        int bit;
    } known[] = {
        {"door",     PART_DOOR    },
        {"handlers", PART_HANDLERS},
        {"clock",    PART_CLOCK   }
    };

    *parts = call->argc ? 0 : PARTS_ALL;
    for (int i = 0; i < call->argc; i++) {
        int bit = 0;

        for (size_t j = 0; j < ARRAY_LENGTH(known); j++)
            if (strcmp(call->argv[i], known[j].name) == 0)
                bit = known[j].bit;
        if (!bit)
            return error_set(err, ERROR_INPUT, "no part \"%s\": there are door, handlers and clock", call->argv[i]);
        *parts |= bit;
    }
    return true;
}

/* Waits for one of the signals that end us, at most ms; 0: none came. */
static int wait_signal(int64_t ms)
{
    struct timespec limit = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    sigset_t set;
    int signal;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal = sigtimedwait(&set, NULL, &limit);
    return signal > 0 ? signal : 0;
}

/* Before the first thread, so that all inherit it. */
static void block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* A Redis that is not there yet is waited for; one that may forget is refused, unless `unsafe = yes`. */
static bool redis_is_safe(const struct settings *s, bool *stopped, struct error *err)
{
    struct redis *r = settings_redis(s);
    struct log_limit limit = LOG_LIMIT_INIT;
    bool ok;

    for (int failures = 0; !(ok = guard_check(r, err)) && err->kind == ERROR_AGAIN; failures++) {
        log_limited(&limit, LOG_LEVEL_WARN, "%s; waiting for it", err->text);
        sd_notify(0, "STATUS=waiting for Redis\nEXTEND_TIMEOUT_USEC=30000000");
        *stopped = wait_signal(backoff_ms(failures, 250, 5000)) != 0;
        if (*stopped)
            break;
    }
    redis_free(r);
    if (!ok && err->kind == ERROR_CONFIG && s->redis.unsafe) {
        log_warn("%s; going on, as [redis] unsafe = yes", err->text);
        ok = true;
    }
    return ok;
}

static void add_page(struct parts *p, const struct door_page *page)
{
    assert(p->page_count < PAGES_MOST);
    p->pages[p->page_count++] = *page;
}

/* Also where the platform itself has its statistics, for whoever only changes the host. */
static bool start_door(struct parts *p, const struct settings *s, struct error *err)
{
    static const char *const stats_paths[] = {"/stats", "/api/stats"};

    for (const struct door_page *page = monitor_pages(p->monitor); page->path; page++)
        add_page(p, page);
    if (s->query_count > 0 && !(p->stats_query = stats_query_new(s, err)))
        return false;
    for (size_t i = 0; p->stats_query && i < ARRAY_LENGTH(stats_paths); i++)
        add_page(p, &(struct door_page){.path = stats_paths[i],
                                        .content_type = "application/json",
                                        .answer = stats_query_answer,
                                        .context = p->stats_query,
                                        .body_bytes = STATS_QUERY_BODY_BYTES});
    if (!(p->door = door_open(s, p->pages, err)))
        return false;
    return !*s->platform.url || (p->platform_door = platform_door_start(s, p->stop, err));
}

static bool start_parts(struct parts *p, const struct settings *s, const char *process, int parts, struct error *err)
{
    p->stop = stop_new();
    p->monitor = monitor_start(s, p->stop);
    p->clock = clock_part_start(s, process, parts & PART_CLOCK, p->stop);
    if (parts & PART_CLOCK && !(p->clock_workers = clock_workers_start(s, process, p->stop, err)))
        return false;
    if (parts & PART_HANDLERS && !(p->workers = workers_start(s, process, p->stop, err)))
        return false;
    if (parts & PART_DOOR && !start_door(p, s, err))
        return false;
    return true;
}

struct ending {
    struct parts *parts;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool over;
};

/* In the reverse order of their start: first nothing more comes in. */
static void *end_parts(void *context)
{
    struct ending *e = context;
    struct parts *p = e->parts;

    if (p->door)
        door_close(p->door);
    stats_query_free(p->stats_query);
    stop_raise(p->stop);
    platform_door_join(p->platform_door);
    if (p->workers)
        workers_join(p->workers);
    if (p->clock_workers)
        clock_workers_join(p->clock_workers);
    clock_part_join(p->clock);
    monitor_join(p->monitor);
    stop_free(p->stop);
    pthread_mutex_lock(&e->mutex);
    e->over = true;
    pthread_mutex_unlock(&e->mutex);
    kill(getpid(), SIGTERM); /* wakes main, which waits for signals */
    return NULL;
}

static bool is_over(struct ending *e)
{
    bool over;

    pthread_mutex_lock(&e->mutex);
    over = e->over;
    pthread_mutex_unlock(&e->mutex);
    return over;
}

/* Drains as long as allowed; a second signal, or the time, ends at once: what is unfinished comes again. */
static int drain(struct parts *p, int64_t drain_ms)
{
    struct ending e = {.parts = p, .mutex = PTHREAD_MUTEX_INITIALIZER};
    int64_t until_ms = clock_monotonic_ms() + drain_ms, left_ms;
    pthread_t thread;
    bool again = false;

    sd_notify(0, "STOPPING=1");
    pthread_create(&thread, NULL, end_parts, &e);
    while (!is_over(&e) && !again && (left_ms = until_ms - clock_monotonic_ms()) > 0)
        again = wait_signal(left_ms) && !is_over(&e);
    if (is_over(&e)) {
        pthread_join(thread, NULL);
        return EXIT_DONE;
    }
    log_warn("%s: what is unfinished comes again after the next start",
             again ? "second signal, ending at once" : "not drained in time");
    _exit(EXIT_DONE);
}

/* The longest that a pass may take before the process counts as stuck. */
static int64_t stuck_ms(const struct settings *s)
{
    int64_t longest = 0;

    for (size_t i = 0; i < s->handler_count; i++)
        longest = s->handlers[i].deadline_ms > longest ? s->handlers[i].deadline_ms : longest;
    return 3 * longest + s->opensearch.timeout_ms;
}

static void watch(const struct parts *p, const struct settings *s)
{
    uint64_t watchdog_us = 0;
    int64_t every_ms = sd_watchdog_enabled(0, &watchdog_us) > 0 ? (int64_t)(watchdog_us / 3000) : 60000;

    while (!wait_signal(every_ms))
        if (!p->workers || workers_longest_pass_ms(p->workers) < stuck_ms(s))
            sd_notify(0, "WATCHDOG=1");
}

int verb_serve(struct verb_call *call)
{
    const struct settings *s = call->settings;
    struct parts parts = {0};
    struct error err;
    char process[128];
    bool stopped = false;
    int wanted;

    if (!parse_parts(call, &wanted, &err))
        return verb_usage("serve", err.text);
    log_set_level((enum log_level)s->service.log);
    memory_prepare();
    block_signals();
    name_process(process);
    if (!redis_is_safe(s, &stopped, &err))
        return stopped ? EXIT_DONE : verb_failed("serve", &err);
    if (!start_parts(&parts, s, process, wanted, &err)) {
        drain(&parts, s->service.drain_ms);
        return verb_failed("serve", &err);
    }
    memory_settle();
    log_info("crier %s serves as %s", CRIER_VERSION, process);
    sd_notifyf(0, "READY=1\nSTATUS=serving as %s", process);
    watch(&parts, s);
    log_info("stopping");
    return drain(&parts, s->service.drain_ms);
}
