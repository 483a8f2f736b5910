/* What an archive holds goes through chosen handlers once more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "handlers/archive/archive_keep.h"
#include "notifier/intake.h"
#include "support/clock_ahead.h"
#include "support/past.h"
#include "support/process.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static char folder[350];

static int setup(void **state)
{
    static int number;
    char ini[1500];

    snprintf(folder, sizeof folder, "%s/archive%d", test_folder(), number++);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
             "[queue usage]\nevents = record-view record-download user.*\nretain = 0s\n"
             "[event record-view]\nprepare = visitor\nunique = data.recid visitor_id time/10s\n"
             "[handler views]\ntype = statistics\nqueue = usage\nevents = record-view\nindex = views-{time:%%Y-%%m}\n"
             "[handler trail]\ntype = audit\nqueue = usage\nindex = trail-{time:%%Y-%%m}\n"
             "[handler keep]\ntype = archive\nqueue = usage\nfolder = %s\n"
             "[handler counts]\ntype = aggregate\nof = views\nqueue = usage\nschedule = every 1h\nfield = recid\n"
             "index = counts-{time:%%Y-%%m}\nparent =\n",
             folder);
    *state = scene_open(ini);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "views-*");
    index_delete(s->settings, "trail-*");
    scene_close(s);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------- the archive */

/* Through the door, so that what is personal is gone, and the id was made under the day's salt. */
static void let_in(struct scene *s, int from, int count)
{
    struct error err;
    struct intake *in = intake_new(s->settings, &err);
    struct buf line = BUF_INIT;
    const struct intake_result *results;

    assert_non_null(in);
    intake_start(in);
    for (int i = from; i < from + count; i++) {
        buf_reset(&line);
        buf_printf(&line,
                   "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"r\",\"type\":\"record-view\",\"subject\":"
                   "\"records/%d\",\"time\":\"2026-11-%02dT10:00:0%dZ\",\"data\":{\"recid\":\"%d\",\"size\":1.50,"
                   "\"user_id\":\"u%d\"}}",
                   i, i % 5, 1 + i % 3, i % 10, i % 5, i);
        intake_add_text(in, line.data, line.length);
    }
    results = intake_send(in);
    for (int i = 0; i < count; i++)
        assert_int_equal(results[i].outcome, INTAKE_ACCEPTED);
    buf_release(&line);
    intake_free(in);
}

static void seal(void)
{
    struct archive_keeping k = {folder, "keep", true, 0};
    struct stop *stop = stop_new();
    struct error err;

    if (!archive_keep(&k, clock_wall_us() + 2 * MS_PER_DAY * 1000, stop, &err))
        fail_msg("%s", err.text);
    stop_free(stop);
}

static void work_off_all(struct scene *s)
{
    work_off(s, "keep");
    work_off(s, "views");
    work_off(s, "trail");
}

