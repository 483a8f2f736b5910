/*
 * The checklist of the reference, lines 8 and 17 to 22: what has many documents, what comes late, what is gone, what
 * matters, and who waits for whom.
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

#define USERS(rest)                                                                                                    \
    "[event users.updated]\nprofile = invenio-users\n"                                                                 \
    "[handler users-members]\nsource = payload\nschedule = at once\n" rest

#define NEW "{\"username\":\"new\"}"
#define OLD                                                                                                            \
    "{\"indexed_at\":\"2126-11-20T10:00:00\",\"user\":{\"id\":\"0\",\"@v\":\"0::1\",\"username\":\"old\"},\"role\":"   \
    "\"reader\"}"

static int teardown(void **state)
{
    change_stage_close(*state);
    return 0;
}

#define SETUP(name, ini)                                                                                               \
    static int name(void **state)                                                                                      \
    {                                                                                                                  \
        *state = change_stage_open(ini);                                                                               \
        return 0;                                                                                                      \
    }

static void until_some_have(struct change_stage *st, const char *username, int64_t least)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    int64_t have;

    while ((have = documents_with(st, "members", "user.username", username)) < least) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld documents have it, not %lld", (long long)have, (long long)least);
        usleep(20000);
    }
}

/* OpenSearch counts a write when it is there already. */
static void until_written(struct change_stage *st, int64_t least)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    int64_t written;

    while ((written = index_writes(&st->platform, "members")) < least) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld writes are counted, not %lld", (long long)written, (long long)least);
        usleep(20000);
    }
}

/* ------------------------------------------------------------------------------------------------------------- 8 */

SETUP(setup_many, USERS("mass = 1000\nrate = 1000\npage = 500\nsecond_look = 1s\n"))

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_MOST_KIB = 200 * 1024 }; /* the sanitizer's own comes on top */
#else
enum { MEMORY_MOST_KIB = 48 * 1024 };
#endif

static long memory_most_kib(const struct server *s)
{
    char path[64], line[200];
    long kib = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", server_pid(s));
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    fclose(file);
    return kib;
}

static void line_08_many_documents_of_one_record_in_bounded_memory_and_a_kill_costs_a_page(void **state)
{
    enum { DOCUMENTS = 10000, PAGE = 500, COPYISTS = 2 };
    struct change_stage *st = *state;
    int64_t writes, twice;
    long kib;

    members_put(st, DOCUMENTS, 1);
    writes = index_writes(&st->platform, "members");
    change_serve(st);
    change_tell(st, "users.updated", "0", "0", 2, NEW);
    until_some_have(st, "new", DOCUMENTS / 5);
    change_serve_kill(st);
    assert_true(documents_with(st, "members", "user.username", "new") < DOCUMENTS);
    change_serve(st);
    until_some_have(st, "new", DOCUMENTS);
    until_written(st, writes + DOCUMENTS);
    change_until_open(st, "users", "users-members", 0);
    kib = memory_most_kib(st->serve);
    twice = index_writes(&st->platform, "members") - writes - DOCUMENTS;
    print_message("written twice: %lld; memory: %ld KiB\n", (long long)twice, kib);
    assert_true(twice >= 0 && twice <= PAGE * COPYISTS);
    assert_true(kib > 0 && kib <= MEMORY_MOST_KIB);
}

/* ------------------------------------------------------------------------------------------------------------ 17 */

/* So late that the platform writes before it also where the machine is busy. */
SETUP(setup_look, USERS("second_look = 10s\n"))

static void line_17_documents_indexed_after_the_scan_are_caught_by_a_second_look(void **state)
{
    struct change_stage *st = *state;

    members_put(st, 1, 1);
    change_serve(st);
    change_tell(st, "users.updated", "0", "0", 2, NEW);
    document_becomes(st, "members", "m0", "_source.user.username", "new", PATIENCE_MS);
    assert_int_equal(platform_put(st, "members", "late", 3, OLD), 201); /* by a worker that had read the old user */
    document_becomes(st, "members", "late", "_source.user.username", "new", PATIENCE_MS);
    assert_string_equal(document_at(st, "members", "late", "_version"), "3");
    assert_int_equal(scene_redis(st->scene, "XLEN crier:{users}:stream")->integer, 1); /* nobody told of it again */
}

/* ------------------------------------------------------------------------------------------------------------ 18 */

SETUP(setup_check, "[event users.updated]\nprofile = invenio-users\n"
                   "[handler users-check]\ntype = reconcile\nqueue = users\nof = users-members\n")

