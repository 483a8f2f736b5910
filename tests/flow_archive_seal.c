/* Days of an archive that are over: packed, sealed by a digest, and removed when they were kept long enough. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

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

static void keep(const struct archive_keeping *k, int days_later)
{
    struct stop *stop = stop_new();
    struct error err;

    if (!archive_keep(k, clock_wall_us() + days_later * MS_PER_DAY * 1000, stop, &err))
        fail_msg("%s", err.text);
    stop_free(stop);
}

static struct archive_keeping keeping(bool pack, int64_t retain_days)
{
    return (struct archive_keeping){archive_paths.folder, "keep", pack, retain_days * MS_PER_DAY};
}

static int sha256sum_check(void)
{
    char command[600];

    snprintf(command, sizeof command, "cd %s && sha256sum --quiet -c *.sha256", archive_paths.folder);
    return program_run(NULL, (char *[]){(char[]){"sh"}, (char[]){"-c"}, command, NULL});
}

static void archive_some(struct scene *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct event e = scene_event(s, "user.updated", arena_printf(s->arena, "s%zu", i), "users/1", (int64_t)i, "{}");

        scene_append(s, &e, 1);
    }
    work_off(s, "keep");
}

static void a_day_that_is_over_is_packed_and_has_a_digest_that_sha256sum_checks(void **state)
{
    struct scene *s = *state;
    struct archive_keeping k = keeping(true, 0);
    char *before, *after;

    archive_some(s, 3);
    before = archive_text(archive_paths.open);
    keep(&k, 0);
    assert_int_equal(access(archive_paths.sealed, F_OK), -1); /* today is not over */
    archive_append_text(archive_paths.open, "{\"specversion\":\"1.0\",\"id\":\"torn");
    keep(&k, 2);
    after = archive_unpacked(archive_paths.sealed);
    assert_string_equal(before, after);
    assert_int_equal(access(archive_paths.open, F_OK), -1);
    assert_int_equal(archive_mode(archive_paths.sealed), 0600);
    assert_int_equal(sha256sum_check(), 0);
    free(before);
    free(after);
}

static void without_packing_it_is_sealed_as_it_is(void **state)
{
    struct scene *s = *state;
    struct archive_keeping k = keeping(false, 0);
    char *before, path[500];

    archive_some(s, 3);
    before = archive_text(archive_paths.open);
    keep(&k, 2);
    snprintf(path, sizeof path, "%s/%s.keep.ndjson", archive_paths.folder, archive_paths.day);
    archive_text_is(path, before);
    assert_int_equal(access(archive_paths.open, F_OK), -1);
    assert_int_equal(sha256sum_check(), 0);
    free(before);
}

static void a_file_that_another_process_writes_to_is_sealed_later(void **state)
{
    struct scene *s = *state;
    struct archive_keeping k = keeping(true, 0);
    int fd;

    archive_some(s, 1);
    fd = open(archive_paths.open, O_RDWR | O_CLOEXEC); /* a lock of its own, as another process would have it */
    assert_int_equal(flock(fd, LOCK_EX), 0);
    keep(&k, 2);
    assert_int_equal(access(archive_paths.open, F_OK), 0);
    close(fd);
    keep(&k, 2);
    assert_int_equal(access(archive_paths.open, F_OK), -1);
    assert_int_equal(sha256sum_check(), 0);
}

static void a_second_file_of_a_day_does_not_replace_the_first(void **state)
{
    struct scene *s = *state;
    struct archive_keeping k = keeping(true, 0);
    char path[500], *first, *second;

    archive_some(s, 1);
    keep(&k, 2);
    archive_append_text(archive_paths.open,
                        "{\"specversion\":\"1.0\",\"id\":\"x\",\"time\":\"2026-11-20T10:00:00Z\"}\n");
    keep(&k, 2); /* the clock was set back meanwhile */
    snprintf(path, sizeof path, "%s/%s.keep.1.ndjson.gz", archive_paths.folder, archive_paths.day);
    first = archive_unpacked(archive_paths.sealed);
    second = archive_unpacked(path);
    assert_non_null(strstr(first, "\"id\":\"s0\""));
    assert_non_null(strstr(second, "\"id\":\"x\""));
    assert_int_equal(sha256sum_check(), 0);
    free(first);
    free(second);
}

static void a_seal_tells_how_many_events_of_which_time_it_holds(void **state)
{
    static const char lines[] = "{\"specversion\":\"1.0\",\"id\":\"b\",\"time\":\"2026-11-20T10:00:05Z\"}\n"
                                "{\"specversion\":\"1.0\",\"id\":\"a\",\"time\":\"2026-11-20T10:00:00.5Z\"}\n";
    struct archive_keeping k = keeping(true, 0);
    struct archive_seal seal;
    struct error err;
    bool there;

    archive_some(*state, 0);
    archive_append_text(archive_paths.open, lines);
    keep(&k, 2);
    assert_true(archive_seal_read(archive_paths.sealed, &seal, &there, &err));
    assert_true(there);
    assert_int_equal(seal.events, 2);
    assert_int_equal(seal.first_us, 1795168800500000);
    assert_int_equal(seal.last_us, 1795168805000000);
}

