/* What a copy lacks is found and repaired though nobody told of it, and what is newer is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "support/past.h"
#include "support/reconcile_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static int setup_source_walk(void **state)
{
    reconcile_stage_open(state, RELATION(WITH_REVISION) INDEX_SOURCE RECONCILE("walk = source\npage = 7\n"));
    return 0;
}

static int setup_content(void **state)
{
    reconcile_stage_open(state, RELATION("") INDEX_SOURCE RECONCILE(""));
    return 0;
}

static int setup_teams(void **state)
{
    reconcile_stage_open(state, RELATION("revision = user.@v\n") INDEX_SOURCE RECONCILE(""));
    return 0;
}

static int setup_teams_source_walk(void **state)
{
    reconcile_stage_open(state, RELATION("revision = user.@v\n") INDEX_SOURCE RECONCILE("walk = source\n"));
    return 0;
}

/* ------------------------------------------------------------------------------------------------- found and repaired
 */

static void a_copy_made_stale_behind_our_back_is_repaired_without_a_notification(void **state)
{
    struct scene *s = *state;
    char *right, *trail;
    int64_t writes;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 200, REVISION);
    right = reconcile_members(s);
    assert_int_equal(reconcile_run(s, "care"), 0);
    reconcile_members_are(s, right);
    reconcile_load_members(s, 77, 78, REVISION - 1); /* an old revision at an equal version */
    writes = index_writes(s->settings, "members");
    assert_int_equal(reconcile_run(s, "1 subjects behind"), 0);
    reconcile_members_are(s, right); /* also the version is as it was */
    assert_int_equal(index_writes(s->settings, "members") - writes, 1);
    assert_int_equal(reconcile_run(s, "0 subjects behind"), 0);
    assert_int_equal(index_writes(s->settings, "members") - writes, 1);
    work_off(s, "trail");
    trail = index_dump(s->settings, "trail");
    assert_non_null(strstr(trail, "\"action\":\"crier.copies.repaired\""));
    assert_non_null(strstr(trail, "\"behind\":1,\"repaired\":1"));
    assert_int_equal(past_crier(s, "care        last round ended ", (const char *const[]){"status", NULL}), 0);
    assert_int_equal(past_crier(s, "\"handlers\":{\"care\":{\"round\":null,\"last\":{\"time\":",
                                (const char *const[]){"status", "--json", NULL}),
                     0);
    free(trail);
    free(right);
}

static void the_platforms_next_write_is_accepted_after_a_repair(void **state)
{
    struct scene *s = *state;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 10, REVISION - 1);
    assert_int_equal(reconcile_run(s, "10 subjects behind"), 0);
    reconcile_load_members(s, 0, 10, REVISION); /* index_bulk fails the test where one is refused */
}

static void by_the_clock_it_is_repaired_within_the_period(void **state)
{
    struct scene *s = *state;
    struct server *crier;
    int64_t until_ms;
    char *right, *now;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 100, REVISION);
    right = reconcile_members(s);
    crier = crier_serve_start(s->config_path);
    reconcile_load_members(s, 42, 43, REVISION - 1);
    until_ms = clock_monotonic_ms() + 60000;
    for (now = reconcile_members(s); strcmp(now, right) != 0 && clock_monotonic_ms() < until_ms;
         now = reconcile_members(s)) {
        free(now);
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    assert_string_equal(now, right);
    server_stop(crier);
    server_free(crier);
    free(now);
    free(right);
}

static void through_the_source_it_is_found_as_well_and_what_is_up_to_date_is_not_read(void **state)
{
    struct scene *s = *state;
    char *right;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 200, REVISION);
    right = reconcile_members(s);
    reconcile_load_members(s, 77, 79, REVISION - 1);
    assert_int_equal(reconcile_run(s, "2 documents and 30 subjects looked at, 2 subjects behind"), 0);
    reconcile_members_are(s, right);
    assert_int_equal(reconcile_run(s, "0 documents and 30 subjects looked at, 0 subjects behind"), 0);
    free(right);
}

static void without_a_revision_copies_are_compared_by_what_is_in_them(void **state)
{
    struct scene *s = *state;
    char *now;
    int64_t writes;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 60, REVISION);
    reconcile_load_members(s, 7, 8, REVISION - 1);
    writes = index_writes(s->settings, "members");
    assert_int_equal(reconcile_run(s, "1 subjects behind"), 0);
    now = reconcile_members(s);
    assert_null(strstr(now, "User 7 at 6"));
    assert_int_equal(index_writes(s->settings, "members") - writes, 1);
    free(now);
}

