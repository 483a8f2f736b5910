/* An index made anew while it is in use: what readers see, what writers write, and what a kill leaves. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "handlers/reindex/rebuild_state.h"
#include "support/fault_proxy.h"
#include "support/live_index.h"
#include "support/past.h"
#include "support/process.h"
#include "support/search_index.h"

enum { DOCUMENTS = 3000, SHARDS = 2, DEADLINE_MS = 60000, SEEN_MS = 20000, RESUMED_MS = 40000 };

/* Half a minute for all of them: whatever is to be done meanwhile is done before its end, also under load. */
#define SLOWLY  "100"
#define QUICKLY "100000"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[queue audit]\nevents = crier.**\n"
                          "[handler journal]\ntype = audit\nqueue = audit\nindex = journal-{time:%Y}\n";

struct stage {
    struct scene *scene;
    struct live_index *platform;
};

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    assert_non_null(st);
    st->scene = scene_open(ini);
    st->platform = live_index_open(st->scene, "users", SHARDS, DOCUMENTS);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    live_index_close(st->platform);
    scene_close(st->scene);
    free(st);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ what is there */

/* The index behind the alias; yours. */
static char *behind_alias(struct scene *s)
{
    char path[300], *name;
    json_t *answer;

    snprintf(path, sizeof path, "/_alias/%susers", s->settings->opensearch.prefix);
    answer = index_ask(s->settings, "GET", path, NULL);
    assert_int_equal(json_object_size(answer), 1);
    name = strdup(json_object_iter_key(json_object_iter(answer)) + strlen(s->settings->opensearch.prefix));
    json_decref(answer);
    return name;
}

static void check_behind(struct scene *s, bool old)
{
    char *name = behind_alias(s);

    assert_int_equal(strcmp(name, "users-1") == 0, old);
    free(name);
}

static size_t index_number(struct scene *s)
{
    char path[300];
    json_t *answer;
    size_t count;

    snprintf(path, sizeof path, "/%susers*", s->settings->opensearch.prefix);
    answer = index_ask(s->settings, "GET", path, NULL);
    count = json_object_size(answer);
    json_decref(answer);
    return count;
}

/* As the state in Redis says; false: there is none. */
static bool state_now(struct scene *s, struct rebuild_state *out)
{
    struct error err;
    bool found;

    rebuild_state_init(out);
    if (!rebuild_state_load(s->redis, "users", out, &found, &err))
        fail_msg("%s", err.text);
    return found;
}

static int64_t audited(struct scene *s, const char *type)
{
    const struct reply *entries = scene_redis(s, "XRANGE crier:{audit}:stream - +");
    int64_t count = 0;

    for (size_t i = 0; i < entries->count; i++)
        count += strcmp(reply_field_text(&entries->items[i].items[1], "type"), type) == 0;
    return count;
}

/* As if some seconds had passed. */
static void forget_lease(struct scene *s)
{
    scene_redis(s, "DEL crier:{lease:rebuild:users}:holder");
}

static const char *const reindex_users[] = {"reindex", "users", NULL};

static pid_t begin_with(const char *config, const char *option, const char *value)
{
    return crier_begin((const char *const[]){"reindex", "--config", config, "users", option, value, NULL});
}

static pid_t begin(struct scene *s, const char *option, const char *value)
{
    return begin_with(s->config_path, option, value);
}

