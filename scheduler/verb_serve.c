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
#include "handlers/audit/audit_page.h"
#include "handlers/history/history_page.h"
#include "handlers/mail/mail_pages.h"
#include "handlers/outside/program.h"
#include "handlers/query/stats_query.h"
#include "handlers/webhook/webhook_pages.h"
#include "notifier/operation/operation_feed.h"
#include "notifier/operation/operation_page.h"
#include "notifier/outbox/outbox_relay.h"
#include "notifier/platform/platform_door.h"
#include "scheduler/clock_part.h"
#include "scheduler/clock_workers.h"
#include "scheduler/configuration_said.h"
#include "scheduler/held.h"
#include "scheduler/monitor.h"
#include "scheduler/redis_awaited.h"
#include "scheduler/reload.h"
#include "scheduler/searchable.h"
#include "scheduler/signals.h"
#include "scheduler/verbs.h"
#include "scheduler/watchdog.h"
#include "scheduler/worker.h"

enum { PART_DOOR = 1, PART_HANDLERS = 2, PART_CLOCK = 4, PART_OUTBOX = 8, PARTS_ALL = 15 };

enum { PAGES_MOST = 32 };

/* What runs; NULL where the part is not asked for. */
struct parts {
    struct stop *stop;
    struct monitor *monitor;
    struct clock_part *clock;
    struct clock_workers *clock_workers;
    struct workers *workers;
    struct stats_query *stats_query;
    struct audit_page *audit_page;
    struct history_pages *history_pages;
    struct webhook_pages *webhook_pages;
    struct mail_pages *mail_pages;
    struct operation_page *operation_page;
    struct searchable searchable;
    struct operation_feed *operation_feed;
    struct door_page pages[PAGES_MOST + 1]; /* ended by a zero row */
    size_t page_count;
    struct door *door;
    struct platform_door *platform_door;
    struct outbox_relays *outbox_relays;
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
        {"clock",    PART_CLOCK   },
        {"outbox",   PART_OUTBOX  }
    };

    *parts = call->argc ? 0 : PARTS_ALL;
    for (int i = 0; i < call->argc; i++) {
        int bit = 0;

        for (size_t j = 0; j < ARRAY_LENGTH(known); j++)
            if (strcmp(call->argv[i], known[j].name) == 0)
                bit = known[j].bit;
        if (!bit)
            return error_set(err, ERROR_INPUT, "no part \"%s\": there are door, handlers, clock and outbox",
                             call->argv[i]);
        *parts |= bit;
    }
    return true;
}

static void add_page(struct parts *p, const struct door_page *page)
{
    assert(p->page_count < PAGES_MOST);
    p->pages[p->page_count++] = *page;
}

static void add_webhook_pages(struct parts *p, const struct settings *s)
{
    static const struct {
        const char *path, *methods;
    } pages[] = {
        {"/webhooks",  "GET, POST"        },
        {"/webhooks/", "GET, POST, DELETE"},
    };

    p->webhook_pages = webhook_pages_new(s);
    for (size_t i = 0; p->webhook_pages && i < ARRAY_LENGTH(pages); i++)
        add_page(p, &(struct door_page){.path = pages[i].path,
                                        .content_type = "application/json",
                                        .methods = pages[i].methods,
                                        .scope = SCOPE_WEBHOOKS,
                                        .answer = webhook_pages_answer,
                                        .context = p->webhook_pages,
                                        .body_bytes = WEBHOOK_PAGE_BODY_BYTES});
}

