/*
 * Double clicks as chance brings them: in whatever order they come, however often, whoever handles them and whatever
 * fails meanwhile, exactly those count that the model says. CRIER_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/http.h"
#include "support/click_stage.h"
#include "support/server.h"
#include "support/work.h"

/* Visitors at records, with gaps of around thirty seconds; many in one instant, some on the border. */
static void add_random(struct click_stage *st, int visitors, int records, int clicks)
{
    for (int v = 0; v < visitors; v++)
        for (int r = 0; r < records; r++) {
            int64_t time_us = START_US + click_stage_below(st, 60) * SECOND_US;

            for (int i = 0; i < clicks; i++) {
                click_stage_add(st, v, r, time_us);
                switch (click_stage_below(st, 8)) {
                case 0:
                    break; /* the same instant */
                case 1:
                    time_us += 30 * SECOND_US;
                    break;
                case 2:
                    time_us += 30 * SECOND_US + 1;
                    break;
                default:
                    time_us += click_stage_below(st, 60000) * (SECOND_US / 1000);
                    break;
                }
            }
        }
}

/* In random order, some of them twice, while the workers are at it. */
static void append_at_random(struct click_stage *st)
{
    size_t *order = calloc(st->count, sizeof *order);

    assert_non_null(order);
    for (size_t i = 0; i < st->count; i++) {
        size_t other = (size_t)click_stage_below(st, (int)i + 1);

        order[i] = order[other];
        order[other] = i;
    }
    for (size_t at = 0; at < st->count;) {
        size_t count = 1 + (size_t)click_stage_below(st, 40);

        count = st->count - at < count ? st->count - at : count;
        click_stage_append(st, order + at, count);
        if (click_stage_below(st, 4) == 0) {
            click_stage_forget_seen(st);
            click_stage_append(st, order + at, count);
        }
        at += count;
    }
    free(order);
}

static void whatever_four_workers_meet_exactly_the_clicks_of_the_model_count(void **state)
{
    struct click_stage *st = *state;
    struct click_crew crew;

    add_random(st, 12, 8, 12);
    click_crew_start(&crew, st);
    append_at_random(st);
    click_stage_wait(st);
    click_crew_end(&crew);
    click_stage_check(st);
}

static void a_search_engine_in_trouble_changes_nothing(void **state)
{
    static const struct fault faults[] = {
        {.path_with = "_bulk", .item_status = 429, .item_every = 3,             .times = 6},
        {.path_with = "_bulk",                    .link = FAULT_RESET_AFTER,                   .times = 3 },
        {.path_with = "_mget",                    .link = FAULT_RESET_BEFORE,                   .times = 2},
        {.path_with = "_bulk",                    .link = FAULT_CUT_REPLY,                   .times = 2    },
        {.path_with = "_bulk",                    .item_status = 503,                   .item_every = 2,     .times = 4},
        {.path_with = "_mget",          .status = 503,                            .times = 2                               },
    };
    struct click_stage *st = *state;
    struct click_crew crew;
    size_t sent = 0;

    add_random(st, 10, 3, 12);
    click_crew_start(&crew, st);
    for (size_t i = 0; sent < st->count; i++) {
        size_t count = st->count - sent < 15 ? st->count - sent : 15, order[15];

        for (size_t k = 0; k < count; k++)
            order[k] = sent + k;
        fault_proxy_set(st->proxy, &faults[i % (sizeof faults / sizeof *faults)]);
        click_stage_append(st, order, count);
        sent += count;
        nanosleep(&(struct timespec){0, 30000000}, NULL);
    }
    fault_proxy_set(st->proxy, NULL);
    click_stage_wait(st);
    click_crew_end(&crew);
    click_stage_check(st);
}

/* The same configuration in another file: the port of its door is written into it. */
static char *copy_of_config(struct click_stage *st)
{
    char *path = arena_printf(st->scene->arena, "%s.second", st->scene->config_path);
    struct buf text = BUF_INIT;
    struct error err;
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(file_read(st->scene->config_path, 1024 * 1024, &text, &err));
    fwrite(text.data, 1, text.length, file);
    fclose(file);
    buf_release(&text);
    return path;
}

static void killed_at_any_moment_it_counts_the_same(void **state)
{
    enum { KILLS = 8 };
    struct click_stage *st = *state;
    char *config_of_second = copy_of_config(st);
    struct server *first = crier_serve_start(st->scene->config_path), *second = crier_serve_start(config_of_second);
    size_t sent = 0;

    add_random(st, 12, 4, 12);
    for (int kill = 0; sent < st->count; kill++) {
        size_t count = 1 + (size_t)click_stage_below(st, 60), *order = calloc(count, sizeof *order);

        assert_non_null(order);
        count = st->count - sent < count ? st->count - sent : count;
        for (size_t i = 0; i < count; i++)
            order[i] = (sent + i) * 7 % st->count; /* 7 does not divide the count: each comes once */
        click_stage_append(st, order, count);
        free(order);
        sent += count;
        nanosleep(&(struct timespec){0, click_stage_below(st, 60) * 1000000}, NULL);
        if (kill < KILLS) {
            work_survives(st->scene, "statistics", "views");
            server_kill(first);
            server_restart(first);
        }
    }
    click_stage_wait(st);
    server_free(first);
    server_free(second);
    click_stage_check(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_four_workers_meet_exactly_the_clicks_of_the_model_count,
                                        click_stage_open, click_stage_close),
        cmocka_unit_test_setup_teardown(a_search_engine_in_trouble_changes_nothing, click_stage_open_with_proxy,
                                        click_stage_close),
        cmocka_unit_test_setup_teardown(killed_at_any_moment_it_counts_the_same, click_stage_open, click_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
