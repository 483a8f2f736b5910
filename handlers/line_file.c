#include "handlers/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "handlers/known_keys.h"

enum {
    TAIL_BYTES = 1024 * 1024,
    KEEP_BYTES = 256 * 1024,
};

/* A line collected; those of one flush stand in lines one after the other. */
struct collected {
    uint64_t digest;
    size_t start, length;
};

struct line_file {
    const struct line_file_form *form;
    char *path;
    int fd;                  /* -1: not open */
    off_t read_to;           /* all lines before this are known */
    struct known_keys known; /* more than a lane holds unacknowledged */
    struct digest *digest;
    const struct line_file_ways *ways; /* NULL: lines stand there as they came */
    void *context;                     /* of ways */
    struct buf lines, kept;            /* as collected; as they are to be written */
    struct collected *fresh;
    size_t fresh_count, fresh_room;
    struct log_limit torn;
};

/* Of more than a few bits, and by a hash whose collisions nobody can make: else one event could hide another. */
static uint64_t key_digest(struct line_file *f, struct span key)
{
    unsigned char bytes[SHA256_BYTES];
    uint64_t digest;

    digest_start(f->digest);
    digest_part(f->digest, key.text, key.length);
    digest_end(f->digest, bytes);
    memcpy(&digest, bytes, sizeof digest);
    return digest ? digest : 1; /* 0 is an empty place */
}

static void remember_line(struct line_file *f, const char *line, size_t length)
{
    struct span key = f->form->key((struct span){line, length});

    if (key.length > 0)
        known_keys_add(&f->known, key_digest(f, key));
}

/* All comes again from the beginning. */
static void start_over(struct line_file *f)
{
    f->read_to = 0;
    if (f->ways)
        f->ways->start(f->context);
}

/* ----------------------------------------------------------------------------------- what is in the file already */

static bool failed(struct error *err)
{
    return error_set(err, ERROR_AGAIN, "%s", strerror(errno));
}