static void add_mail_pages(struct parts *p, const struct settings *s)
{
    if (!(p->mail_pages = mail_pages_new(s)))
        return;
    add_page(p, &(struct door_page){.path = MAIL_PREFERENCES_PATH,
                                    .content_type = "application/json",
                                    .methods = "GET, PUT",
                                    .scope = SCOPE_MAIL,
                                    .answer = mail_pages_preferences,
                                    .context = p->mail_pages,
                                    .body_bytes = MAIL_PAGE_BODY_BYTES});
    add_page(p, &(struct door_page){.path = MAIL_UNSUBSCRIBE_PATH,
                                    .content_type = "text/html; charset=utf-8",
                                    .methods = "GET, POST",
                                    .scope = SCOPE_NONE,
                                    .answer = mail_pages_unsubscribe,
                                    .context = p->mail_pages,
                                    .body_bytes = MAIL_PAGE_BODY_BYTES,
                                    .any_body = true});
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
                                        .scope = SCOPE_STATS_READ,
                                        .answer = stats_query_answer,
                                        .context = p->stats_query,
                                        .body_bytes = STATS_QUERY_BODY_BYTES});
    if ((p->audit_page = audit_page_new(s)))
        add_page(p, &(struct door_page){.path = "/audit",
                                        .content_type = "application/json",
                                        .methods = "GET",
                                        .scope = SCOPE_AUDIT_READ,
                                        .answer = audit_page_answer,
                                        .context = p->audit_page});
    if ((p->history_pages = history_pages_new(s)))
        add_page(p, &(struct door_page){.path = "/history",
                                        .content_type = "application/json",
                                        .methods = "GET",
                                        .scope = SCOPE_EVENTS_READ,
                                        .answer = history_pages_answer,
                                        .context = p->history_pages});
    add_webhook_pages(p, s);
    add_mail_pages(p, s);
    p->operation_page = operation_page_new(s);
    add_page(p, &(struct door_page){.path = "/operations/",
                                    .content_type = "application/json",
                                    .methods = "GET",
                                    .scope = SCOPE_EVENTS_READ,
                                    .answer = operation_page_answer,
                                    .context = p->operation_page});
    if (!(p->door = door_open_fed(s, p->pages, p->operation_feed, err)))
        return false;
    monitor_know_door(p->monitor, p->door);
    return !*s->platform.url || (p->platform_door = platform_door_start(s, p->stop, err));
}

