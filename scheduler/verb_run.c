#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/progress.h"
#include "base/stop.h"
#include "handlers/dirty.h"
#include "handlers/registry.h"
#include "notifier/stream.h"
#include "notifier/verb_deed.h"
#include "scheduler/clock_lane.h"
#include "scheduler/clock_part.h"
#include "scheduler/lane.h"
#include "scheduler/verbs.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Passes until nothing is due, here and now. Events held for a later try are left to the service. */
static bool work_off_lane(struct lane *l, struct progress *progress, struct error *err)
{
    size_t taken = 1;
    bool ok = true;

    while (ok && taken > 0 && !interrupted) {
        ok = lane_pass(l, 0, &taken, err);
        progress_add(progress, (int64_t)taken);
    }
    return ok;
}

/* First what somebody waits for. */
static bool work_off(struct lane *head, struct lane *tail, bool quiet, struct error *err)
{
    struct progress progress;
    bool ok;

    progress_start(&progress, "events", 0, quiet);
    ok = work_off_lane(head, &progress, err) && work_off_lane(tail, &progress, err);
    progress_end(&progress);
    return ok;
}

static bool say_run(const struct settings *s, const char *handler, struct error *err)
{
    struct buf subject = BUF_INIT;
    bool ok;

    buf_printf(&subject, "handlers/%s", handler);
    ok = verb_deed_begin(s, "handler.run", subject.data, NULL, err);
    buf_release(&subject);
    return ok;
}

/* Like the service, the process says all the while that it lives: what it holds is not to be taken over. */
static bool run_alive(struct lane *head, struct lane *tail, const struct verb_call *call, const char *process,
                      struct error *err)
{
    struct stop *stop = stop_new();
    struct clock_part *clock = clock_part_start(call->settings, process, false, stop);
    bool ok = lane_install(tail, err) && work_off(head, tail, call->json, err);

    lane_leave(head);
    lane_leave(tail);
    stop_raise(stop);
    clock_part_join(clock);
    stop_free(stop);
    return ok;
}

static struct lane_tally tally_of(const struct lane *head, const struct lane *tail)
{
    struct lane_tally a = lane_tally(head), b = lane_tally(tail);

    return (struct lane_tally){.done = a.done + b.done, .dead = a.dead + b.dead, .held = a.held + b.held};
}

static bool run_handler(const struct verb_call *call, const struct handler_settings *hs, struct lane_tally *tally,
                        struct error *err)
{
    const struct settings *s = call->settings;
    struct redis *r = settings_redis(s);
    char process[64];
    struct lane *tail, *head;
    bool ok;

    snprintf(process, sizeof process, "run-%d-%lld", (int)getpid(), (long long)clock_wall_us());
    tail = lane_new(s, hs, process, 0, err);
    head = tail ? lane_new_head(tail, err) : NULL;
    ok = head && say_run(s, hs->name, err) && run_alive(head, tail, call, process, err);
    if (head)
        *tally = tally_of(head, tail);
    lane_free(head);
    lane_free(tail);
    redis_free(r);
    return ok;
}

/* ---------------------------------------------------------------------------------- handlers that run by the clock */

enum { TURN_WAIT_MS = 30000 };

struct clock_tally {
    struct progress progress;
    int64_t items;
};

static void count_items(void *context, int64_t items)
{
    struct clock_tally *t = context;

    t->items += items;
    progress_add(&t->progress, items);
}

static bool run_by_clock(const struct verb_call *call, const struct handler_settings *hs, int64_t *items,
                         struct error *err)
{
    struct redis *r = settings_redis(call->settings);
    struct clock_tally tally = {0};
    bool ok;

    progress_start(&tally.progress, "items", 0, call->json);
    ok = say_run(call->settings, hs->name, err) &&
         clock_run_once(call->settings, hs, TURN_WAIT_MS, NULL, NULL, count_items, &tally, err);
    progress_end(&tally.progress);
    *items = tally.items;
    redis_free(r);
    return ok;
}

/* What the handler left for the clock: the documents that were written of it, or the subjects that wait. */
static bool run_later(const struct verb_call *call, const struct handler_settings *hs, int64_t *items,
                      struct error *err)
{
    struct clock_tally tally = {0};
    bool ok;

    progress_start(&tally.progress, "documents", 0, call->json);
    ok = clock_run_once(call->settings, hs, TURN_WAIT_MS, NULL, NULL, count_items, &tally, err);
    progress_end(&tally.progress);
    *items = tally.items;
    return ok;
}

static bool count_later(const struct settings *s, const struct handler_settings *hs, int64_t *items, struct error *err)
{
    struct redis *r = settings_redis(s);
    bool ok = handler_type_find(hs->type)->later(r, hs, items, err);

    redis_free(r);
    return ok;
}