static void line_18_reconcile_finds_and_repairs_what_is_behind_though_nobody_told_of_it(void **state)
{
    struct change_stage *st = *state;
    int64_t writes;
    char *out;

    members_put(st, 20, 2);
    platform_put(st, "users", "0", 4, "{\"id\":0,\"uuid\":\"0\",\"username\":\"ada\"}");
    platform_put(st, "users", "1", 1, "{\"id\":1,\"uuid\":\"1\",\"username\":\"old\"}");
    writes = index_writes(&st->platform, "members");
    for (int round = 0; round < 2; round++) {
        if (crier_run(&out, (const char *const[]){"run", "--config", st->scene->config_path, "users-check", NULL}) != 0)
            fail_msg("%s", out);
        free(out);
        assert_int_equal(index_writes(&st->platform, "members") - writes, 10); /* what is right is left alone */
    }
    assert_string_equal(document_at(st, "members", "m0", "_source.user.username"), "ada");
    assert_string_equal(document_at(st, "members", "m18", "_source.user.@v"), "0::4");
    assert_string_equal(document_at(st, "members", "m18", "_version"), "3");
    assert_string_equal(document_at(st, "members", "m1", "_source.user.@v"), "1::1");
}

/* ------------------------------------------------------------------------------------------------------------ 19 */

#define GONE(name, policy)                                                                                             \
    "[handler " name "]\ntype = denormalize\nqueue = users\nindex = " name "\nmatch = user.id\nrevision = .@v\n"       \
    "copy = .username<-data.username\non_delete = " policy "\n"

SETUP(setup_gone, "[queue users]\nevents = users.*\n" GONE("kept", "keep") GONE("cleared", "clear")
                      GONE("removed", "remove") GONE("marked", "tombstone"))

static void line_19_a_deletion_does_what_the_file_says_and_again_changes_nothing(void **state)
{
    static const char *const after[][2] = {
        {"kept",    "{\"user\":{\"id\":\"0\",\"username\":\"old\",\"@v\":1},\"n\":1}"},
        {"cleared", "{\"user\":{\"id\":\"0\",\"@v\":5},\"n\":1}"                     },
        {"removed", "{\"n\":1}"                                                      },
        {"marked",  "{\"user\":{\"id\":\"0\",\"@v\":5,\"deleted\":true},\"n\":1}"    },
    };
    struct change_stage *st = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(after); i++)
        platform_put(st, after[i][0], "d", 7, after[0][1]);
    for (int round = 0; round < 3; round++) {
        /* the deletion; the deletion told again in other words; an older change that comes late */
        if (round < 2)
            change_tell(st, "users.deleted", "0", round ? "0" : "again", 5, NULL);
        else
            change_tell(st, "users.updated", "0", "0", 4, "{\"username\":\"late\"}");
        for (size_t i = 0; i < ARRAY_LENGTH(after); i++) {
            int64_t writes = index_writes(&st->platform, after[i][0]);

            change_work(st, after[i][0]);
            if (round == 2 && i == 0) /* what is kept has no mark of its end, and goes by revisions */
                continue;
            if (strcmp(document_at(st, after[i][0], "d", "_source"), after[i][1]) != 0)
                fail_msg("%s: %s", after[i][0], document_at(st, after[i][0], "d", "_source"));
            assert_string_equal(document_at(st, after[i][0], "d", "_version"), "7");
            assert_int_equal(index_writes(&st->platform, after[i][0]) - writes, round == 0 && i > 0 ? 1 : 0);
        }
    }
    assert_int_equal(change_dead(st, "users"), 0);
}

/* ------------------------------------------------------------------------------------------------------------ 20 */

SETUP(setup_only, USERS("only_when = data.username\n"))

static void line_20_only_a_change_of_the_fields_that_matter_writes(void **state)
{
    struct change_stage *st = *state;
    int64_t writes;

    members_put(st, 10, 1);
    change_tell(st, "users.updated", "0", "0", 2, "{\"username\":\"new\",\"active\":true}");
    change_work(st, "users-members");
    writes = index_writes(&st->platform, "members");
    change_tell(st, "users.updated", "0", "0", 3, "{\"username\":\"new\",\"active\":false}");
    change_work(st, "users-members");
    change_tell(st, "users.updated", "0", "0", 4, "{\"username\":\"new\",\"changed\":[\"active\"]}");
    change_work(st, "users-members");
    assert_int_equal(index_writes(&st->platform, "members"), writes);
    change_tell(st, "users.updated", "0", "0", 5, "{\"username\":\"newer\",\"active\":false}");
    change_work(st, "users-members");
    assert_int_equal(index_writes(&st->platform, "members"), writes + 10);
    assert_string_equal(document_at(st, "members", "m9", "_source.user"),
                        "{\"id\":\"0\",\"@v\":\"0::5\",\"username\":\"newer\",\"email\":\"u0@example.org\",\"active\":"
                        "false}");
}

