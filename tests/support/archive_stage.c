#include "support/archive_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/packed.h"
#include "handlers/handler.h"
#include "support/process.h"
#include "support/scene.h"

struct archive_paths archive_paths;

/* Names of today, as the archive has them. */
static void name_files(void)
{
    time_format(clock_wall_us(), "%Y-%m-%d", archive_paths.day, sizeof archive_paths.day);
    snprintf(archive_paths.open, sizeof archive_paths.open, "%s/%s.keep.ndjson.open", archive_paths.folder,
             archive_paths.day);
    snprintf(archive_paths.sealed, sizeof archive_paths.sealed, "%s/%s.keep.ndjson.gz", archive_paths.folder,
             archive_paths.day);
}

struct scene *archive_stage_open(const char *more)
{
    static int number;
    char ini[1000];

    snprintf(archive_paths.folder, sizeof archive_paths.folder, "%s/archive%d", test_folder(), number++);
    name_files();
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue changes]\nevents = user.* record.*\n"
             "[handler keep]\ntype = archive\nqueue = changes\nschedule = every 100ms\nfolder = %s\n%s",
             archive_paths.folder, more);
    return scene_open(ini);
}

int archive_stage_setup(void **state)
{
    *state = archive_stage_open("");
    return 0;
}

int archive_stage_setup_unpacked(void **state)
{
    *state = archive_stage_open("compress = no\n");
    return 0;
}

int archive_stage_close(void **state)
{
    scene_close(*state);
    return 0;
}

char *archive_text(const char *path)
{
    struct buf text = BUF_INIT;
    struct error err;

    if (!file_read(path, 64 * 1024 * 1024, &text, &err))
        fail_msg("%s", err.text);
    return buf_take(&text);
}

void archive_text_is(const char *path, const char *wanted)
{
    char *text = archive_text(path);

    assert_string_equal(text, wanted);
    free(text);
}

char *archive_unpacked(const char *path)
{
    struct buf text = BUF_INIT;
    struct packed_reader *r;
    bool ended = false;
    struct error err;
    struct span line;

    r = packed_open(path, &err);
    assert_non_null(r);
    while (packed_line(r, 1024 * 1024, &line, &ended, &err) && !ended) {
        buf_add(&text, line.text, line.length);
        buf_add_char(&text, '\n');
    }
    assert_true(ended);
    packed_close(r);
    return buf_take(&text);
}

unsigned archive_mode(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

void archive_append_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}
