/*
 * The checklist of the reference, lines 11 to 16: kills, writers that come between, servers that fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "support/change_stage.h"
#include "support/search_index.h"

enum { PATIENCE_MS = 60000 };

#define USERS                                                                                                          \
    "[event users.updated]\nprofile = invenio-users\n"                                                                 \
    "[handler users-members]\nsource = payload\nschedule = at once\ndeadline = 20s\n"

#define NEW "{\"username\":\"new\"}"
#define CHANGED                                                                                                        \
    "{\"indexed_at\":\"2026-11-20T10:00:00\",\"user\":{\"id\":\"0\",\"@v\":\"0::1\",\"username\":\"old\"},\"role\":"   \
    "\"%s\"}"

static int teardown(void **state)
{
    change_stage_close(*state);
    return 0;
}

static int setup(void **state)
{
    *state = change_stage_open(USERS);
    return 0;
}

static void until_requests_hang(struct change_stage *st, long least)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (fault_proxy_counts(st->proxy).requests_hung < least) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("no request comes");
        usleep(5000);
    }
}

static void until_no_event_is_open(struct change_stage *st)
{
    change_until_open(st, "users", "users-members", 0);
}

/* ------------------------------------------------------------------------------------------------------------ 11 */

static void line_11_a_kill_between_the_event_and_the_reply_to_the_bulk_loses_nothing(void **state)
{
    static const struct fault at[] = {
        {.path_with = "_search", .link = FAULT_HANG       }, /* taken from the queue, nothing asked yet */
        {.path_with = "_bulk",   .link = FAULT_HANG       }, /* read, nothing written */
        {.path_with = "_bulk",   .link = FAULT_RESET_AFTER}, /* written, and nobody was told */
    };
    struct change_stage *st = *state;

    members_put(st, 30, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(at); i++) {
        const char *name = arena_printf(st->scene->arena, "new %zu", i);

        fault_proxy_forget(st->proxy);
        fault_proxy_set(st->proxy, &at[i]);
        change_serve(st);
        change_tell(st, "users.updated", "0", "0", 2 + (int)i,
                    arena_printf(st->scene->arena, "{\"username\":\"%s\"}", name));
        if (at[i].link == FAULT_HANG)
            until_requests_hang(st, 1);
        else
            document_becomes(st, "members", "m29", "_source.user.username", name, PATIENCE_MS);
        assert_int_equal(change_open_events(st, "users", "users-members"), 1);
        change_serve_kill(st);
        fault_proxy_set(st->proxy, NULL);
        change_serve(st);
        until_no_event_is_open(st);
        assert_int_equal(documents_with(st, "members", "user.username", name), 30);
        change_serve_kill(st);
    }
    assert_int_equal(change_dead(st, "users"), 0);
}

/* ------------------------------------------------------------------------------------------------------------ 12 */

/* So late that the platform writes before it also where the machine is busy. */
static int setup_look(void **state)
{
    *state = change_stage_open(USERS "second_look = 10s\n");
    return 0;
}

/* As one that had read the user before the change writes them: at the very version that we write at. */
static void line_12_a_writer_at_an_equal_version_in_between_leaves_nothing_stale(void **state)
{
    struct change_stage *st = *state;
    char document[300];

    snprintf(document, sizeof document, CHANGED, "reader");
    members_put(st, 3, 1);
    fault_proxy_set(st->proxy, &(struct fault){.path_with = "_bulk", .link = FAULT_HANG});
    change_serve(st);
    change_tell(st, "users.updated", "0", "0", 2, NEW);
    until_requests_hang(st, 1);
    assert_int_equal(platform_put(st, "members", "m0", 3, document), 200); /* between our reading and our writing */
    fault_proxy_set(st->proxy, NULL);
    document_becomes(st, "members", "m0", "_source.user.username", "new", PATIENCE_MS);
    assert_int_equal(platform_put(st, "members", "m1", 3, document), 200); /* behind our writing */
    document_becomes(st, "members", "m1", "_source.user.username", "new", PATIENCE_MS);
    assert_string_equal(document_at(st, "members", "m1", "_version"), "3");
}

/* ------------------------------------------------------------------------------------------------------------ 13 */