/* How many kills it took until the file was sealed, each later than the one before. */
static int kill_until_sealed(const struct archive_keeping *k)
{
    int kills = 0, status = -1;

    for (int ms = 5; access(archive_paths.open, F_OK) == 0; ms += 25) {
        pid_t child = fork_bound();

        if (child == 0) {
            keep(k, 2);
            _exit(0);
        }
        pause_ms(ms);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        kills += WIFSIGNALED(status);
    }
    return kills;
}

/* On a busy machine all may be done before the first kill: then once more from the beginning. */
static void killed_at_any_moment_sealing_goes_on_to_one_whole_file(void **state)
{
    enum { LINES = 60000, TIMES_MOST = 20 };
    struct archive_keeping k = keeping(true, 0);
    struct buf lines = BUF_INIT;
    char digest[600], *after;
    int kills = 0;

    archive_some(*state, 0);
    snprintf(digest, sizeof digest, "%s.sha256", archive_paths.sealed);
    for (int i = 0; i < LINES; i++)
        buf_printf(&lines, "{\"specversion\":\"1.0\",\"id\":\"%d\",\"time\":\"2026-11-20T10:00:00Z\",\"x\":%d}\n", i,
                   i * 7919);
    for (int i = 0; i < TIMES_MOST && kills < 3; i++) {
        unlink(archive_paths.sealed);
        unlink(digest);
        archive_append_text(archive_paths.open, lines.data);
        kills = kill_until_sealed(&k);
    }
    assert_true(kills >= 3);
    keep(&k, 2);
    after = archive_unpacked(archive_paths.sealed);
    assert_string_equal(after, lines.data);
    assert_int_equal(sha256sum_check(), 0);
    snprintf(archive_paths.open, sizeof archive_paths.open, "%s/%s.keep.1.ndjson.gz", archive_paths.folder,
             archive_paths.day);
    assert_int_equal(access(archive_paths.open, F_OK), -1);
    free(after);
    buf_release(&lines);
}

static void files_are_removed_once_they_were_kept_long_enough(void **state)
{
    struct scene *s = *state;
    struct archive_keeping k = keeping(true, 30), other = {archive_paths.folder, "other", true, 30 * MS_PER_DAY};
    char digest[600];

    archive_some(s, 1);
    keep(&k, 29);
    assert_int_equal(access(archive_paths.sealed, F_OK), 0);
    keep(&other, 40); /* another handler's in the same folder */
    assert_int_equal(access(archive_paths.sealed, F_OK), 0);
    keep(&k, 32);
    snprintf(digest, sizeof digest, "%s.sha256", archive_paths.sealed);
    assert_int_equal(access(archive_paths.sealed, F_OK), -1);
    assert_int_equal(access(digest, F_OK), -1);
}

static void the_service_seals_a_day_by_itself(void **state)
{
    struct scene *s = *state;
    struct server *crier;
    char path[600];

    archive_some(s, 0);
    snprintf(path, sizeof path, "%s/2026-01-01.keep.ndjson.open", archive_paths.folder);
    archive_append_text(path, "{\"specversion\":\"1.0\",\"id\":\"x\",\"time\":\"2026-01-01T10:00:00Z\"}\n");
    crier = crier_serve_start(s->config_path);
    for (int64_t until_ms = clock_monotonic_ms() + 60000; access(path, F_OK) == 0 && clock_monotonic_ms() < until_ms;)
        pause_ms(20);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(sha256sum_check(), 0);
    server_stop(crier);
    server_free(crier);
}

#define WITH_ARCHIVE(test) cmocka_unit_test_setup_teardown(test, archive_stage_setup, archive_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARCHIVE(a_day_that_is_over_is_packed_and_has_a_digest_that_sha256sum_checks),
        cmocka_unit_test_setup_teardown(without_packing_it_is_sealed_as_it_is, archive_stage_setup_unpacked,
                                        archive_stage_close),
        WITH_ARCHIVE(a_file_that_another_process_writes_to_is_sealed_later),
        WITH_ARCHIVE(a_second_file_of_a_day_does_not_replace_the_first),
        WITH_ARCHIVE(a_seal_tells_how_many_events_of_which_time_it_holds),
        WITH_ARCHIVE(killed_at_any_moment_sealing_goes_on_to_one_whole_file),
        WITH_ARCHIVE(files_are_removed_once_they_were_kept_long_enough),
        WITH_ARCHIVE(the_service_seals_a_day_by_itself),
    };

    clock_ahead_to_noon(); /* files are named by the day */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
