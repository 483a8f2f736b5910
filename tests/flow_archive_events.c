/* Events to an archive: each once, whole, and none acknowledged that is missing, also over kills and full disks. */
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/packed.h"
#include "handlers/archive/archive_keep.h"
#include "handlers/archive/archive_seal.h"
#include "handlers/handler.h"
#include "support/archive_stage.h"
#include "support/clock_ahead.h"
#include "support/pause.h"
#include "support/process.h"
#include "support/scene.h"
#include "support/work.h"

/* ---------------------------------------------------------------------------------------------------- the lines */

static void a_line_is_the_event_with_what_a_replay_needs(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "user.updated", "a", "users/42", 7, "{\"name\":\"Ada\",\"n\":1.5}");

    e.time = span_of("2026-11-20T10:00:00Z");
    e.time_us = 1795168800000000;
    e.unique = span_of("00112233445566778899aabbccddeeff");
    e.click = span_of("ffee");
    e.latest_wins = true;
    scene_append(s, &e, 1);
    work_off(s, "keep");
    archive_text_is(archive_paths.open,
                    "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"https://repository.example.org\",\"type\":"
                    "\"user.updated\",\"time\":\"2026-11-20T10:00:00Z\",\"subject\":\"users/42\",\"revision\":7,"
                    "\"crierunique\":\"00112233445566778899aabbccddeeff\",\"crierclick\":\"ffee\",\"crierlatest\":true,"
                    "\"datacontenttype\":\"application/json\",\"data\":{\"name\":\"Ada\",\"n\":1.5}}\n");
    assert_int_equal(archive_mode(archive_paths.open), 0600);
    assert_int_equal(archive_mode(archive_paths.folder), 0700);
}

/* Hands the events to a handler as a worker would, and again as after a crash. */
static bool handle(struct handler *h, struct scene *s, const struct event *events, size_t count, struct error *err)
{
    struct batch b = {.arena = s->arena, .count = count};
    bool ok;

    b.items = arena_zero(s->arena, count * sizeof *b.items);
    for (size_t i = 0; i < count; i++)
        b.items[i].event = events[i];
    ok = h->type->handle(h, &b, err);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(b.items[i].outcome, ok ? OUTCOME_DONE : OUTCOME_NONE);
    return ok;
}

static struct handler *open_handler(struct scene *s)
{
    struct error err;
    struct handler *h = handler_new(s->settings, settings_handler(s->settings, "keep"), &err);

    if (!h)
        fail_msg("%s", err.text);
    return h;
}

