#include "handlers/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "handlers/archive/archive_keep.h"
#include "handlers/archive/archive_name.h"
#include "handlers/line_file.h"
#include "notifier/archived.h"

enum {
    DAY = 24 * 60 * 60 * 1000,
    LINE_BYTES_MOST = 64 * 1024 * 1024, /* more than any event that the door takes */
    LINE_KEEP_BYTES = 64 * 1024,
};

struct options {
    char *folder;
    bool compress;
    int64_t retain_ms;
};

static const struct config_key keys[] = {
    {"folder",   CONFIG_TEXT, offsetof(struct options, folder),    NULL,  0, 0,                    NULL, NULL,
     "where the files are, a day each (UTC); made where it is missing, for the service alone"},
    {"compress", CONFIG_FLAG, offsetof(struct options, compress),  "yes", 0, 0,                    NULL, NULL,
     "whether the file of a day that is over is packed (gzip)"                               },
    {"retain",   CONFIG_TIME, offsetof(struct options, retain_ms), "0s",  0, INT64_C(36600) * DAY, NULL, NULL,
     "how long a file is kept after its day; 0s: for ever"                                   },
    CONFIG_END,
};

struct archive {
    struct archive_keeping keeping;
    struct archive_keeper *keeper;
    struct line_file *file; /* NULL: none is open */
    struct buf path, line;  /* path: of the file that is open */
};

/* An event that comes again makes the same line. */
static struct span whole_line(struct span line)
{
    return line;
}

static const struct line_file_form form = {
    .what = "archive file",
    .start = ARCHIVED_START,
    .line_most = LINE_BYTES_MOST,
    .key = whole_line,
};

static bool make_folder(const char *folder, struct error *err)
{
    if ((mkdir(folder, 0700) == 0 || errno == EEXIST) && access(folder, R_OK | W_OK | X_OK) == 0)
        return true;
    return error_set(err, ERROR_CONFIG, "folder %s: %s", folder, strerror(errno));
}

static bool archive_open(struct handler *h, struct error *err)
{
    const struct options *o = h->options;
    struct archive *a = h->state = xcalloc(1, sizeof *a);

    buf_init(&a->path);
    buf_init(&a->line);
    a->keeping = (struct archive_keeping){o->folder, h->common->name, o->compress, o->retain_ms};
    return make_folder(o->folder, err);
}

/* One lane of a process sees to the files that are there. */
static bool archive_install(struct handler *h, struct error *err)
{
    struct archive *a = h->state;

    (void)err;
    if (!a->keeper)
        a->keeper = archive_keeper_start(&a->keeping);
    return true;
}

static void archive_close_handler(struct handler *h)
{
    struct archive *a = h->state;

    if (!a)
        return;
    archive_keeper_stop(a->keeper);
    line_file_close(a->file);
    buf_release(&a->path);
    buf_release(&a->line);
    free(a);
}

/* The file of today. */
static bool take_file(struct archive *a, int64_t now_us, struct error *err)
{
    struct buf path = BUF_INIT;

    archive_name_add_open(a->keeping.folder, a->keeping.handler, now_us, &path);
    if (!a->file || !text_same(path.data, a->path.data)) {
        line_file_close(a->file);
        a->file = line_file_open(path.data, &form, err);
        buf_reset(&a->path);
        buf_add(&a->path, path.data, path.length);
    }
    buf_release(&path);
    if (!a->file)
        err->kind = ERROR_AGAIN; /* the folder may be away, or the disk be full */
    return a->file;
}

static bool archive_handle(struct handler *h, struct batch *in, struct error *err)
{
    struct archive *a = h->state;

    if (!take_file(a, clock_wall_us(), err))
        return false;
    for (size_t i = 0; i < in->count; i++) {
        if (in->items[i].outcome != OUTCOME_NONE)
            continue;
        buf_reset(&a->line);
        archived_add(&in->items[i].event, &a->line);
        line_file_add(a->file, a->line.data, a->line.length);
    }
    buf_trim(&a->line, LINE_KEEP_BYTES);
    if (!line_file_flush(a->file, err))
        return false;
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            in->items[i].outcome = OUTCOME_DONE;
    return true;
}

const struct handler_type archive_handler = {
    .name = "archive",
    .help = "every event into daily files, to be sent again by `crier replay`",
    .keys = keys,
    .size = sizeof(struct options),
    .traits = KIND_ONE_LANE,
    .install = archive_install,
    .open = archive_open,
    .handle = archive_handle,
    .close = archive_close_handler,
};