static int wait_for_end(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    free(crier_begun_said(child));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Until the reindex is in that phase or beyond, or has ended; whether it is in it. */
static bool wait_for_phase(struct scene *s, enum rebuild_phase phase, int64_t done)
{
    int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;
    struct rebuild_state state;

    while (clock_monotonic_ms() < until_ms) {
        bool found = state_now(s, &state),
             there = found && (state.phase > phase || (state.phase == phase && state.done >= done));
        enum rebuild_phase now = state.phase;

        rebuild_state_release(&state);
        if (there)
            return now == phase;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    state_now(s, &state);
    fail_msg("it does not come to phase %s: %s, %s", rebuild_phase_name(phase), rebuild_phase_name(state.phase),
             state.failure);
    return false;
}

/* --------------------------------------------------------------------------------------------------- undisturbed */

static void a_new_index_with_the_same_documents_takes_the_old_ones_place(void **state)
{
    struct stage *st = *state;
    char *before = past_dump(st->scene, "users", false), *after;

    assert_int_equal(past_crier(st->scene, "the old index users-1 is kept", reindex_users), 0);
    check_behind(st->scene, false);
    after = past_dump(st->scene, "users", false);
    assert_string_equal(before, after);
    live_index_check(st->platform);
    assert_true(past_is_index(st->scene, "users-1"));
    assert_int_equal(audited(st->scene, "crier.reindex.started"), 1);
    assert_int_equal(audited(st->scene, "crier.reindex.finished"), 1);
    free(before);
    free(after);
}

static void told_to_drop_the_old_index_it_leaves_only_the_new_one(void **state)
{
    struct stage *st = *state;

    assert_int_equal(past_crier(st->scene, "is removed",
                                (const char *const[]){"reindex", "users", "--drop", "--into", "users-2", NULL}),
                     0);
    assert_true(past_is_index(st->scene, "users-2"));
    assert_false(past_is_index(st->scene, "users-1"));
    live_index_check(st->platform);
}

static void a_dry_run_says_what_would_be_done_and_does_nothing(void **state)
{
    struct stage *st = *state;
    struct rebuild_state now;

    assert_int_equal(past_crier(st->scene, "3000", (const char *const[]){"reindex", "users", "--dry-run", NULL}), 0);
    assert_int_equal(index_number(st->scene), 1);
    assert_false(state_now(st->scene, &now));
    rebuild_state_release(&now);
    assert_int_equal(scene_redis(st->scene, "EXISTS crier:{audit}:stream")->integer, 0);
}

static void what_cannot_be_is_refused_with_the_reason(void **state)
{
    struct stage *st = *state;

    assert_int_equal(
        past_crier(st->scene, "there is no index persons", (const char *const[]){"reindex", "persons", NULL}), 1);
    assert_int_equal(
        past_crier(st->scene, "is there already", (const char *const[]){"reindex", "users", "--into", "users-1", NULL}),
        1);
    assert_int_equal(past_crier(st->scene, "no reindex of users was begun",
                                (const char *const[]){"reindex", "users", "--resume", NULL}),
                     1);
    assert_int_equal(past_crier(st->scene, "no reindex of users is under way",
                                (const char *const[]){"reindex", "cancel", "users", NULL}),
                     1);
    assert_int_equal(past_crier(st->scene, "there is no option --sauce",
                                (const char *const[]){"reindex", "users", "--sauce", "x", NULL}),
                     2);
    assert_int_equal(index_number(st->scene), 1);
}

static void an_index_template_with_an_alias_shows_nothing_before_the_end(void **state)
{
    struct stage *st = *state;
    const char *prefix = st->scene->settings->opensearch.prefix;
    char path[300], body[600];

    snprintf(path, sizeof path, "/_index_template/%susers", prefix);
    snprintf(body, sizeof body,
             "{\"index_patterns\":[\"%susers-*\"],\"template\":{\"aliases\":{\"%susers\":{}},\"settings\":"
             "{\"number_of_shards\":3,\"number_of_replicas\":0,\"refresh_interval\":\"200ms\"},\"mappings\":"
             "{\"properties\":{\"lasting\":{\"type\":\"boolean\"},\"note\":{\"type\":\"long\"},"
             "\"tags\":{\"type\":\"object\",\"enabled\":false}}}}}",
             prefix, prefix);
    json_decref(index_ask(st->scene->settings, "PUT", path, body));
    live_index_begin(st->platform, SEEN_MS);
    assert_int_equal(past_crier(st->scene, "", (const char *const[]){"reindex", "users", "--into", "users-2", NULL}),
                     0);
    live_index_pause(st->platform);
    live_index_check(st->platform);
    json_decref(index_ask(st->scene->settings, "DELETE", path, NULL));
    snprintf(path, sizeof path, "/%susers/_settings?flat_settings=true", prefix);
    {
        json_t *answer = index_ask(st->scene->settings, "GET", path, NULL);
        const json_t *settings = json_object_get(json_object_iter_value(json_object_iter(answer)), "settings");

        assert_string_equal(json_member_text(settings, "index.number_of_shards", ""), "3");
        assert_string_equal(json_member_text(settings, "index.refresh_interval", ""), "200ms");
        json_decref(answer);
    }
}

/* --------------------------------------------------------------------------------------------------- while in use */

static void readers_and_writers_notice_nothing(void **state)
{
    struct stage *st = *state;

    live_index_begin(st->platform, SEEN_MS);
    assert_int_equal(
        past_crier(st->scene, "users is", (const char *const[]){"reindex", "users", "--rate", "1500", NULL}), 0);
    live_index_pause(st->platform);
    assert_true(live_index_writes(st->platform) > 100);
    check_behind(st->scene, false);
    live_index_check(st->platform);
}

static void killed_in_each_phase_it_goes_on_and_nothing_is_missing_or_stale(void **state)
{
    struct stage *st = *state;
    unsigned kills = 0;

    live_index_begin(st->platform, RESUMED_MS);
    for (int phase = REBUILD_PREPARE; phase < REBUILD_DONE; phase++) {
        pid_t child = begin(st->scene, "--rate", "1500");
        bool in_it = wait_for_phase(st->scene, (enum rebuild_phase)phase, phase == REBUILD_FILL ? DOCUMENTS / 3 : 0);

        kill(child, SIGKILL);
        if (wait_for_end(child) == 128 + SIGKILL)
            kills |= in_it ? 1U << phase : 0;
        past_settle(st->scene);
        forget_lease(st->scene);
    }
    assert_int_equal(past_crier(st->scene, "", reindex_users), 0);
    live_index_pause(st->platform);
    check_behind(st->scene, false);
    live_index_check(st->platform);
    assert_int_equal(index_number(st->scene), 2);
    if (!(kills & 1U << REBUILD_FILL) || !(kills & 1U << REBUILD_SETTLE))
        fail_msg("killed only in these phases: %x", kills);
}

static void resumed_it_goes_on_where_it_was(void **state)
{
    struct stage *st = *state;
    struct rebuild_state now;
    pid_t child = begin(st->scene, "--rate", SLOWLY);
    int64_t done;

    assert_true(wait_for_phase(st->scene, REBUILD_FILL, DOCUMENTS / 10));
    kill(child, SIGKILL);
    wait_for_end(child);
    forget_lease(st->scene);
    assert_true(state_now(st->scene, &now));
    done = now.done;
    rebuild_state_release(&now);
    assert_true(done >= DOCUMENTS / 10 && done < DOCUMENTS);
    assert_int_equal(
        past_crier(st->scene, "", (const char *const[]){"reindex", "users", "--resume", "--rate", QUICKLY, NULL}), 0);
    assert_true(state_now(st->scene, &now));
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
    struct stage *st = *state;
    struct server *search = opensearch_server_start();
    struct fault_proxy *proxy = fault_proxy_start(server_port(search));
    char *config = config_with(st->scene, fault_proxy_url(proxy));
    pid_t child = begin_with(config, "--rate", "600");

    for (int quarter = 1; quarter < 4; quarter++) {
        wait_for_phase(st->scene, REBUILD_FILL, DOCUMENTS * quarter / 4);
        fault_proxy_down(proxy);
        nanosleep(&(struct timespec){.tv_nsec = 800000000}, NULL);
        fault_proxy_up(proxy);
    }
    assert_int_equal(wait_for_end(child), 0);
    check_behind(st->scene, false);
    live_index_check(st->platform);
    fault_proxy_free(proxy);
    server_free(search);
    free(config);
}

/* ------------------------------------------------------------------------------------------------ from elsewhere */

static void status_shows_it_and_cancel_ends_it_from_elsewhere(void **state)
{
    struct stage *st = *state;
    pid_t child = begin(st->scene, "--rate", SLOWLY);

    assert_true(wait_for_phase(st->scene, REBUILD_FILL, 1));
    assert_int_equal(past_crier(st->scene, "\"phase\": \"fill\", \"running\": true",
                                (const char *const[]){"reindex", "status", "--json", NULL}),
                     0);
    assert_int_equal(index_number(st->scene), 2);
    assert_int_equal(past_crier(st->scene, "is given up", (const char *const[]){"reindex", "cancel", "users", NULL}),
                     0);
    assert_int_equal(wait_for_end(child), 1);
    assert_int_equal(index_number(st->scene), 1);
    check_behind(st->scene, true);
    assert_int_equal(past_crier(st->scene, "[]", (const char *const[]){"reindex", "status", "--json", NULL}), 0);
    assert_int_equal(audited(st->scene, "crier.reindex.cancelled"), 1);
}

static void one_that_was_killed_can_be_given_up_too(void **state)
{
    struct stage *st = *state;
    pid_t child = begin(st->scene, "--rate", SLOWLY);

    assert_true(wait_for_phase(st->scene, REBUILD_FILL, 1));
    kill(child, SIGKILL);
    wait_for_end(child);
    forget_lease(st->scene);
    assert_int_equal(
        past_crier(st->scene, "is not finished", (const char *const[]){"reindex", "users", "--into", "users-9", NULL}),
        1);
    assert_int_equal(past_crier(st->scene, "is given up", (const char *const[]){"reindex", "cancel", "users", NULL}),
                     0);
    assert_int_equal(index_number(st->scene), 1);
}

static void a_second_one_is_refused_while_one_runs(void **state)
{
    struct stage *st = *state;
    pid_t child = begin(st->scene, "--rate", SLOWLY);

    assert_true(wait_for_phase(st->scene, REBUILD_FILL, 1));
    assert_int_equal(past_crier(st->scene, "a reindex of users is running", reindex_users), 1);
    kill(child, SIGTERM);
    assert_int_equal(wait_for_end(child), 69); /* stopped, to be resumed */
    assert_int_equal(past_crier(st->scene, "", (const char *const[]){"reindex", "users", "--rate", QUICKLY, NULL}), 0);
    live_index_check(st->platform);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_new_index_with_the_same_documents_takes_the_old_ones_place),
        ON_STAGE(told_to_drop_the_old_index_it_leaves_only_the_new_one),
        ON_STAGE(a_dry_run_says_what_would_be_done_and_does_nothing),
        ON_STAGE(what_cannot_be_is_refused_with_the_reason),
        ON_STAGE(an_index_template_with_an_alias_shows_nothing_before_the_end),
        ON_STAGE(readers_and_writers_notice_nothing),
        ON_STAGE(killed_in_each_phase_it_goes_on_and_nothing_is_missing_or_stale),
        ON_STAGE(resumed_it_goes_on_where_it_was),
        ON_STAGE(a_search_engine_that_is_away_for_a_while_is_waited_for),
        ON_STAGE(status_shows_it_and_cancel_ends_it_from_elsewhere),
        ON_STAGE(one_that_was_killed_can_be_given_up_too),
        ON_STAGE(a_second_one_is_refused_while_one_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