/* A file as the archive has it, of a handler and day of its own. */
static void write_file(const char *name, const char *text)
{
    char path[500];
    FILE *file;

    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static char *view_lines(int count)
{
    struct buf lines = BUF_INIT;

    for (int i = 0; i < count; i++)
        buf_printf(
            &lines,
            "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"r\",\"type\":\"record-view\",\"time\":"
            "\"2026-11-01T10:00:00Z\",\"crierunique\":\"u%d\",\"crierlatest\":true,\"data\":{\"recid\":\"1\"}}\n",
            i, i);
    return buf_take(&lines);
}

static int replay(struct scene *s, const char *wanted, const char *const words[])
{
    const char *all[20] = {"replay"};

    for (size_t i = 0; words[i] && i < 18; i++)
        all[i + 1] = words[i];
    return past_crier(s, wanted, all);
}

#define REPLAY(wanted, ...) replay(s, wanted, (const char *const[]){__VA_ARGS__, NULL})

static int64_t stream_length(struct scene *s)
{
    return scene_redis(s, "XLEN crier:{usage}:stream")->integer;
}

/* ----------------------------------------------------------------------------------------------------- coming back */

static void documents_that_were_lost_are_there_again_byte_by_byte_though_the_salt_is_gone(void **state)
{
    struct scene *s = *state;
    char *views, *trail, *again;

    let_in(s, 0, 40);
    work_off_all(s);
    seal();
    views = past_dump(s, "views-*", true);
    trail = past_dump(s, "trail-*", true);
    assert_int_equal(index_count(s->settings, "views-*"), 40);
    index_delete(s->settings, "views-*");
    index_delete(s->settings, "trail-*");
    scene_redis(s, "FLUSHALL");
    assert_int_equal(REPLAY("40 events of 40 lines in 1 files selected; sent to views 40, trail 40", "--handler",
                            "views", "--handler=trail", folder),
                     0);
    work_off_all(s);
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

    let_in(s, 0, 20);
    work_off_all(s);
    before = past_dump(s, "views-*", true);
    assert_int_equal(REPLAY("sent to views 20", "--handler", "views", folder), 0);
    work_off_all(s);
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

    let_in(s, 0, 20);
    work_off(s, "keep");
    scene_redis(s, "DEL crier:{usage}:stream");
    assert_int_equal(REPLAY("sent to views 20", "--handler", "views", folder), 0);
    work_off_all(s);
    assert_int_equal(index_count(s->settings, "views-*"), 20);
    assert_int_equal(index_count(s->settings, "trail-*"), 1); /* that there was a replay */
    time_format(clock_wall_us(), "%Y-%m-%d", day, sizeof day);
    snprintf(path, sizeof path, "%s/%s.keep.ndjson.open", folder, day);
    assert_true(file_read(path, 1024 * 1024, &text, &err));
    assert_null(strstr(strstr(text.data, "\"id\":\"19\"") + 1, "\"id\":\"0\"")); /* and not archived again */
    buf_release(&text);
}

static void a_replay_is_an_audit_entry_that_says_what_was_sent_to_whom(void **state)
{
    struct scene *s = *state;
    char *trail;

    write_file("2026-11-01.keep.ndjson.open", "");
    let_in(s, 0, 2);
    work_off(s, "keep");
    assert_int_equal(REPLAY("sent to views 2", "--handler", "views", "--type", "record-view user.*", folder), 0);
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

    let_in(s, 0, 30);
    work_off(s, "keep");
    seal();
    write_file("2026-11-02.keep.ndjson.open", more);
    assert_int_equal(REPLAY("31 events of 31 lines in 2 files selected; would be sent to trail 31", "--dry-run",
                            "--handler", "trail", folder),
                     0);
    assert_int_equal(REPLAY("1 events", "--dry-run", "--handler", "trail", "--type", "user.*", folder), 0);
    assert_int_equal(
        REPLAY("; would be sent to views 0", "--dry-run", "--handler", "views", "--type", "user.*", folder), 0);
    assert_int_equal(REPLAY("6 events", "--dry-run", "--handler", "trail", "--subject", "records/3", folder), 0);
    assert_int_equal(REPLAY("30 events", "--dry-run", "--handler", "trail", "--subject", "records/*", folder), 0);
    assert_int_equal(
        REPLAY("11 events", "--dry-run", "--handler", "trail", "--from", "2026-11-02", "--to", "2026-11-02", folder),
        0);
    assert_int_equal(
        REPLAY("0 events of 1 lines in 1 files", "--dry-run", "--handler", "trail", "--from", "2026-11-04", folder),
        0); /* a sealed file says what times it holds */
    assert_int_equal(REPLAY("\"selected\":31,\"sent\":{\"trail\":31,\"views\":30}", "--json", "--dry-run", "--handler",
                            "trail", "--handler", "views", folder),
                     0);
    assert_int_equal(REPLAY("2 events of 2", "--handler", "trail", "--type", "user.*", "--rate", "100",
                            arena_printf(s->arena, "%s/2026-11-02.keep.ndjson.open", folder),
                            arena_printf(s->arena, "%s/2026-11-02.keep.ndjson.open", folder)),
                     0);
}

static void who_gets_the_events_must_be_said(void **state)
{
    struct scene *s = *state;

    write_file("2026-11-01.keep.ndjson.open", "");
    assert_int_equal(REPLAY("of: views, trail", folder), 2);
    assert_int_equal(REPLAY("is an archive", "--handler", "keep", folder), 2);
    assert_int_equal(REPLAY("by the clock", "--handler", "counts", folder), 2);
    assert_int_equal(REPLAY("no handler", "--handler", "vews", folder), 2);
    assert_int_equal(REPLAY("no option --all", "--handler", "views", "--all", folder), 2);
    assert_int_equal(REPLAY("give the folder", "--handler", "views"), 2);
    assert_int_equal(REPLAY("at least 1", "--handler", "views", "--rate", "0", folder), 2);
    assert_int_equal(REPLAY("without --resume", "--handler", "views", "--resume", "-"), 2);
    assert_int_equal(REPLAY("No such file", "--handler", "views", "/nowhere/x"), 1);
    assert_int_equal(REPLAY("no file of an archive", "--handler", "views", test_folder()), 1);
}

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

    let_in(s, 0, 20);
    work_off(s, "keep");
    seal();
    scene_redis(s, "DEL crier:{usage}:stream");
    time_format(clock_wall_us(), "%Y-%m-%d.keep.ndjson.gz", name, sizeof name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    write_file("2026-01-01.keep.ndjson.open", ""); /* comes before it, and is not sent either */
    flip_a_byte(path);
    assert_int_equal(REPLAY(path, "--handler", "views", folder), 1);
    assert_int_equal(REPLAY("not as it was sealed", "--handler", "views", path), 1);
    flip_a_byte(path);
    assert_int_equal(REPLAY("20 events", "--dry-run", "--handler", "views", folder), 0);
    snprintf(moved, sizeof moved, "%s.moved", path);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(REPLAY("is not there, but its digest is", "--handler", "views", folder), 1);
    assert_int_equal(rename(moved, path), 0);
    snprintf(moved, sizeof moved, "%s.sha256", path);
    assert_int_equal(unlink(moved), 0);
    assert_int_equal(REPLAY("has no digest", "--handler", "views", folder), 1);
    assert_int_equal(stream_length(s), 0);
    assert_int_equal(REPLAY("20 events", "--dry-run", "--handler", "views", path), 0); /* named, it is taken as it is */
}

static void a_broken_line_is_named_and_the_others_go_but_a_torn_end_is_no_matter(void **state)
{
    struct scene *s = *state;
    char *lines = view_lines(3);

    write_file("2026-11-01.keep.ndjson.open", lines);
    write_file("2026-11-01.keep.ndjson.open", "{\"specversion\":\"1.0\",\"id\":\"to");
    assert_int_equal(REPLAY("sent to views 3\n", "--handler", "views", folder), 0);
    write_file("2026-11-01.keep.ndjson.open", "\n");
    write_file("2026-11-01.keep.ndjson.open", lines);
    assert_int_equal(REPLAY("2026-11-01.keep.ndjson.open:4: ", "--handler", "views", folder), 3);
    assert_int_equal(REPLAY("sent to views 6; lines left out 1", "--handler", "views", folder), 3);
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

    write_file("plain.ndjson", lines);
    snprintf(path, sizeof path, "%s/plain.ndjson", folder);
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

    write_file("2026-11-01.keep.ndjson.open", line);
    assert_int_equal(REPLAY("sent to views 1", "--handler", "views", folder), 0);
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
    return stream_length(s) > sent_until;
}

static void killed_at_any_moment_it_goes_on_and_no_event_is_missing(void **state)
{
    enum { EVENTS = 6000, BATCH = 500 };
    static const int64_t places[] = {0, 600, 900, 1600};
    struct scene *s = *state;
    char *lines = view_lines(EVENTS);
    int kills = 0;

    write_file("2026-11-01.keep.ndjson.open", lines);
    for (; kills < (int)ARRAY_LENGTH(places); kills++) {
        sent_until = places[kills];
        past_crier_killed_when(s, so_many_are_sent,
                               (const char *const[]){"replay", "--handler", "views", SLOWLY, "--resume", folder, NULL});
    }
    assert_int_equal(REPLAY("sent to views", "--handler", "views", "--resume", folder), 0);
    assert_true(stream_length(s) >= EVENTS);
    assert_true(stream_length(s) <= EVENTS + kills * (BATCH + 1) + 2); /* an entry for the audit each time */
    work_off(s, "views");
    assert_int_equal(index_count(s->settings, "views-*"), EVENTS);
    free(lines);
}

static void resumed_it_goes_on_though_the_file_was_sealed_meanwhile(void **state)
{
    enum { EVENTS = 4000 };
    struct scene *s = *state;
    char *lines = view_lines(EVENTS);

    write_file("2026-11-01.keep.ndjson.open", lines);
    sent_until = 500; /* a batch */
    past_crier_killed_when(s, so_many_are_sent,
                           (const char *const[]){"replay", "--handler", "views", SLOWLY, "--resume", folder, NULL});
    assert_true(stream_length(s) < EVENTS);
    seal();
    assert_int_equal(REPLAY("sent to views", "--handler", "views", "--resume", folder), 0);
    assert_true(stream_length(s) <= EVENTS + 500 + 2); /* at most a batch again, and two entries for the audit */
    work_off(s, "views");
    assert_int_equal(index_count(s->settings, "views-*"), EVENTS);
    free(lines);
}

static void without_resume_it_begins_anew(void **state)
{
    struct scene *s = *state;
    char *lines = view_lines(700);

    write_file("2026-11-01.keep.ndjson.open", lines);
    assert_int_equal(REPLAY("sent to views 700", "--handler", "views", folder), 0);
    assert_int_equal(REPLAY("sent to views 700", "--handler", "views", folder), 0);
    assert_int_equal(REPLAY("sent to views 700", "--handler", "views", "--resume", folder), 0); /* it was through */
    free(lines);
}

/* More than may wait, and for a while no more. */
static bool it_pauses(struct scene *s)
{
    static int64_t seen, since_ms;

    if (stream_length(s) != seen) {
        seen = stream_length(s);
        since_ms = clock_monotonic_ms();
    }
    return seen > 1000 && clock_monotonic_ms() - since_ms > 1500;
}

static void it_pauses_while_too_many_events_wait(void **state)
{
    enum { EVENTS = 20000, LOOKED_AT = 5000 };
    struct scene *s = *state;
    char *lines = view_lines(EVENTS);

    write_file("2026-11-01.keep.ndjson.open", lines);
    past_crier_killed_when(
        s, it_pauses,
        (const char *const[]){"replay", "--handler", "views", "--backlog", "1000", "--resume", folder, NULL});
    assert_true(stream_length(s) <= LOOKED_AT + 1);
    free(lines);
}

#define WITH_ARCHIVE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARCHIVE(documents_that_were_lost_are_there_again_byte_by_byte_though_the_salt_is_gone),
        WITH_ARCHIVE(what_is_there_already_stays_as_it_is),
        WITH_ARCHIVE(handlers_that_were_not_chosen_get_nothing),
        WITH_ARCHIVE(a_replay_is_an_audit_entry_that_says_what_was_sent_to_whom),
        WITH_ARCHIVE(only_what_was_asked_for_is_sent),
        WITH_ARCHIVE(who_gets_the_events_must_be_said),
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
