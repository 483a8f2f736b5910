/* An index made anew: what takes the place of what, what is refused, and what is said and done from elsewhere. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "handlers/reindex/rebuild_state.h"
#include "support/fault_proxy.h"
#include "support/live_index.h"
#include "support/past.h"
#include "support/rebuild_stage.h"
#include "support/search_index.h"

/* --------------------------------------------------------------------------------------------------- undisturbed */

static void a_new_index_with_the_same_documents_takes_the_old_ones_place(void **state)
{
    struct rebuild_stage *st = *state;
    char *before = past_dump(st->scene, "users", false), *after;

    assert_int_equal(past_crier(st->scene, "the old index users-1 is kept", rebuild_words), 0);
    rebuild_behind_is(st->scene, false);
    after = past_dump(st->scene, "users", false);
    assert_string_equal(before, after);
    live_index_check(st->platform);
    assert_true(past_is_index(st->scene, "users-1"));
    assert_int_equal(rebuild_audited(st->scene, "crier.reindex.started"), 1);
    assert_int_equal(rebuild_audited(st->scene, "crier.reindex.finished"), 1);
    free(before);
    free(after);
}

static void told_to_drop_the_old_index_it_leaves_only_the_new_one(void **state)
{
    struct rebuild_stage *st = *state;

    assert_int_equal(past_crier(st->scene, "is removed",
                                (const char *const[]){"reindex", "users", "--drop", "--into", "users-2", NULL}),
                     0);
    assert_true(past_is_index(st->scene, "users-2"));
    assert_false(past_is_index(st->scene, "users-1"));
    live_index_check(st->platform);
}

static void a_dry_run_says_what_would_be_done_and_does_nothing(void **state)
{
    struct rebuild_stage *st = *state;
    struct rebuild_state now;

    assert_int_equal(past_crier(st->scene, "3000", (const char *const[]){"reindex", "users", "--dry-run", NULL}), 0);
    assert_int_equal(rebuild_indices(st->scene), 1);
    assert_false(rebuild_state_now(st->scene, &now));
    rebuild_state_release(&now);
    assert_int_equal(scene_redis(st->scene, "EXISTS crier:{audit}:stream")->integer, 0);
}

static void what_cannot_be_is_refused_with_the_reason(void **state)
{
    struct rebuild_stage *st = *state;

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
    assert_int_equal(rebuild_indices(st->scene), 1);
}

static void an_index_template_with_an_alias_shows_nothing_before_the_end(void **state)
{
    struct rebuild_stage *st = *state;
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

/* ------------------------------------------------------------------------------------------------ from elsewhere */

static void status_shows_it_and_cancel_ends_it_from_elsewhere(void **state)
{
    struct rebuild_stage *st = *state;
    pid_t child = rebuild_begin(st->scene, "--rate", SLOWLY);

    assert_true(rebuild_wait_for_phase(st->scene, REBUILD_FILL, 1));
    assert_int_equal(past_crier(st->scene, "\"phase\": \"fill\", \"running\": true",
                                (const char *const[]){"reindex", "status", "--json", NULL}),
                     0);
    assert_int_equal(rebuild_indices(st->scene), 2);
    assert_int_equal(past_crier(st->scene, "is given up", (const char *const[]){"reindex", "cancel", "users", NULL}),
                     0);
    assert_int_equal(rebuild_wait_for_end(child), 1);
    assert_int_equal(rebuild_indices(st->scene), 1);
    rebuild_behind_is(st->scene, true);
    assert_int_equal(past_crier(st->scene, "[]", (const char *const[]){"reindex", "status", "--json", NULL}), 0);
    assert_int_equal(rebuild_audited(st->scene, "crier.reindex.cancelled"), 1);
}

static void one_that_was_killed_can_be_given_up_too(void **state)
{
    struct rebuild_stage *st = *state;
    pid_t child = rebuild_begin(st->scene, "--rate", SLOWLY);

    assert_true(rebuild_wait_for_phase(st->scene, REBUILD_FILL, 1));
    kill(child, SIGKILL);
    rebuild_wait_for_end(child);
    rebuild_forget_lease(st->scene);
    assert_int_equal(
        past_crier(st->scene, "is not finished", (const char *const[]){"reindex", "users", "--into", "users-9", NULL}),
        1);
    assert_int_equal(past_crier(st->scene, "is given up", (const char *const[]){"reindex", "cancel", "users", NULL}),
                     0);
    assert_int_equal(rebuild_indices(st->scene), 1);
}

static void a_second_one_is_refused_while_one_runs(void **state)
{
    struct rebuild_stage *st = *state;
    pid_t child = rebuild_begin(st->scene, "--rate", SLOWLY);

    assert_true(rebuild_wait_for_phase(st->scene, REBUILD_FILL, 1));
    assert_int_equal(past_crier(st->scene, "a reindex of users is running", rebuild_words), 1);
    kill(child, SIGTERM);
    assert_int_equal(rebuild_wait_for_end(child), 69); /* stopped, to be resumed */
    assert_int_equal(past_crier(st->scene, "", (const char *const[]){"reindex", "users", "--rate", QUICKLY, NULL}), 0);
    live_index_check(st->platform);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, rebuild_stage_open, rebuild_stage_close)

int main(int argc, char **argv)
{
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_new_index_with_the_same_documents_takes_the_old_ones_place),
        ON_STAGE(told_to_drop_the_old_index_it_leaves_only_the_new_one),
        ON_STAGE(a_dry_run_says_what_would_be_done_and_does_nothing),
        ON_STAGE(what_cannot_be_is_refused_with_the_reason),
        ON_STAGE(an_index_template_with_an_alias_shows_nothing_before_the_end),
        ON_STAGE(status_shows_it_and_cancel_ends_it_from_elsewhere),
        ON_STAGE(one_that_was_killed_can_be_given_up_too),
        ON_STAGE(a_second_one_is_refused_while_one_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
