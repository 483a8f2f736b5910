/* What an archive holds goes through chosen handlers once more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "support/clock_ahead.h"
#include "support/past.h"
#include "support/replay_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

/* ----------------------------------------------------------------------------------------------------- coming back */

static void documents_that_were_lost_are_there_again_byte_by_byte_though_the_salt_is_gone(void **state)
{
    struct scene *s = *state;
    char *views, *trail, *again;

    replay_let_in(s, 0, 40);
    replay_work_off(s);
    replay_seal();
    views = past_dump(s, "views-*", true);
    trail = past_dump(s, "trail-*", true);
    assert_int_equal(index_count(s->settings, "views-*"), 40);
    index_delete(s->settings, "views-*");
    index_delete(s->settings, "trail-*");
    scene_redis(s, "FLUSHALL");
    assert_int_equal(REPLAY("40 events of 40 lines in 1 files selected; sent to views 40, trail 40", "--handler",
                            "views", "--handler=trail", replay_folder),
                     0);
    replay_work_off(s);
    again = past_dump(s, "views-*", true);
    assert_string_equal(again, views);
    free(again);
    assert_int_equal(index_count(s->settings, "trail-*"), 41); /* and that there was a replay */
    free(views);
    free(trail);
}

static void what_is_there_already_stays_as_it_is(void **state)
{
    struct scene *s = *state;
    char *before, *after;

    replay_let_in(s, 0, 20);
    replay_work_off(s);
    before = past_dump(s, "views-*", true);
    assert_int_equal(REPLAY("sent to views 20", "--handler", "views", replay_folder), 0);
    replay_work_off(s);
    after = past_dump(s, "views-*", true);
    assert_string_equal(before, after);
    assert_int_equal(scene_redis(s, "XLEN crier:{usage}:dead")->integer, 0);
    free(before);
    free(after);
}

static void handlers_that_were_not_chosen_get_nothing(void **state)
{
    struct scene *s = *state;
    char path[400], day[16];
    struct buf text = BUF_INIT;
    struct error err;

    replay_let_in(s, 0, 20);
    work_off(s, "keep");
    scene_redis(s, "DEL crier:{usage}:stream");
    assert_int_equal(REPLAY("sent to views 20", "--handler", "views", replay_folder), 0);
    replay_work_off(s);
    assert_int_equal(index_count(s->settings, "views-*"), 20);
    assert_int_equal(index_count(s->settings, "trail-*"), 1); /* that there was a replay */
    time_format(clock_wall_us(), "%Y-%m-%d", day, sizeof day);
    snprintf(path, sizeof path, "%s/%s.keep.ndjson.open", replay_folder, day);
    assert_true(file_read(path, 1024 * 1024, &text, &err));
    assert_null(strstr(strstr(text.data, "\"id\":\"19\"") + 1, "\"id\":\"0\"")); /* and not archived again */
    buf_release(&text);
}

static void a_replay_is_an_audit_entry_that_says_what_was_sent_to_whom(void **state)
{
    struct scene *s = *state;
    char *trail;

    replay_write("2026-11-01.keep.ndjson.open", "");
    replay_let_in(s, 0, 2);
    work_off(s, "keep");
    assert_int_equal(REPLAY("sent to views 2", "--handler", "views", "--type", "record-view user.*", replay_folder), 0);
    work_off(s, "trail");
    trail = index_dump(s->settings, "trail-*");
    assert_non_null(strstr(trail, "\"action\":\"crier.events.replayed\""));
    assert_non_null(strstr(trail, "\"handlers\":[\"views\"]"));
    assert_non_null(strstr(trail, "\"types\":\"record-view user.*\""));
    free(trail);
}

/* ------------------------------------------------------------------------------------------------------- choosing */