/* Bytes of the file from there to its end. */
static bool read_from(struct line_file *f, off_t from, off_t end, struct buf *out, struct error *err)
{
    size_t wanted = (size_t)(end - from);

    buf_grow(out, wanted);
    while (out->length < wanted) {
        ssize_t got = pread(f->fd, out->data + out->length, wanted - out->length, from + (off_t)out->length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(err);
        if (got == 0)
            break;
        buf_grown(out, (size_t)got);
    }
    return true;
}

/* The start of a line, or what a file system may leave of one when the machine dies. */
static bool is_torn_line(const struct line_file *f, const char *bytes, size_t length)
{
    size_t start = strlen(f->form->start);

    return bytes[0] == '\0' || memcmp(bytes, f->form->start, length < start ? length : start) == 0;
}

/* A file that was named by mistake is not ours to cut. */
static bool cut_torn(struct line_file *f, const char *torn, size_t length, struct error *err)
{
    if (!is_torn_line(f, torn, length))
        return error_set(err, ERROR_CONFIG, "it ends in a line that is not ours: is it an %s?", f->form->what);
    log_limited(&f->torn, LOG_LEVEL_WARN,
                "%s ended in a torn line, written when crier or the machine died; cut off, its event comes again",
                f->path);
    return ftruncate(f->fd, f->read_to) == 0 || failed(err);
}

/* Gets to know the lines in bytes, which stand at from in the file; what follows the last of them is torn. */
static bool read_lines(struct line_file *f, const struct buf *bytes, off_t from, struct error *err)
{
    const char *line = bytes->data, *rest = bytes->data + bytes->length, *end;
    struct span last = SPAN_NONE;

    while ((end = memchr(line, '\n', (size_t)(rest - line)))) {
        last = (struct span){line, (size_t)(end - line)};
        remember_line(f, last.text, last.length);
        line = end + 1;
    }
    if (f->ways && line > bytes->data)
        f->ways->last(f->context, last);
    if (line == bytes->data && from > f->read_to)
        return error_set(err, ERROR_CONFIG, "it ends in a line of more than %zu MiB: is it an %s?",
                         f->form->line_most / 1024 / 1024, f->form->what);
    f->read_to = from + (line - bytes->data);
    return line == rest || cut_torn(f, line, (size_t)(rest - line), err);
}

/* The newest bytes, from *from on: as many as it takes to hold the end of a line, or all that are not known yet. */
static bool read_tail(struct line_file *f, off_t end, off_t *from, struct buf *out, struct error *err)
{
    off_t tail = TAIL_BYTES;
    bool ok;

    for (;;) {
        buf_reset(out);
        *from = end - f->read_to > tail ? end - tail : f->read_to;
        ok = read_from(f, *from, end, out, err);
        if (!ok || *from == f->read_to || memchr(out->data, '\n', out->length) || tail >= (off_t)f->form->line_most)
            return ok;
        tail *= 2;
    }
}

/* What came since we last looked: at the start the newest lines, later what other processes wrote. Under the lock. */
static bool look_back(struct line_file *f, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct stat status;
    off_t from;
    bool ok = true;

    if (fstat(f->fd, &status) != 0)
        return failed(err);
    if (status.st_size < f->read_to)
        start_over(f); /* somebody emptied it */
    if (status.st_size > f->read_to)
        ok = read_tail(f, status.st_size, &from, &bytes, err) && read_lines(f, &bytes, from, err);
    buf_release(&bytes);
    return ok;
}

/* ---------------------------------------------------------------------------------------------- open and locked */

/* A file that was just made is there after a power cut only once its folder is on disk, too. */
static bool sync_folder(const struct line_file *f, struct error *err)
{
    char *copy = xstrdup(f->path);
    bool ok = file_folder_sync(dirname(copy), err);

    free(copy);
    return ok;
}

static void close_file(struct line_file *f)
{
    if (f->fd >= 0)
        close(f->fd); /* and with it the lock */
    f->fd = -1;
    start_over(f);
}

static bool lock(struct line_file *f, struct error *err)
{
    struct stat status;

    if (f->fd < 0)
        f->fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return failed(err);
    while (flock(f->fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return failed(err);
    if (fstat(f->fd, &status) != 0)
        return failed(err);
    return status.st_size > 0 || sync_folder(f, err);
}

/* Whether the path still names the file that is open: it does not once the operator moved it away. */
static bool is_current(const struct line_file *f)
{
    struct stat open_one, named;

    return fstat(f->fd, &open_one) == 0 && stat(f->path, &named) == 0 && open_one.st_dev == named.st_dev &&
           open_one.st_ino == named.st_ino;
}

/* Opens the file where that is needed, and locks it. */
static bool take_current(struct line_file *f, struct error *err)
{
    for (;;) {
        if (!lock(f, err))
            return false;
        if (is_current(f))
            return true;
        close_file(f);
    }
}

/* Out of the way of a new one, as it is on disk. */
static bool move_away(struct line_file *f, const char *to, struct error *err)
{
    if (rename(f->path, to) != 0)
        return failed(err);
    close_file(f);
    return take_current(f, err);
}

/* The file, locked, with its lines known. One that is full was moved away. */
static bool take_file(struct line_file *f, struct error *err)
{
    struct buf moved = BUF_INIT;
    struct stat status;
    bool ok = take_current(f, err) && look_back(f, err);

    if (!ok || !f->ways)
        return ok;
    if (fstat(f->fd, &status) != 0)
        return failed(err);
    ok = f->ways->take(f->context, f->fd, f->read_to, err);
    if (ok && status.st_size > 0 && f->ways->full(f->context, &status, &moved))
        ok = move_away(f, moved.data, err) && look_back(f, err) && f->ways->take(f->context, f->fd, f->read_to, err);
    buf_release(&moved);
    return ok;
}

/* The next flush looks back as far as at the start. */
static void forget(struct line_file *f)
{
    known_keys_forget(&f->known);
    start_over(f);
}

struct line_file *line_file_open(const char *path, const struct line_file_form *form, struct error *err)
{
    struct line_file *f = xcalloc(1, sizeof *f);

    f->form = form;
    f->digest = digest_new();
    f->path = xstrdup(path);
    f->fd = -1;
    known_keys_init(&f->known);
    pthread_mutex_init(&f->torn.mutex, NULL);
    if (take_file(f, err)) {
        flock(f->fd, LOCK_UN);
        return f;
    }
    line_file_close(f);
    err->kind = ERROR_CONFIG;
    error_in(err, "%s %s", form->what, path);
    return NULL;
}

void line_file_use(struct line_file *f, const struct line_file_ways *ways, void *context)
{
    f->ways = ways;
    f->context = context;
    forget(f);
}

void line_file_close(struct line_file *f)
{
    if (!f)
        return;
    close_file(f);
    pthread_mutex_destroy(&f->torn.mutex);
    buf_release(&f->lines);
    buf_release(&f->kept);
    digest_free(f->digest);
    known_keys_release(&f->known);
    free(f->fresh);
    free(f->path);
    free(f);
}

/* -------------------------------------------------------------------------------------------------------- writing */

void line_file_add(struct line_file *f, const char *line, size_t length)
{
    if (f->fresh_count == f->fresh_room) {
        f->fresh_room = f->fresh_room ? 2 * f->fresh_room : 256;
        f->fresh = xrealloc(f->fresh, f->fresh_room * sizeof *f->fresh);
    }
    f->fresh[f->fresh_count++] =
        (struct collected){key_digest(f, f->form->key((struct span){line, length})), f->lines.length, length};
    buf_add(&f->lines, line, length);
}

/* Leaves the lines whose keys are in the file already, or came before among these, out; the others are known now. */
static void keep_new(struct line_file *f)
{
    buf_reset(&f->kept);
    for (size_t i = 0; i < f->fresh_count; i++) {
        const struct collected *c = &f->fresh[i];
        struct span line = {f->lines.data + c->start, c->length};

        if (known_keys_has(&f->known, c->digest))
            continue;
        known_keys_add(&f->known, c->digest);
        if (f->ways)
            f->ways->add(f->context, line, &f->kept);
        else
            buf_add(&f->kept, line.text, line.length);
        buf_add_char(&f->kept, '\n');
    }
}

static bool write_and_sync(struct line_file *f, struct error *err)
{
    return file_write_all(f->fd, f->kept.data, f->kept.length, err) && (fdatasync(f->fd) == 0 || failed(err));
}

/* Also where no line is left: those that are there already may have been written by a process that died before it
 * waited for the disk. */
static bool write_lines(struct line_file *f, struct error *err)
{
    keep_new(f);
    if (write_and_sync(f, err)) {
        f->read_to += (off_t)f->kept.length;
        return !f->ways || f->ways->written(f->context, err);
    }
    if (ftruncate(f->fd, f->read_to) != 0)
        log_limited(&f->torn, LOG_LEVEL_ERROR, "%s: what was not wholly written could not be cut off: %s", f->path,
                    strerror(errno));
    return false;
}

bool line_file_flush(struct line_file *f, struct error *err)
{
    bool ok;

    if (f->fresh_count == 0)
        return true;
    ok = take_file(f, err) && write_lines(f, err);
    if (f->fd >= 0)
        flock(f->fd, LOCK_UN);
    if (!ok) {
        forget(f); /* what was not written is not known either */
        err->kind = ERROR_AGAIN;
        error_in(err, "%s %s", f->form->what, f->path);
    }
    f->fresh_count = 0;
    buf_reset(&f->lines);
    buf_trim(&f->lines, KEEP_BYTES);
    buf_reset(&f->kept);
    buf_trim(&f->kept, KEEP_BYTES);
    return ok;
}