static bool see_to_later(const struct verb_call *call, const struct handler_settings *hs, int64_t *items,
                         struct error *err)
{
    *items = 0;
    if (!(hs->kind->traits & KIND_LATER))
        return true;
    return call->dry_run ? count_later(call->settings, hs, items, err) : run_later(call, hs, items, err);
}

static bool count_marks(const struct settings *s, const struct handler_settings *hs, int64_t *marks, struct error *err)
{
    struct redis *r = settings_redis(s);
    bool ok = dirty_count(r, hs->queue, hs->name, marks, err);

    redis_free(r);
    return ok;
}

static int verb_run_by_clock(const struct verb_call *call, const struct handler_settings *hs)
{
    struct error err;
    int64_t items = 0;
    bool ok = call->dry_run ? count_marks(call->settings, hs, &items, &err) : run_by_clock(call, hs, &items, &err);

    if (call->json)
        printf("{\"handler\":\"%s\",\"items\":%lld,\"dry_run\":%s,\"ok\":%s}\n", hs->name, (long long)items,
               call->dry_run ? "true" : "false", ok ? "true" : "false");
    else
        printf("%s%s: %lld items%s\n", hs->name, call->dry_run ? " (dry run)" : "", (long long)items,
               call->dry_run ? " wait" : "");
    return ok ? EXIT_DONE : verb_failed("run", &err);
}

/* ------------------------------------------------------------------------------------------ handlers of events */

/* What a run would find: for --dry-run. */
static bool count_waiting(const struct settings *s, const struct handler_settings *hs, struct lane_tally *tally,
                          struct error *err)
{
    struct redis *r = settings_redis(s);
    struct arena *arena = arena_new();
    struct queue_state state;
    bool ok = stream_state(r, hs->queue, arena, &state, err);

    tally->held = ok ? state.length : 0; /* a group not made yet has all to do */
    for (size_t i = 0; ok && i < state.group_count; i++)
        if (strcmp(state.groups[i].name, hs->name) == 0)
            tally->held = state.groups[i].waiting + state.groups[i].pending;
    arena_free(arena);
    redis_free(r);
    return ok;
}

static void print_json(const struct verb_call *call, const struct handler_settings *hs, const struct lane_tally *t,
                       int64_t later, bool ok)
{
    printf("{\"handler\":\"%s\",\"events\":%lld,\"dead\":%lld,\"held\":%lld,", hs->name, (long long)(t->done + t->dead),
           (long long)t->dead, (long long)t->held);
    if (hs->kind->traits & KIND_LATER)
        printf("\"later\":%lld,", (long long)later);
    printf("\"dry_run\":%s,\"ok\":%s}\n", call->dry_run ? "true" : "false", ok ? "true" : "false");
}

static void print_tally(const struct verb_call *call, const struct handler_settings *hs, const struct lane_tally *t,
                        int64_t later, bool ok)
{
    if (call->json) {
        print_json(call, hs, t, later, ok);
        return;
    }
    if (call->dry_run)
        printf("%s (dry run): %lld events wait\n", hs->name, (long long)t->held);
    else
        printf("%s: %lld events, %lld of them to the dead letters, %lld left for a later try\n", hs->name,
               (long long)(t->done + t->dead), (long long)t->dead, (long long)t->held);
    if (hs->kind->traits & KIND_LATER)
        printf(call->dry_run ? "%s (dry run): %lld subjects wait for the clock\n"
                             : "%s: %lld documents written by the clock's part\n",
               hs->name, (long long)later);
}

int verb_run(struct verb_call *call)
{
    const struct handler_settings *hs = call->argc == 1 ? settings_handler(call->settings, call->argv[0]) : NULL;
    struct error err;
    struct lane_tally tally = {0};
    int64_t later = 0;
    bool ok;

    if (call->argc != 1)
        return verb_usage("run", "name one handler; `crier handlers` lists them");
    if (!hs) {
        error_set(&err, ERROR_INPUT, "no handler \"%s\"; `crier handlers` lists them", call->argv[0]);
        return verb_usage("run", err.text);
    }
    if (hs->kind->traits & KIND_CLOCK)
        return verb_run_by_clock(call, hs);
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    ok = call->dry_run ? count_waiting(call->settings, hs, &tally, &err) : run_handler(call, hs, &tally, &err);
    ok = ok && see_to_later(call, hs, &later, &err);
    print_tally(call, hs, &tally, later, ok);
    if (!ok)
        return verb_failed("run", &err);
    return tally.dead ? EXIT_PART_FAILED : EXIT_DONE;
}
