/* Who is served by a crew, where there are more targets than it can serve at a time. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/webhook/webhook_crew.h"
#include "handlers/webhook/webhook_store.h"
#include "support/scene.h"
#include "support/webhook_stage.h"

enum {
    TARGETS = 400, /* more than go through Redis in a round */
    EACH = 12,     /* deliveries */
};

/* No thread begins before all have their seats. */
static bool alone;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context)
{
    return alone ? EAGAIN : __real_pthread_create(thread, attributes, run, context);
}

struct stage {
    struct scene *scene;
    int closed, port; /* where nobody listens, so that each attempt ends at once */
    struct webhook_crew *crew;
    struct webhook_options options[TARGETS];
    struct webhook_target *targets[TARGETS];
    struct webhook_seat *seats[TARGETS];
};

static struct stage stage;

static int closed_port(struct stage *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;

    s->closed = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->closed, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(s->closed, (struct sockaddr *)&at, &size), 0);
    return ntohs(at.sin_port);
}

static void take_seat(struct stage *s, size_t i)
{
    const struct handler_settings *hs = &s->scene->settings->handlers[0];
    const char *name = arena_printf(s->scene->arena, "t%03zu", i);
    struct webhook_store *store = webhook_store_new(s->scene->redis, name);
    const struct event *events[EACH];
    struct event list[EACH];
    struct delivery_added added;
    struct error err;

    for (size_t n = 0; n < EACH; n++) {
        list[n] =
            scene_event(s->scene, "record.published", arena_printf(s->scene->arena, "e%zu", n), "records/1", 1, NULL);
        events[n] = &list[n];
    }
    s->options[i] = *(const struct webhook_options *)hs->own;
    s->options[i].url = arena_printf(s->scene->arena, "http://127.0.0.1:%d/", s->port);
    s->options[i].secret = arena_text(s->scene->arena, WEBHOOK_SECRET);
    s->targets[i] = webhook_target_new(name, hs, &s->options[i], &err);
    if (!s->targets[i] || !webhook_store_add(store, &(struct webhook_news){events, EACH, clock_wall_us(), 1000},
                                             s->scene->arena, &added, &err))
        fail_msg("%s", err.text);
    s->seats[i] = webhook_crew_seat(s->crew, s->targets[i]);
    webhook_store_free(store);
}

static void stage_open(struct stage *s)
{
    struct error err;
    char ini[400];

    s->port = closed_port(s);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[queue changes]\nevents = record.*\n[handler users]\ntype = webhook\n"
             "queue = changes\nhttp = yes\nports = %d\nallow = 127.0.0.0/8\nconcurrency = 64\ntimeout = 30s\n",
             s->port);
    s->scene = scene_open(ini);
    alone = true;
    s->crew = webhook_crew_new(s->scene->settings, s->scene->settings->handlers[0].own, &err);
    if (!s->crew)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < TARGETS; i++)
        take_seat(s, i);
    alone = false;
    webhook_crew_muster(s->crew);
}

static void stage_close(struct stage *s)
{
    webhook_crew_stop(s->crew);
    for (size_t i = 0; i < TARGETS; i++) {
        webhook_seat_leave(s->seats[i]);
        webhook_target_free(s->targets[i]);
    }
    webhook_crew_free(s->crew);
    scene_close(s->scene);
    close(s->closed);
}

/* The first attempts at what is due to a target, in milliseconds; waits until so many were made. */
static const struct reply *attempts_of(struct stage *s, size_t target)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    const struct reply *entries;

    do {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        entries = scene_redis(s->scene, "XRANGE crier:{webhooks}:attempts:t%03zu - + COUNT %d", target, EACH);
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%zu attempts at target %zu", entries->count, target);
    } while (entries->count < EACH);
    return entries;
}

static int64_t attempt_ms(const struct reply *entries, size_t i)
{
    return strtoll(entries->items[i].items[0].text, NULL, 10);
}

static void of_many_busy_targets_each_has_its_turn(void **state)
{
    int64_t first_all_ms = INT64_MAX, last_begun_ms = 0;

    (void)state;
    stage_open(&stage);
    for (size_t i = 0; i < TARGETS; i++) {
        const struct reply *entries = attempts_of(&stage, i);

        if (attempt_ms(entries, EACH - 1) < first_all_ms)
            first_all_ms = attempt_ms(entries, EACH - 1);
        if (attempt_ms(entries, 0) > last_begun_ms)
            last_begun_ms = attempt_ms(entries, 0);
    }
    if (last_begun_ms >= first_all_ms)
        fail_msg("a target had its first attempt %lld ms after another had all of its own",
                 (long long)(last_begun_ms - first_all_ms));
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_many_busy_targets_each_has_its_turn),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
