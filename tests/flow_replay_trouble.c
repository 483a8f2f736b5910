/* A replay of files that are damaged or from elsewhere, one that is cut off, and one that has to wait. */
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
#include "support/clock_ahead.h"
#include "support/past.h"
#include "support/process.h"
#include "support/replay_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

/* --------------------------------------------------------------------------------------------------------- damage */

static void flip_a_byte(const char *path)
{
    FILE *file = fopen(path, "r+e");
    int byte;

    assert_non_null(file);
    fseek(file, 60, SEEK_SET);
    byte = fgetc(file);
    fseek(file, 60, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static void a_file_that_is_not_as_it_was_sealed_is_named_and_nothing_is_sent(void **state)
{
    struct scene *s = *state;
    char path[500], name[100], moved[510];

    replay_let_in(s, 0, 20);
    work_off(s, "keep");
    replay_seal();
    scene_redis(s, "DEL crier:{usage}:stream");
    time_format(clock_wall_us(), "%Y-%m-%d.keep.ndjson.gz", name, sizeof name);
    snprintf(path, sizeof path, "%s/%s", replay_folder, name);
    replay_write("2026-01-01.keep.ndjson.open", ""); /* comes before it, and is not sent either */
    flip_a_byte(path);
    assert_int_equal(REPLAY(path, "--handler", "views", replay_folder), 1);
    assert_int_equal(REPLAY("not as it was sealed", "--handler", "views", path), 1);
    flip_a_byte(path);
    assert_int_equal(REPLAY("20 events", "--dry-run", "--handler", "views", replay_folder), 0);
    snprintf(moved, sizeof moved, "%s.moved", path);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(REPLAY("is not there, but its digest is", "--handler", "views", replay_folder), 1);
    assert_int_equal(rename(moved, path), 0);
    snprintf(moved, sizeof moved, "%s.sha256", path);
    assert_int_equal(unlink(moved), 0);
    assert_int_equal(REPLAY("has no digest", "--handler", "views", replay_folder), 1);
    assert_int_equal(replay_stream_length(s), 0);
    assert_int_equal(REPLAY("20 events", "--dry-run", "--handler", "views", path), 0); /* named, it is taken as it is */
}

static void a_broken_line_is_named_and_the_others_go_but_a_torn_end_is_no_matter(void **state)
{
    struct scene *s = *state;
    char *lines = replay_view_lines(3);

    replay_write("2026-11-01.keep.ndjson.open", lines);
    replay_write("2026-11-01.keep.ndjson.open", "{\"specversion\":\"1.0\",\"id\":\"to");
    assert_int_equal(REPLAY("sent to views 3\n", "--handler", "views", replay_folder), 0);
    replay_write("2026-11-01.keep.ndjson.open", "\n");
    replay_write("2026-11-01.keep.ndjson.open", lines);
    assert_int_equal(REPLAY("2026-11-01.keep.ndjson.open:4: ", "--handler", "views", replay_folder), 3);
    assert_int_equal(REPLAY("sent to views 6; lines left out 1", "--handler", "views", replay_folder), 3);
    free(lines);
}

/* -------------------------------------------------------------------------------------------- lines from elsewhere */

static void lines_of_no_archive_are_taken_where_they_need_no_preparation(void **state)
{
    static const char lines[] =
        "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"r\",\"type\":\"user.updated\",\"subject\":\"users/1\","
        "\"time\":\"2026-11-02T10:00:00Z\"}\n\n"
        "{\"specversion\":\"1.0\",\"id\":\"b\",\"source\":\"r\",\"type\":\"record-view\",\"time\":"
        "\"2026-11-02T10:00:00Z\",\"data\":{\"recid\":\"1\",\"user_id\":\"7\"}}\n"
        "{\"event_type\":\"user.deleted\",\"payload\":{\"timestamp\":\"2026-11-02T10:00:00Z\"}}\n"
        "nothing\n";
    struct scene *s = *state;
    char path[500], command[900];
    char *out;

    replay_write("plain.ndjson", lines);
    snprintf(path, sizeof path, "%s/plain.ndjson", replay_folder);
    assert_int_equal(
        REPLAY("plain.ndjson:3: it is from no archive, and [event record-view] says", "--handler", "trail", path), 3);
    snprintf(command, sizeof command, "%s replay --config %s --json --handler trail - < %s", CRIER_PROGRAM,
             s->config_path, path);
    assert_int_equal(program_run(&out, (char *[]){(char[]){"sh"}, (char[]){"-c"}, command, NULL}), 3);
    assert_non_null(strstr(out, "\"sent\":{\"trail\":2},\"unreadable\":2"));
    free(out);
    work_off(s, "trail");
    assert_int_equal(index_count(s->settings, "trail-*"), 2 + 2); /* each once, and two replays */
}

static void what_an_old_archive_tells_of_a_person_does_not_reach_what_counts_people(void **state)
{
    static const char line[] =
        "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"r\",\"type\":\"record-view\",\"time\":"
        "\"2026-11-02T10:00:00Z\",\"crierunique\":\"a\",\"data\":{\"recid\":\"1\",\"ip_address\":\"203.0.113.7\"}}\n";
    struct scene *s = *state;
    const struct reply *entries;

    replay_write("2026-11-01.keep.ndjson.open", line);
    assert_int_equal(REPLAY("sent to views 1", "--handler", "views", replay_folder), 0);
    entries = scene_redis(s, "XRANGE crier:{usage}:stream - +");
    for (size_t i = 0; i < entries->count; i++)
        assert_false(strstr(reply_field_text(&entries->items[i].items[1], "data"), "203.0.113.7"));
}

/* --------------------------------------------------------------------------------------------------- cut off, slow */

/* So slowly that it is not through before whoever looks has seen how far it is. */
#define SLOWLY "--rate", "400"

static int64_t sent_until; /* where it is killed */

static bool so_many_are_sent(struct scene *s)
{
    return replay_stream_length(s) > sent_until;
}

static void killed_at_any_moment_it_goes_on_and_no_event_is_missing(void **state)
{
    enum { EVENTS = 6000, BATCH = 500 };
    static const int64_t places[] = {0, 600, 900, 1600};
    struct scene *s = *state;
    char *lines = replay_view_lines(EVENTS);
    int kills = 0;

    replay_write("2026-11-01.keep.ndjson.open", lines);
    for (; kills < (int)ARRAY_LENGTH(places); kills++) {
        sent_until = places[kills];
        past_crier_killed_when(
            s, so_many_are_sent,
            (const char *const[]){"replay", "--handler", "views", SLOWLY, "--resume", replay_folder, NULL});
    }
    assert_int_equal(REPLAY("sent to views", "--handler", "views", "--resume", replay_folder), 0);
    assert_true(replay_stream_length(s) >= EVENTS);
    assert_true(replay_stream_length(s) <= EVENTS + kills * (BATCH + 1) + 2); /* an entry for the audit each time */
    work_off(s, "views");
    assert_int_equal(index_count(s->settings, "views-*"), EVENTS);
    free(lines);
}

static void resumed_it_goes_on_though_the_file_was_sealed_meanwhile(void **state)
{
    enum { EVENTS = 4000 };
    struct scene *s = *state;
    char *lines = replay_view_lines(EVENTS);

    replay_write("2026-11-01.keep.ndjson.open", lines);
    sent_until = 500; /* a batch */
    past_crier_killed_when(
        s, so_many_are_sent,
        (const char *const[]){"replay", "--handler", "views", SLOWLY, "--resume", replay_folder, NULL});
    assert_true(replay_stream_length(s) < EVENTS);
    replay_seal();
    assert_int_equal(REPLAY("sent to views", "--handler", "views", "--resume", replay_folder), 0);
    assert_true(replay_stream_length(s) <= EVENTS + 500 + 2); /* at most a batch again, and two entries for the audit */
    work_off(s, "views");
    assert_int_equal(index_count(s->settings, "views-*"), EVENTS);
    free(lines);
}

static void without_resume_it_begins_anew(void **state)
{
    struct scene *s = *state;
    char *lines = replay_view_lines(700);

    replay_write("2026-11-01.keep.ndjson.open", lines);
    assert_int_equal(REPLAY("sent to views 700", "--handler", "views", replay_folder), 0);
    assert_int_equal(REPLAY("sent to views 700", "--handler", "views", replay_folder), 0);
    assert_int_equal(REPLAY("sent to views 700", "--handler", "views", "--resume", replay_folder),
                     0); /* it was through */
    free(lines);
}

/* More than may wait, and for a while no more. */
static bool it_pauses(struct scene *s)
{
    static int64_t seen, since_ms;

    if (replay_stream_length(s) != seen) {
        seen = replay_stream_length(s);
        since_ms = clock_monotonic_ms();
    }
    return seen > 1000 && clock_monotonic_ms() - since_ms > 1500;
}

static void it_pauses_while_too_many_events_wait(void **state)
{
    enum { EVENTS = 20000, LOOKED_AT = 5000 };
    struct scene *s = *state;
    char *lines = replay_view_lines(EVENTS);

    replay_write("2026-11-01.keep.ndjson.open", lines);
    past_crier_killed_when(
        s, it_pauses,
        (const char *const[]){"replay", "--handler", "views", "--backlog", "1000", "--resume", replay_folder, NULL});
    assert_true(replay_stream_length(s) <= LOOKED_AT + 1);
    free(lines);
}

#define WITH_ARCHIVE(test) cmocka_unit_test_setup_teardown(test, replay_stage_open, replay_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARCHIVE(a_file_that_is_not_as_it_was_sealed_is_named_and_nothing_is_sent),
        WITH_ARCHIVE(a_broken_line_is_named_and_the_others_go_but_a_torn_end_is_no_matter),
        WITH_ARCHIVE(lines_of_no_archive_are_taken_where_they_need_no_preparation),
        WITH_ARCHIVE(what_an_old_archive_tells_of_a_person_does_not_reach_what_counts_people),
        WITH_ARCHIVE(killed_at_any_moment_it_goes_on_and_no_event_is_missing),
        WITH_ARCHIVE(resumed_it_goes_on_though_the_file_was_sealed_meanwhile),
        WITH_ARCHIVE(without_resume_it_begins_anew),
        WITH_ARCHIVE(it_pauses_while_too_many_events_wait),
    };

    clock_ahead_to_noon(); /* files are named by the day */
    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
