/* tests/support/archive_stage.h - a [handler archive] whose files are looked into. */
#ifndef TESTS_SUPPORT_ARCHIVE_STAGE_H
#define TESTS_SUPPORT_ARCHIVE_STAGE_H

#include "handlers/handler.h"
#include "support/scene.h"

/* Of the test under way, of today: the file that is written and the one it becomes. */
struct archive_paths {
    char folder[350], open[500], sealed[500], day[16];
};

extern struct archive_paths archive_paths;

struct scene *archive_stage_open(const char *more);
int archive_stage_setup(void **state);
int archive_stage_setup_unpacked(void **state);
int archive_stage_close(void **state);
char *archive_text(const char *path);
void archive_text_is(const char *path, const char *wanted);
char *archive_unpacked(const char *path);
unsigned archive_mode(const char *path);
void archive_append_text(const char *path, const char *text);

#endif