static bool start_parts(struct parts *p, const struct settings *s, const char *process, int parts, struct error *err)
{
    p->stop = stop_new();
    p->monitor = monitor_start(s, p->stop);
    p->clock = clock_part_start(s, process, parts & PART_CLOCK, p->stop);
    if (parts & PART_DOOR) {
        p->searchable = searchable_open(s);
        p->operation_feed = operation_feed_start(s, &p->searchable);
    }
    if (parts & PART_CLOCK && !(p->clock_workers = clock_workers_start(s, process, p->stop, err)))
        return false;
    if (parts & PART_HANDLERS && !(p->workers = workers_start(s, process, p->stop, err)))
        return false;
    if (parts & PART_OUTBOX && !(p->outbox_relays = outbox_relays_start(s, p->stop, err)))
        return false;
    monitor_know_outboxes(p->monitor, p->outbox_relays);
    return !(parts & PART_DOOR) || start_door(p, s, err);
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

    monitor_know_door(p->monitor, NULL);
    if (p->door)
        door_close(p->door);
    stats_query_free(p->stats_query);
    audit_page_free(p->audit_page);
    history_pages_free(p->history_pages);
    webhook_pages_free(p->webhook_pages);
    mail_pages_free(p->mail_pages);
    operation_page_free(p->operation_page);
    operation_feed_join(p->operation_feed);
    searchable_close(&p->searchable);
    stop_raise(p->stop);
    platform_door_join(p->platform_door);
    monitor_know_outboxes(p->monitor, NULL);
    outbox_relays_join(p->outbox_relays);
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
    signals_wake();
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

enum drained { DRAINED, DRAIN_LATE, DRAIN_CUT };

/* As long as allowed; another signal that ends us does so at once. But for DRAINED threads are still at work. */
static enum drained drain(struct parts *p, int64_t drain_ms)
{
    struct ending e = {.parts = p, .mutex = PTHREAD_MUTEX_INITIALIZER};
    int64_t until_ms = clock_monotonic_ms() + drain_ms, left_ms;
    pthread_t thread;
    bool cut = false;

    pthread_create(&thread, NULL, end_parts, &e);
    while (!is_over(&e) && !cut && (left_ms = until_ms - clock_monotonic_ms()) > 0) {
        int signal = watchdog_wait(left_ms);

        cut = signal && signal != SIGHUP; /* of a terminal that is closed it comes twice: once by way of the shell */
    }
    if (is_over(&e))
        pthread_join(thread, NULL);
    else
        log_warn("%s: what is unfinished comes again after the next start",
                 cut ? "second signal, ending at once" : "not drained in time");
    signals_forget_wake();
    if (cut)
        return DRAIN_CUT;
    return is_over(&e) ? DRAINED : DRAIN_LATE;
}

static int stop(struct parts *p, int64_t drain_ms, int code)
{
    sd_notify(0, "STOPPING=1");
    if (drain(p, drain_ms) != DRAINED) {
        programs_cut_off();
        _exit(code);
    }
    return code;
}

/* The longest that a pass may take before the process counts as stuck. */
static int64_t stuck_ms(const struct settings *s)
{
    int64_t longest = 0;

    for (size_t i = 0; i < s->handler_count; i++)
        longest = s->handlers[i].deadline_ms > longest ? s->handlers[i].deadline_ms : longest;
    return 3 * longest + s->opensearch.timeout_ms;
}

/* Until a signal ends it; true: to begin anew with the configuration of the file, which is good. */
static bool watch(const struct parts *p, const struct verb_call *call)
{
    int64_t every_ms = watchdog_every_ms();
    int signal;

    while (!signals_end(signal = signals_wait(every_ms))) {
        if (signal && reload_is_good(call, p->door != NULL, p->workers != NULL))
            return true;
        if (!p->workers || workers_longest_pass_ms(p->workers) < stuck_ms(call->settings))
            watchdog_feed();
    }
    return false;
}

static _Noreturn void begin_anew(struct parts *p, const struct verb_call *call)
{
    if (drain(p, call->settings->service.drain_ms) == DRAIN_CUT) {
        programs_cut_off();
        _exit(EXIT_DONE);
    }
    reload_begin(call);
}

/* After a SIGHUP nobody waits for the exit code, and what is wrong may pass, or be put right. */
static int failed(struct parts *p, const struct verb_call *call, bool anew, const struct error *why)
{
    int code = verb_failed("serve", why);

    if (!anew)
        return p->stop ? stop(p, call->settings->service.drain_ms, code) : code;
    if (p->stop && drain(p, call->settings->service.drain_ms) == DRAIN_CUT)
        _exit(EXIT_DONE);
    reload_begin_later(call);
}

int verb_serve(struct verb_call *call)
{
    const struct settings *s = call->settings;
    struct parts parts = {0};
    struct error err;
    char process[128];
    bool stopped = false, anew = reload_is_anew();
    int wanted;

    if (!parse_parts(call, &wanted, &err))
        return verb_usage("serve", err.text);
    log_set_level((enum log_level)s->service.log);
    memory_prepare();
    signals_block();
    name_process(process);
    if (!redis_is_safe(call, &stopped, &err))
        return stopped ? EXIT_DONE : failed(&parts, call, anew, &err);
    if (!start_parts(&parts, s, process, wanted, &err))
        return failed(&parts, call, anew, &err);
    if (!configuration_say(s, call->outside, &err))
        log_warn("%s", err.text);
    memory_settle();
    log_info("crier %s serves as %s", CRIER_VERSION, process);
    sd_notifyf(0, "READY=1\nSTATUS=serving as %s", process);
    if (watch(&parts, call)) {
        log_info("beginning anew, with the configuration as it is now");
        begin_anew(&parts, call);
    }
    log_info("stopping");
    return stop(&parts, s->service.drain_ms, EXIT_DONE);
}
