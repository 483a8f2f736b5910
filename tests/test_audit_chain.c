/* The audit file: one chain of digests, whoever writes to it, through rotation and kills. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "handlers/audit/audit_chain.h"
#include "handlers/audit/audit_file.h"
#include "handlers/audit/audit_verify.h"
#include "support/chain_stage.h"
#include "support/process.h"

static char secret[] = SECRET;

/* -------------------------------------------------------------------------------------------------- how it is written
 */

static void each_line_carries_its_place_and_the_digest_of_the_one_before(void **state)
{
    struct audit_chained first, second, head;
    struct buf text = BUF_INIT;
    struct error err;
    const char *end;
    bool found;

    (void)state;
    chain_write(0, 2);
    chain_read_file(chain.path, &text);
    end = strchr(text.data, '\n');
    assert_true(audit_chain_read((struct span){text.data, (size_t)(end - text.data)}, &first));
    assert_true(audit_chain_read((struct span){end + 1, strlen(end + 1) - 1}, &second));
    assert_int_equal(first.link.place, 1);
    assert_int_equal(second.link.place, 2);
    assert_true(span_is(first.before, audit_link_none.digest));
    assert_true(span_is(second.before, first.link.digest));
    assert_true(audit_head_load(chain.path, &text, &head, &found, &err));
    assert_true(found);
    assert_int_equal(head.link.place, 2);
    chain_is_well(2);
    buf_release(&text);
}

static void the_chain_goes_on_after_a_restart_and_between_processes(void **state)
{
    struct audit_file *ours, *theirs;

    (void)state;
    chain_write(0, 5);
    ours = chain_open();
    theirs = chain_open();
    for (int i = 5; i < 25; i++) {
        struct audit_file *f = i % 2 ? ours : theirs;

        chain_add(f, i);
        chain_add(f, i - 1); /* comes again to the other one: known */
        chain_flush(f);
    }
    audit_file_close(ours);
    audit_file_close(theirs);
    chain_is_well(25);
}

static void processes_that_write_at_once_make_one_chain(void **state)
{
    enum { WRITERS = 4, EACH = 50 };
    pid_t children[WRITERS];

    (void)state;
    chain.settings.rotate_bytes = 5000;
    for (int w = 0; w < WRITERS; w++)
        if ((children[w] = fork_bound()) == 0) {
            chain_write(w * EACH, (w + 1) * EACH);
            _exit(0);
        }
    for (int w = 0; w < WRITERS; w++) {
        int status;

        assert_int_equal(waitpid(children[w], &status, 0), children[w]);
        assert_int_equal(status, 0);
    }
    chain_is_well(WRITERS * EACH);
}