/* Documents that hold copies of several users in a plain array, which no search tells apart. */
static void load_teams(struct scene *s, int from, int to, int second_revision)
{
    struct buf lines = BUF_INIT;

    for (int team = from; team < to; team++)
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"t%05d\",\"version\":%d,\"version_type\":"
                   "\"external_gte\"}}\n"
                   "{\"user\":[{\"id\":\"%d\",\"name\":\"User %d at %d\",\"@v\":%d},"
                   "{\"id\":\"%d\",\"name\":\"User %d at %d\",\"@v\":%d}]}\n",
                   s->settings->opensearch.prefix, team, VERSION, team % 10, team % 10, REVISION, REVISION,
                   10 + team % 10, 10 + team % 10, second_revision, second_revision);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

static void of_several_copies_in_a_document_the_one_behind_is_found(void **state)
{
    struct scene *s = *state;
    char *right;
    int64_t writes;

    reconcile_load_users(s);
    load_teams(s, 0, 100, REVISION);
    right = reconcile_members(s);
    load_teams(s, 55, 56, REVISION - 1);
    writes = index_writes(s->settings, "members");
    assert_int_equal(reconcile_run(s, "1 subjects behind"), 0);
    reconcile_members_are(s, right);
    assert_int_equal(index_writes(s->settings, "members") - writes, 1);
    free(right);
}

/* An event told the uuid; the source does not. */
static void the_uuid_that_a_copy_holds_stays_where_the_source_tells_none(void **state)
{
    struct scene *s = *state;
    struct buf lines = BUF_INIT;
    char *now;

    reconcile_load_users(s);
    for (int user = 3; user <= 4; user++)
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m%d\"}}\n"
                   "{\"user\":{\"id\":\"%d\",\"name\":\"User %d at 7\",\"@v\":\"u-%d::%d\"}}\n",
                   s->settings->opensearch.prefix, user, user, user, user, user == 3 ? REVISION : REVISION - 1);
    index_bulk(s->settings, lines.data);
    assert_int_equal(reconcile_run(s, "1 subjects behind"), 0);
    now = reconcile_members(s);
    assert_non_null(strstr(now, "\"u-3::7\""));
    assert_non_null(strstr(now, "\"u-4::7\""));
    free(now);
    buf_release(&lines);
}

/* --------------------------------------------------------------------------------------------------- left alone */

static void a_copy_newer_than_the_source_is_left_alone(void **state)
{
    struct scene *s = *state;
    char *before;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 60, REVISION + 1);
    before = reconcile_members(s);
    assert_int_equal(reconcile_run(s, "0 subjects behind"), 0);
    reconcile_members_are(s, before);
    free(before);
}

static void what_an_event_told_meanwhile_goes_instead_of_what_an_old_source_says(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "user.updated", "e", "users/3", REVISION + 2, "{\"full_name\":\"User 3 at 9\"}");
    char *now;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 30, REVISION);
    reconcile_refresh(s);
    scene_append(s, &e, 1);
    work_off(s, "members");
    reconcile_load_members(s, 3, 4, REVISION - 1); /* an old document is put back; the source is behind itself */
    assert_int_equal(reconcile_run(s, "1 subjects behind"), 0);
    now = reconcile_members(s);
    assert_non_null(strstr(now, "\"User 3 at 9\",\"@v\":\"3::9\""));
    free(now);
}

#define STAGED(test, open) cmocka_unit_test_setup_teardown(test, open, reconcile_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(a_copy_made_stale_behind_our_back_is_repaired_without_a_notification, reconcile_stage_setup),
        STAGED(the_platforms_next_write_is_accepted_after_a_repair, reconcile_stage_setup),
        STAGED(by_the_clock_it_is_repaired_within_the_period, reconcile_stage_setup),
        STAGED(through_the_source_it_is_found_as_well_and_what_is_up_to_date_is_not_read, setup_source_walk),
        STAGED(without_a_revision_copies_are_compared_by_what_is_in_them, setup_content),
        STAGED(of_several_copies_in_a_document_the_one_behind_is_found, setup_teams),
        STAGED(of_several_copies_in_a_document_the_one_behind_is_found, setup_teams_source_walk),
        STAGED(the_uuid_that_a_copy_holds_stays_where_the_source_tells_none, reconcile_stage_setup),
        STAGED(the_uuid_that_a_copy_holds_stays_where_the_source_tells_none, setup_source_walk),
        STAGED(a_copy_newer_than_the_source_is_left_alone, reconcile_stage_setup),
        STAGED(what_an_event_told_meanwhile_goes_instead_of_what_an_old_source_says, reconcile_stage_setup),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
