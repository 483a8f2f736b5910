/* The program with whole files: the shipped one, the core, and each mistake of each bad file. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "config/settings.h"
#include "support/canary.h"
#include "support/server.h"
#include "support/text_file.h"

/* What `crier WORDS` writes to standard output; its exit code. */
static int crier(const char *words, struct buf *out)
{
    char command[1200], errors_path[320];
    struct buf errors = BUF_INIT;
    struct error err;
    FILE *pipe;
    size_t got;
    int status;

    snprintf(errors_path, sizeof errors_path, "%s/errors", test_folder());
    snprintf(command, sizeof command, "'%s' %s 2>'%s'", CRIER_PROGRAM, words, errors_path);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    while ((got = fread(buf_grow(out, 4096), 1, 4096, pipe)) > 0)
        buf_grown(out, got);
    status = pclose(pipe);
    canary_check(words, out->data);
    assert_true(file_read(errors_path, 1 << 20, &errors, &err));
    canary_check(words, errors.data);
    buf_release(&errors);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The file that the project was asked to understand, word for word, is what the sample is made of. */
static void the_core_gives_the_same_values_as_the_shipped_file(void **state)
{
    struct buf core = BUF_INIT, shipped = BUF_INIT;

    (void)state;
    assert_int_equal(crier("config show --config " SOURCE_DIR "/tests/core.ini", &core), 0);
    assert_int_equal(crier("config show --config " SOURCE_DIR "/deploy/crier.ini", &shipped), 0);
    assert_true(core.length > 1000);
    assert_string_equal(core.data, shipped.data);
    buf_release(&core);
    buf_release(&shipped);
}

static void read_whole(const char *path, struct buf *out)
{
    struct error err;

    if (!file_read(path, 1 << 20, out, &err))
        fail_msg("%s", err.text);
}

/* The next line without its end; false: there is none. */
static bool line_of(const char **at, struct buf *line)
{
    size_t length = strcspn(*at, "\n");

    buf_reset(line);
    buf_add(line, *at, length);
    *at += length + ((*at)[length] == '\n');
    return line->length > 0;
}

/* Each line of `N: text` in the .expected file is one mistake: "file:N: " and the text in it; and there is no other. */
static bool mistakes_are_named(const char *ini)
{
    struct buf path = BUF_INIT, words = BUF_INIT, expected = BUF_INIT, found = BUF_INIT, want = BUF_INIT,
               got = BUF_INIT;
    const char *want_at, *got_at;
    int status;
    bool ok;

    buf_printf(&path, "%s/tests/bad-config/%.*s.expected", SOURCE_DIR, (int)(strlen(ini) - 4), ini);
    read_whole(path.data, &expected);
    buf_printf(&words, "check --config tests/bad-config/%s", ini);
    status = crier(words.data, &found);
    ok = status == 78 && expected.length > 0;
    for (want_at = expected.data, got_at = found.data; ok && line_of(&want_at, &want);) {
        const char *text = strchr(want.data, ' ') + 1;

        buf_reset(&path);
        buf_printf(&path, "tests/bad-config/%s:%.*s", ini, (int)(text - want.data), want.data);
        ok = line_of(&got_at, &got) && text_starts(got.data, path.data) && strstr(got.data, text);
    }
    ok = ok && *got_at == '\0';
    if (!ok)
        print_error("%s: exit %d\n%s--- wanted\n%s", ini, status, found.data, expected.data);
    buf_release(&path);
    buf_release(&words);
    buf_release(&expected);
    buf_release(&found);
    buf_release(&want);
    buf_release(&got);
    return ok;
}

static void each_mistake_of_each_bad_file_is_named_with_its_line(void **state)
{
    DIR *folder = opendir(SOURCE_DIR "/tests/bad-config");
    int files = 0, failed = 0;

    (void)state;
    assert_non_null(folder);
    assert_int_equal(chdir(SOURCE_DIR), 0);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        size_t length = strlen(entry->d_name);

        if (length < 5 || !text_same(entry->d_name + length - 4, ".ini"))
            continue;
        files++;
        failed += !mistakes_are_named(entry->d_name);
    }
    closedir(folder);
    assert_int_equal(failed, 0);
    assert_true(files >= 60);
}

static void the_shipped_file_is_the_sample(void **state)
{
    struct buf sample = BUF_INIT, shipped = BUF_INIT;

    (void)state;
    assert_int_equal(crier("config sample", &sample), 0);
    read_whole(SOURCE_DIR "/deploy/crier.ini", &shipped);
    assert_string_equal(sample.data, shipped.data);
    buf_release(&sample);
    buf_release(&shipped);
}

/* Takes the ';' off every line that is a key in a comment. */
static void uncomment(const struct buf *sample, struct buf *out)
{
    for (const char *line = sample->data; *line; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\n");
        size_t name = line[0] == ';' ? strspn(line + 1, "abcdefghijklmnopqrstuvwxyz_-") : 0;

        if (text_starts(line, ";[handler NAME]"))
            return;
        if (name > 0 && text_starts(line + 1 + name, " ="))
            buf_add(out, line + 1, length);
        else
            buf_add(out, line, length + 1);
    }
}

static void the_shipped_file_is_good_also_with_every_key_uncommented(void **state)
{
    struct buf shipped = BUF_INIT, whole = BUF_INIT, words = BUF_INIT, out = BUF_INIT, first = BUF_INIT;
    const char *path;

    (void)state;
    read_whole(SOURCE_DIR "/deploy/crier.ini", &shipped);
    uncomment(&shipped, &whole);
    path = text_file_put(test_folder(), "uncommented.ini", whole.data);
    buf_printf(&words, "check --config %s", path);
    if (crier("check --config " SOURCE_DIR "/deploy/crier.ini", &out) != 0 || crier(words.data, &out) != 0)
        fail_msg("%s", out.data);

    /* what is commented out is the default */
    buf_reset(&out);
    assert_int_equal(crier("config show --config " SOURCE_DIR "/deploy/crier.ini", &first), 0);
    buf_reset(&words);
    buf_printf(&words, "config show --config %s", path);
    assert_int_equal(crier(words.data, &out), 0);
    assert_string_equal(first.data, out.data);
    buf_release(&shipped);
    buf_release(&whole);
    buf_release(&words);
    buf_release(&out);
    buf_release(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_of_each_bad_file_is_named_with_its_line),
        cmocka_unit_test(the_core_gives_the_same_values_as_the_shipped_file),
        cmocka_unit_test(the_shipped_file_is_the_sample),
        cmocka_unit_test(the_shipped_file_is_good_also_with_every_key_uncommented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
