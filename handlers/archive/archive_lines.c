#include "handlers/archive/archive_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/packed.h"
#include "notifier/lines.h"

enum { LINE_BYTES_MOST = 64 * 1024 * 1024 };

struct archive_lines {
    char *path;
    int fd;                       /* -1: packed */
    struct lines plain;           /* of fd */
    struct packed_reader *packed; /* NULL: plain */
    int64_t number;               /* of the packed line last given */
};

static bool is_packed(int fd)
{
    unsigned char start[2];

    return pread(fd, start, sizeof start, 0) == sizeof start && start[0] == 0x1f && start[1] == 0x8b;
}

struct archive_lines *archive_lines_open(const char *path, struct error *err)
{
    struct archive_lines *l = xcalloc(1, sizeof *l);

    l->path = xstrdup(path);
    l->fd = text_same(path, "-") ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0) {
        error_set(err, ERROR_INPUT, "%s: %s", path, strerror(errno));
        archive_lines_close(l);
        return NULL;
    }
    lines_start(&l->plain, l->fd, LINE_BYTES_MOST);
    if (l->fd == STDIN_FILENO || !is_packed(l->fd))
        return l;
    l->packed = packed_open(path, err);
    if (l->packed)
        return l;
    archive_lines_close(l);
    return NULL;
}

void archive_lines_close(struct archive_lines *l)
{
    if (!l)
        return;
    packed_close(l->packed);
    lines_release(&l->plain);
    if (l->fd > STDIN_FILENO)
        close(l->fd);
    free(l->path);
    free(l);
}

static bool next_packed(struct archive_lines *l, struct span *line, int64_t *number, bool *ended, struct error *err)
{
    do {
        if (!packed_line(l->packed, LINE_BYTES_MOST, line, ended, err))
            return false;
        *number = ++l->number;
    } while (!*ended && line->length == 0);
    return true;
}

bool archive_lines_next(struct archive_lines *l, struct span *line, int64_t *number, bool *ended, struct error *err)
{
    enum line_kind kind;

    if (l->packed)
        return next_packed(l, line, number, ended, err);
    kind = lines_next(&l->plain, line, err);
    *number = (int64_t)l->plain.number;
    *ended = kind == LINE_END;
    if (kind == LINE_TOO_LONG)
        *line = SPAN_NONE;
    return kind != LINE_FAILED || error_in(err, "%s", l->path);
}