static void a_full_file_makes_room_and_the_chain_goes_on_in_the_new_one(void **state)
{
    struct error err;
    size_t count;
    char **files;

    (void)state;
    chain.settings.rotate_bytes = 2000;
    chain_write(0, 40);
    files = audit_files_list(chain.path, &count, &err);
    assert_non_null(files);
    assert_true(count > 3);
    assert_string_equal(files[count - 1], chain.path);
    for (size_t i = 0; i + 1 < count; i++) {
        struct stat status;

        assert_int_equal(stat(files[i], &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
    chain_is_well(40);
    assert_int_equal(unlink(files[1]), 0);
    chain_finding_is("missing, or moved");
    assert_int_equal(unlink(files[0]), 0);
    chain_finding_is("the ones before it are missing");
    free(chain_finding("", true, NULL, NULL));
    audit_files_free(files, count);
}

static void a_file_that_just_made_room_is_well(void **state)
{
    struct audit_file *f;

    (void)state;
    chain.settings.rotate_bytes = 500;
    chain_write(0, 4);
    f = chain_open();
    chain_add(f, 3); /* is there already: the new file stays empty */
    chain_flush(f);
    audit_file_close(f);
    chain_is_well(4);
}

static void a_new_month_begins_a_new_file(void **state)
{
    struct timespec past[2] = {
        {1700000000, 0},
        {1700000000, 0}
    };
    char moved[400];

    (void)state;
    chain.settings.rotate = ROTATE_MONTHLY;
    chain_write(0, 4);
    chain_write(4, 6);
    snprintf(moved, sizeof moved, "%s.000000000006", chain.path);
    assert_int_not_equal(access(moved, F_OK), 0);
    assert_int_equal(utimensat(AT_FDCWD, chain.path, past, 0), 0);
    chain_write(6, 8);
    assert_int_equal(access(moved, F_OK), 0);
    chain_is_well(8);
}

static void lines_from_before_there_was_a_chain_are_its_beginning(void **state)
{
    static const char old[] = "{\"id\":\"o1\",\"action\":\"x\"}\n{\"id\":\"o2\",\"data\":{\"chain\":{\"place\":1}}}\n";
    struct buf text = BUF_INIT;

    (void)state;
    chain_write_file(chain.path, old, strlen(old));
    chain_write(0, 3);
    chain_is_well(3);
    chain_read_file(chain.path, &text);
    assert_memory_equal(text.data, old, strlen(old));
    text.data[8] = '7';
    chain_write_file(chain.path, text.data, text.length);
    chain_finding_is("audit.ndjson:3: the 2 lines before it");
    buf_release(&text);
}

static void lines_that_a_process_left_before_its_head_are_gone_on_from(void **state)
{
    struct buf head = BUF_INIT, path_of_head = BUF_INIT;

    (void)state;
    audit_head_path(chain.path, &path_of_head);
    chain_write(0, 4);
    chain_read_file(path_of_head.data, &head);
    chain_write(4, 6);
    chain_write_file(path_of_head.data, head.data, head.length); /* as if it had died */
    chain_is_well(6);
    chain_write(4, 6); /* come again */
    chain_write(6, 8);
    chain_is_well(8);
    buf_release(&head);
    buf_release(&path_of_head);
}

/* Tells after every flush how far it is. */
static void write_on(int from, int to_parent)
{
    struct audit_file *f = chain_open();

    for (int i = from;; i += 2) {
        int done = i + 2;

        chain_add(f, i);
        chain_add(f, i + 1);
        chain_flush(f);
        if (write(to_parent, &done, sizeof done) != sizeof done)
            _exit(1);
    }
}

/* Once it has told of a flush, and a moment later. Returns how many entries were told to be written when it ended. */
static int write_until_killed(int from, useconds_t after_us)
{
    int ends[2], done = 0, told;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork_bound();
    if (child == 0) {
        close(ends[0]);
        write_on(from, ends[1]);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &done, sizeof done), sizeof done);
    usleep(after_us);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(ends[0], &told, sizeof told) == sizeof told)
        done = told;
    close(ends[0]);
    return done;
}

static void a_writer_killed_at_any_moment_leaves_a_chain_that_holds(void **state)
{
    int written = 0;
    int64_t lines;
    char *finding;

    (void)state;
    chain.settings.key = secret;
    chain.settings.rotate_bytes = 3000;
    for (int i = 0; i < 60; i++)
        written = write_until_killed(written, (useconds_t)(250 * (i % 30)));
    chain_write(written, written + 1);
    finding = chain_finding(secret, false, NULL, &lines);
    assert_string_equal(finding, "");
    assert_true(written >= 120);
    assert_true(lines > written); /* what was told to be written is, and the last one */
    free(finding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_line_carries_its_place_and_the_digest_of_the_one_before, chain_stage_setup),
        cmocka_unit_test_setup(the_chain_goes_on_after_a_restart_and_between_processes, chain_stage_setup),
        cmocka_unit_test_setup(processes_that_write_at_once_make_one_chain, chain_stage_setup),
        cmocka_unit_test_setup(a_full_file_makes_room_and_the_chain_goes_on_in_the_new_one, chain_stage_setup),
        cmocka_unit_test_setup(a_file_that_just_made_room_is_well, chain_stage_setup),
        cmocka_unit_test_setup(a_new_month_begins_a_new_file, chain_stage_setup),
        cmocka_unit_test_setup(lines_from_before_there_was_a_chain_are_its_beginning, chain_stage_setup),
        cmocka_unit_test_setup(lines_that_a_process_left_before_its_head_are_gone_on_from, chain_stage_setup),
        cmocka_unit_test_setup(a_writer_killed_at_any_moment_leaves_a_chain_that_holds, chain_stage_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