static void line_13_our_write_leaves_the_version_as_it_is_and_the_platforms_next_one_is_taken(void **state)
{
    struct change_stage *st = *state;
    char document[300];

    members_put(st, 3, 1);
    change_tell(st, "users.updated", "0", "0", 2, NEW);
    change_work(st, "users-members");
    assert_int_equal(documents_with(st, "members", "user.username", "new"), 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(document_at(st, "members", arena_printf(st->scene->arena, "m%d", i), "_version"), "3");
    snprintf(document, sizeof document, CHANGED, "owner");
    assert_int_equal(platform_put(st, "members", "m0", 4, document), 200); /* its next revision */
    assert_int_equal(platform_put(st, "members", "m1", 3, document), 200); /* the same once more */
    assert_int_equal(platform_put(st, "members", "m2", 2, document), 409); /* an older one still comes too late */
    assert_string_equal(document_at(st, "members", "m0", "_version"), "4");
    assert_string_equal(document_at(st, "members", "m1", "_version"), "3");
    /* and what it wrote from an old state is brought up to date again, at its version */
    change_tell(st, "users.updated", "0", "0", 3, "{\"username\":\"newer\"}");
    change_work(st, "users-members");
    assert_int_equal(documents_with(st, "members", "user.username", "newer"), 3);
    assert_string_equal(document_at(st, "members", "m0", "_version"), "4");
    assert_string_equal(document_at(st, "members", "m0", "_source.role"), "owner");
    assert_int_equal(platform_put(st, "members", "m0", 5, document), 200);
}

/* ------------------------------------------------------------------------------------------------------------ 14 */

static void line_14_a_conflict_with_a_newer_version_holds_up_no_other_document(void **state)
{
    struct change_stage *st = *state;
    char document[300];

    members_put(st, 20, 1);
    fault_proxy_set(st->proxy, &(struct fault){.path_with = "_bulk", .link = FAULT_HANG});
    change_serve(st);
    change_tell(st, "users.updated", "0", "0", 2, NEW);
    until_requests_hang(st, 1); /* read at version 3, not written */
    snprintf(document, sizeof document, CHANGED, "owner");
    assert_int_equal(platform_put(st, "members", "m7", 4, document), 200);
    fault_proxy_set(st->proxy, NULL);
    until_no_event_is_open(st);
    assert_int_equal(documents_with(st, "members", "user.username", "new"), 20);
    assert_string_equal(document_at(st, "members", "m7", "_version"), "4");
    assert_string_equal(document_at(st, "members", "m7", "_source.role"), "owner"); /* what was written is kept */
    assert_int_equal(change_dead(st, "users"), 0);
}

/* ------------------------------------------------------------------------------------------------------------ 15 */

static void
line_15_busy_failing_and_silent_servers_are_tried_again_item_by_item_and_nothing_is_acknowledged_early(void **state)
{
    static const struct fault faults[] = {
        {.path_with = "_bulk", .item_status = 429, .item_every = 3,             .times = 2},
        {.path_with = "_bulk",                    .status = 503,                   .times = 2             },
        {.path_with = "_search",                    .status = 500,                 .times = 2},
        {.path_with = "_bulk",                    .link = FAULT_RESET_BEFORE,                   .times = 2  },
        {.path_with = "_bulk",                    .link = FAULT_CUT_REPLY,                   .times = 2 },
        {.path_with = "_bulk",                    .link = FAULT_ITEM_MISSING,                   .times = 1},
    };
    struct change_stage *st = *state;

    members_put(st, 30, 1);
    change_serve(st);
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        const char *name = arena_printf(st->scene->arena, "new %zu", i);

        fault_proxy_set(st->proxy, &faults[i]);
        change_tell(st, "users.updated", "0", "0", 2 + (int)i,
                    arena_printf(st->scene->arena, "{\"username\":\"%s\"}", name));
        until_no_event_is_open(st);
        /* acknowledged is only what is there */
        assert_int_equal(documents_with(st, "members", "user.username", name), 30);
    }
    assert_int_equal(change_dead(st, "users"), 0);
    /* of those that are busy all the time the event waits, and the others have what is new */
    fault_proxy_set(st->proxy, &(struct fault){.path_with = "_bulk", .item_status = 429, .item_id_with = "m7"});
    change_tell(st, "users.updated", "0", "0", 20, "{\"username\":\"last\"}");
    document_becomes(st, "members", "m29", "_source.user.username", "last", PATIENCE_MS);
    assert_int_equal(change_open_events(st, "users", "users-members"), 1);
    assert_string_equal(document_at(st, "members", "m7", "_source.user.username"), "new 5");
    fault_proxy_set(st->proxy, NULL);
    document_becomes(st, "members", "m7", "_source.user.username", "last", PATIENCE_MS);
}

/* ------------------------------------------------------------------------------------------------------------ 16 */

static void line_16_a_document_that_the_mapping_refuses_makes_a_dead_letter_and_concerns_no_other(void **state)
{
    struct change_stage *st = *state;

    members_put(st, 10, 2);
    change_tell(st, "users.updated", "0", "0", 2, "{\"username\":\"new\",\"verified_at\":\"no date\"}");
    change_tell(st, "users.updated", "1", "1", 2, NEW);
    change_work(st, "users-members");
    assert_int_equal(documents_with(st, "members", "user.username", "new"), 5);
    assert_string_equal(change_dead_field(st, "users", "subject"), "users/0");
    assert_non_null(strstr(change_dead_field(st, "users", "reply"), "verified_at"));
    assert_string_equal(document_at(st, "members", "m1", "_source.user.username"), "new");
    assert_string_equal(document_at(st, "members", "m0", "_source.user.username"), "old");
}

int main(void)
{
#define LINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        LINE(line_11_a_kill_between_the_event_and_the_reply_to_the_bulk_loses_nothing),
        cmocka_unit_test_setup_teardown(line_12_a_writer_at_an_equal_version_in_between_leaves_nothing_stale,
                                        setup_look, teardown),
        LINE(line_13_our_write_leaves_the_version_as_it_is_and_the_platforms_next_one_is_taken),
        LINE(line_14_a_conflict_with_a_newer_version_holds_up_no_other_document),
        LINE(line_15_busy_failing_and_silent_servers_are_tried_again_item_by_item_and_nothing_is_acknowledged_early),
        LINE(line_16_a_document_that_the_mapping_refuses_makes_a_dead_letter_and_concerns_no_other),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