static int count_lines(const char *text)
{
    int lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static int lines_of(const char *path)
{
    char *text = archive_text(path);
    int lines = count_lines(text);

    free(text);
    return lines;
}

static void an_event_that_comes_again_also_to_another_process_stands_there_once(void **state)
{
    struct scene *s = *state;
    struct handler *one = open_handler(s), *other = open_handler(s);
    struct event events[] = {scene_event(s, "user.updated", "a", "users/1", 1, "{}"),
                             scene_event(s, "user.updated", "b", "users/2", 1, "{}"),
                             scene_event(s, "user.updated", "c", "users/3", 1, "{}")};
    struct error err;

    assert_true(handle(one, s, events, 2, &err));
    assert_true(handle(one, s, events, 2, &err));
    assert_true(handle(other, s, events, 3, &err));
    assert_true(handle(one, s, events, 3, &err));
    handler_free(one);
    one = open_handler(s); /* after a restart */
    assert_true(handle(one, s, events, 3, &err));
    assert_int_equal(lines_of(archive_paths.open), 3);
    events[0].time = span_of("2026-11-20T10:00:01Z"); /* a later one with the same unique id is another event */
    assert_true(handle(one, s, events, 1, &err));
    assert_int_equal(lines_of(archive_paths.open), 4);
    handler_free(one);
    handler_free(other);
}

static void a_line_torn_by_a_crash_is_cut_off_and_comes_again_whole(void **state)
{
    struct scene *s = *state;
    struct handler *h = open_handler(s);
    struct event events[] = {scene_event(s, "user.updated", "a", "users/1", 1, "{}"),
                             scene_event(s, "user.updated", "b", "users/2", 1, "{}")};
    struct error err;
    char *before, *after;

    assert_true(handle(h, s, events, 2, &err));
    handler_free(h);
    before = archive_text(archive_paths.open);
    assert_int_equal(truncate(archive_paths.open, (off_t)strlen(before) - 20), 0);
    h = open_handler(s);
    assert_true(handle(h, s, events + 1, 1, &err));
    after = archive_text(archive_paths.open);
    assert_string_equal(before, after);
    free(before);
    free(after);
    handler_free(h);
}

static void a_full_disk_pauses_and_loses_nothing(void **state)
{
    struct scene *s = *state;
    struct handler *h = open_handler(s);
    struct rlimit before, small = {600, 0};
    struct event events[10];
    struct error err;

    for (size_t i = 0; i < 10; i++)
        events[i] = scene_event(s, "user.updated", arena_printf(s->arena, "e%zu", i), "users/1", 1, "{}");
    assert_true(handle(h, s, events, 2, &err));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_false(handle(h, s, events, 10, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_non_null(strstr(err.text, archive_paths.open));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(lines_of(archive_paths.open), 2); /* nothing of it, and no part of a line */
    assert_true(handle(h, s, events, 10, &err));
    assert_int_equal(lines_of(archive_paths.open), 10);
    handler_free(h);
}

static void an_archive_that_cannot_be_written_pauses_until_it_can(void **state)
{
    struct scene *s = *state;
    struct handler *h = open_handler(s);
    struct event e = scene_event(s, "user.updated", "a", "users/1", 1, "{}");
    struct error err;

    assert_int_equal(rmdir(archive_paths.folder), 0);
    assert_false(handle(h, s, &e, 1, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_int_equal(mkdir(archive_paths.folder, 0700), 0);
    assert_true(handle(h, s, &e, 1, &err));
    assert_int_equal(lines_of(archive_paths.open), 1);
    handler_free(h);
}

/* ------------------------------------------------------------------------------------------------- killed at work */

enum { ROUNDS = 4, A_ROUND = 1500, MANY = (ROUNDS + 1) * A_ROUND };

static void append_round(struct scene *s, int round)
{
    struct event *events = xcalloc(A_ROUND, sizeof *events);

    for (int i = 0; i < A_ROUND; i++)
        events[i] = scene_event(s, "record.updated", arena_printf(s->arena, "e%05d", round * A_ROUND + i), "records/1",
                                1, "{\"padding\":\"0123456789012345678901234567890123456789\"}");
    scene_append(s, events, A_ROUND);
    free(events);
}

/* Those that are sealed are not packed. The last one is that of today. */
static glob_t files_of_all_days(void)
{
    char pattern[500];
    glob_t found = {0};

    snprintf(pattern, sizeof pattern, "%s/*.ndjson", archive_paths.folder);
    glob(pattern, 0, NULL, &found);
    snprintf(pattern, sizeof pattern, "%s/*.ndjson.open", archive_paths.folder);
    glob(pattern, GLOB_APPEND, NULL, &found);
    return found;
}

static off_t written(void)
{
    glob_t files = files_of_all_days();
    struct stat status;
    off_t size = 0;

    for (size_t i = 0; i < files.gl_pathc; i++)
        size += stat(files.gl_pathv[i], &status) == 0 ? status.st_size : 0;
    globfree(&files);
    return size;
}

static bool all_acknowledged(struct scene *s)
{
    const struct reply *groups = scene_redis(s, "XINFO GROUPS crier:{changes}:stream");

    return groups->count == 1 && reply_field_int(&groups->items[0], "lag") == 0 &&
           reply_field_int(&groups->items[0], "pending") == 0;
}

/* Kills it as soon as it writes, and leaves behind what a write that was cut off would. */
static void kill_while_it_writes(struct server *crier, off_t before)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    glob_t files;

    while (written() <= before && clock_monotonic_ms() < until_ms)
        pause_ms(1);
    assert_true(written() > before);
    server_kill(crier);
    files = files_of_all_days();
    archive_append_text(files.gl_pathv[files.gl_pathc - 1], "{\"specversion\":\"1.0\",\"id\":\"to");
    globfree(&files);
}

/* Marks those of the ids e00000 ... that stand in the file: each in a line of its own, once, and nothing else. */
static void mark_ids(const char *path, bool there[MANY])
{
    char *text = archive_text(path);
    bool here[MANY] = {false};
    int count = 0;

    for (const char *at = text; (at = strstr(at, "\"id\":\"e")); count++) {
        int id;

        at += strlen("\"id\":\"e");
        id = atoi(at);
        if (here[id])
            fail_msg("event e%05d stands there twice", id);
        here[id] = there[id] = true;
    }
    assert_int_equal(count_lines(text), count);
    assert_null(strstr(text, "\"to{"));
    free(text);
}

/* The service has its own time, and its day may end meanwhile: an event may then stand in the files of both days. */
static void killed_in_the_middle_of_a_write_nothing_acknowledged_is_missing(void **state)
{
    struct scene *s = *state;
    struct server *crier = crier_serve_start(s->config_path);
    int64_t until_ms;
    bool there[MANY] = {false};
    glob_t files;

    for (int round = 0; round < ROUNDS; round++) {
        off_t before = written();

        append_round(s, round);
        kill_while_it_writes(crier, before);
        server_restart(crier);
    }
    append_round(s, ROUNDS);
    until_ms = clock_monotonic_ms() + 60000;
    while (!all_acknowledged(s) && clock_monotonic_ms() < until_ms)
        pause_ms(50);
    assert_true(all_acknowledged(s));
    server_stop(crier);
    server_free(crier);
    files = files_of_all_days();
    for (size_t i = 0; i < files.gl_pathc; i++)
        mark_ids(files.gl_pathv[i], there);
    globfree(&files);
    for (int i = 0; i < MANY; i++)
        if (!there[i])
            fail_msg("event e%05d is missing", i);
}

#define WITH_ARCHIVE(test) cmocka_unit_test_setup_teardown(test, archive_stage_setup, archive_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARCHIVE(a_line_is_the_event_with_what_a_replay_needs),
        WITH_ARCHIVE(an_event_that_comes_again_also_to_another_process_stands_there_once),
        WITH_ARCHIVE(a_line_torn_by_a_crash_is_cut_off_and_comes_again_whole),
        WITH_ARCHIVE(a_full_disk_pauses_and_loses_nothing),
        WITH_ARCHIVE(an_archive_that_cannot_be_written_pauses_until_it_can),
        cmocka_unit_test_setup_teardown(killed_in_the_middle_of_a_write_nothing_acknowledged_is_missing,
                                        archive_stage_setup_unpacked, archive_stage_close),
    };

    clock_ahead_to_noon(); /* files are named by the day */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