/* ------------------------------------------------------------------------------------------------------------ 21 */

SETUP(setup_mass, USERS("mass = 100\nrate = 50\npage = 50\n"))

static void line_21_a_mass_update_is_throttled_and_holds_up_no_other_change(void **state)
{
    enum { DOCUMENTS = 1500, RATE = 50, PAGE = 50 }; /* half a minute */
    struct change_stage *st = *state;
    int64_t start_ms, told_ms, new;

    members_put(st, DOCUMENTS, 1);
    platform_put(
        st, "members", "other", 3,
        "{\"indexed_at\":\"2026-11-20T10:00:00\",\"user\":{\"id\":\"7\",\"@v\":\"7::1\",\"username\":\"old\"}}");
    change_serve(st);
    start_ms = clock_monotonic_ms();
    change_tell(st, "users.updated", "0", "0", 2, NEW);
    until_some_have(st, "new", 100);
    told_ms = clock_monotonic_ms();
    change_tell(st, "users.updated", "7", "7", 2, "{\"username\":\"quick\"}");
    document_becomes(st, "members", "other", "_source.user.username", "quick", PATIENCE_MS);
    new = documents_with(st, "members", "user.username", "new");
    assert_true(new < DOCUMENTS);
    assert_true(new - 2 * PAGE <= (clock_monotonic_ms() - start_ms) * RATE / 1000);
    print_message("told of while a mass update ran: there after %lld ms\n",
                  (long long)(clock_monotonic_ms() - told_ms));
}

/* ------------------------------------------------------------------------------------------------------------ 22 */

SETUP(setup_parallel, USERS("page = 20\nmass = 0\n") "[queue views]\nevents = record.viewed\n"
                                                     "[handler views]\ntype = statistics\nqueue = views\n"
                                                     "schedule = at once\nparallel = 3\nbatch = 10\nindex = views\n")

static long under_way(struct change_stage *st)
{
    return fault_proxy_counts(st->proxy).requests_hung;
}

/* A machine that is busy lets them begin one after the other. */
static void until_under_way(struct change_stage *st, long least)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    long now;

    while ((now = under_way(st)) < least) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%ld requests are under way, not %ld", now, least);
        usleep(10000);
    }
}

/* What is not to come would come meanwhile. */
enum { ONE_MORE_MS = 1000 };

static void line_22_no_more_workers_of_a_handler_are_at_work_than_the_file_says(void **state)
{
    enum { EVENTS = 500, VIEWS = 3, COPYISTS = 2 };
    struct change_stage *st = *state;
    struct event events[EVENTS];

    members_put(st, 400, 1);
    for (int i = 0; i < EVENTS; i++)
        events[i] =
            scene_event(st->scene, "record.viewed", arena_printf(st->scene->arena, "e%d", i), "records/1", 1, "{}");
    scene_append(st->scene, events, EVENTS);
    fault_proxy_set(st->proxy, &(struct fault){.path_with = "_bulk", .link = FAULT_HANG});
    change_serve(st);
    until_under_way(st, VIEWS);
    usleep(ONE_MORE_MS * 1000);
    assert_int_equal(under_way(st), VIEWS);
    change_tell(st, "users.updated", "0", "0", 2, NEW);
    until_under_way(st, VIEWS + 1);
    usleep(ONE_MORE_MS * 1000);
    assert_in_range(under_way(st), VIEWS + 1, VIEWS + COPYISTS);
    fault_proxy_set(st->proxy, NULL);
    until_some_have(st, "new", 400);
}

int main(void)
{
#define LINE(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        LINE(line_08_many_documents_of_one_record_in_bounded_memory_and_a_kill_costs_a_page, setup_many),
        LINE(line_17_documents_indexed_after_the_scan_are_caught_by_a_second_look, setup_look),
        LINE(line_18_reconcile_finds_and_repairs_what_is_behind_though_nobody_told_of_it, setup_check),
        LINE(line_19_a_deletion_does_what_the_file_says_and_again_changes_nothing, setup_gone),
        LINE(line_20_only_a_change_of_the_fields_that_matter_writes, setup_only),
        LINE(line_21_a_mass_update_is_throttled_and_holds_up_no_other_change, setup_mass),
        LINE(line_22_no_more_workers_of_a_handler_are_at_work_than_the_file_says, setup_parallel),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
