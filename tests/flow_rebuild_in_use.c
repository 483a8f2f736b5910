/* An index made anew while it is in use: what readers see, what writers write, what a kill or an outage leaves. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "handlers/reindex/rebuild_state.h"
#include "support/fault_proxy.h"
#include "support/live_index.h"
#include "support/past.h"
#include "support/process.h"
#include "support/rebuild_stage.h"

static void readers_and_writers_notice_nothing(void **state)
{
    struct rebuild_stage *st = *state;

    live_index_begin(st->platform, SEEN_MS);
    assert_int_equal(
        past_crier(st->scene, "users is", (const char *const[]){"reindex", "users", "--rate", "1500", NULL}), 0);
    live_index_pause(st->platform);
    assert_true(live_index_writes(st->platform) > 100);
    rebuild_behind_is(st->scene, false);
    live_index_check(st->platform);
}

static void killed_in_each_phase_it_goes_on_and_nothing_is_missing_or_stale(void **state)
{
    struct rebuild_stage *st = *state;
    unsigned kills = 0;

    live_index_begin(st->platform, RESUMED_MS);
    for (int phase = REBUILD_PREPARE; phase < REBUILD_DONE; phase++) {
        pid_t child = rebuild_begin(st->scene, "--rate", "1500");
        bool in_it =
            rebuild_wait_for_phase(st->scene, (enum rebuild_phase)phase, phase == REBUILD_FILL ? DOCUMENTS / 3 : 0);

        kill(child, SIGKILL);
        if (rebuild_wait_for_end(child) == 128 + SIGKILL)
            kills |= in_it ? 1U << phase : 0;
        past_settle(st->scene);
        rebuild_forget_lease(st->scene);
    }
    assert_int_equal(past_crier(st->scene, "", rebuild_words), 0);
    live_index_pause(st->platform);
    rebuild_behind_is(st->scene, false);
    live_index_check(st->platform);
    assert_int_equal(rebuild_indices(st->scene), 2);
    if (!(kills & 1U << REBUILD_FILL) || !(kills & 1U << REBUILD_SETTLE))
        fail_msg("killed only in these phases: %x", kills);
}

static void resumed_it_goes_on_where_it_was(void **state)
{
    struct rebuild_stage *st = *state;
    struct rebuild_state now;
    pid_t child = rebuild_begin(st->scene, "--rate", SLOWLY);
    int64_t done;

    assert_true(rebuild_wait_for_phase(st->scene, REBUILD_FILL, DOCUMENTS / 10));
    kill(child, SIGKILL);
    rebuild_wait_for_end(child);
    rebuild_forget_lease(st->scene);
    assert_true(rebuild_state_now(st->scene, &now));
    done = now.done;
    rebuild_state_release(&now);
    assert_true(done >= DOCUMENTS / 10 && done < DOCUMENTS);
    assert_int_equal(
        past_crier(st->scene, "", (const char *const[]){"reindex", "users", "--resume", "--rate", QUICKLY, NULL}), 0);
    assert_true(rebuild_state_now(st->scene, &now));
    assert_int_equal(now.done, DOCUMENTS); /* none of those that were done is read again */
    rebuild_state_release(&now);
    live_index_check(st->platform);
}

/* The same configuration, with another address of OpenSearch; yours. */
static char *config_with(struct scene *s, const char *address)
{
    char path[400];
    struct buf text = BUF_INIT;
    struct error err;
    char *changed;

    snprintf(path, sizeof path, "%s.proxy", s->config_path);
    assert_true(file_read(s->config_path, 1 << 20, &text, &err));
    changed = scene_replaced(text.data, s->settings->opensearch.url, address);
    assert_true(file_replace(path, 0600, changed, strlen(changed), &err));
    buf_release(&text);
    free(changed);
    return strdup(path);
}

static void a_search_engine_that_is_away_for_a_while_is_waited_for(void **state)
{
    struct rebuild_stage *st = *state;
    struct server *search = opensearch_server_start();
    struct fault_proxy *proxy = fault_proxy_start(server_port(search));
    char *config = config_with(st->scene, fault_proxy_url(proxy));
    pid_t child = rebuild_begin_with(config, "--rate", "600");

    for (int quarter = 1; quarter < 4; quarter++) {
        rebuild_wait_for_phase(st->scene, REBUILD_FILL, DOCUMENTS * quarter / 4);
        fault_proxy_down(proxy);
        nanosleep(&(struct timespec){.tv_nsec = 800000000}, NULL);
        fault_proxy_up(proxy);
    }
    assert_int_equal(rebuild_wait_for_end(child), 0);
    rebuild_behind_is(st->scene, false);
    live_index_check(st->platform);
    fault_proxy_free(proxy);
    server_free(search);
    free(config);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, rebuild_stage_open, rebuild_stage_close)

int main(int argc, char **argv)
{
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    const struct CMUnitTest tests[] = {
        ON_STAGE(readers_and_writers_notice_nothing),
        ON_STAGE(killed_in_each_phase_it_goes_on_and_nothing_is_missing_or_stale),
        ON_STAGE(resumed_it_goes_on_where_it_was),
        ON_STAGE(a_search_engine_that_is_away_for_a_while_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