static void only_what_was_asked_for_is_sent(void **state)
{
    static const char more[] = "{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"r\",\"type\":\"user.updated\","
                               "\"subject\":\"users/1\",\"time\":\"2026-11-02T10:00:00Z\",\"crierunique\":\"x\"}\n";
    struct scene *s = *state;

    replay_let_in(s, 0, 30);
    work_off(s, "keep");
    replay_seal();
    replay_write("2026-11-02.keep.ndjson.open", more);
    assert_int_equal(REPLAY("31 events of 31 lines in 2 files selected; would be sent to trail 31", "--dry-run",
                            "--handler", "trail", replay_folder),
                     0);
    assert_int_equal(REPLAY("1 events", "--dry-run", "--handler", "trail", "--type", "user.*", replay_folder), 0);
    assert_int_equal(
        REPLAY("; would be sent to views 0", "--dry-run", "--handler", "views", "--type", "user.*", replay_folder), 0);
    assert_int_equal(REPLAY("6 events", "--dry-run", "--handler", "trail", "--subject", "records/3", replay_folder), 0);
    assert_int_equal(REPLAY("30 events", "--dry-run", "--handler", "trail", "--subject", "records/*", replay_folder),
                     0);
    assert_int_equal(REPLAY("11 events", "--dry-run", "--handler", "trail", "--from", "2026-11-02", "--to",
                            "2026-11-02", replay_folder),
                     0);
    assert_int_equal(REPLAY("0 events of 1 lines in 1 files", "--dry-run", "--handler", "trail", "--from", "2026-11-04",
                            replay_folder),
                     0); /* a sealed file says what times it holds */
    assert_int_equal(REPLAY("\"selected\":31,\"sent\":{\"trail\":31,\"views\":30}", "--json", "--dry-run", "--handler",
                            "trail", "--handler", "views", replay_folder),
                     0);
    assert_int_equal(REPLAY("2 events of 2", "--handler", "trail", "--type", "user.*", "--rate", "100",
                            arena_printf(s->arena, "%s/2026-11-02.keep.ndjson.open", replay_folder),
                            arena_printf(s->arena, "%s/2026-11-02.keep.ndjson.open", replay_folder)),
                     0);
}

static void who_gets_the_events_must_be_said(void **state)
{
    struct scene *s = *state;

    replay_write("2026-11-01.keep.ndjson.open", "");
    assert_int_equal(REPLAY("of: views, trail", replay_folder), 2);
    assert_int_equal(REPLAY("is an archive", "--handler", "keep", replay_folder), 2);
    assert_int_equal(REPLAY("by the clock", "--handler", "counts", replay_folder), 2);
    assert_int_equal(REPLAY("no handler", "--handler", "vews", replay_folder), 2);
    assert_int_equal(REPLAY("no option --all", "--handler", "views", "--all", replay_folder), 2);
    assert_int_equal(REPLAY("give the folder", "--handler", "views"), 2);
    assert_int_equal(REPLAY("at least 1", "--handler", "views", "--rate", "0", replay_folder), 2);
    assert_int_equal(REPLAY("without --resume", "--handler", "views", "--resume", "-"), 2);
    assert_int_equal(REPLAY("No such file", "--handler", "views", "/nowhere/x"), 1);
    assert_int_equal(REPLAY("no file of an archive", "--handler", "views", test_folder()), 1);
}

#define WITH_ARCHIVE(test) cmocka_unit_test_setup_teardown(test, replay_stage_open, replay_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARCHIVE(documents_that_were_lost_are_there_again_byte_by_byte_though_the_salt_is_gone),
        WITH_ARCHIVE(what_is_there_already_stays_as_it_is),
        WITH_ARCHIVE(handlers_that_were_not_chosen_get_nothing),
        WITH_ARCHIVE(a_replay_is_an_audit_entry_that_says_what_was_sent_to_whom),
        WITH_ARCHIVE(only_what_was_asked_for_is_sent),
        WITH_ARCHIVE(who_gets_the_events_must_be_said),
    };

    clock_ahead_to_noon(); /* files are named by the day */
    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
