#include "handlers/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
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

enum {
    GENERATION = 16384, /* ids: the newest one or two of these are known, more than a lane holds unacknowledged */
    SLOTS = 2 * GENERATION,
    TAIL_BYTES = 4 * 1024 * 1024,
    KEEP_BYTES = 256 * 1024,
};

#define ID_START "{\"id\":\"" /* how every line begins */

/* A set of digests, in two generations: when the newer is full, the older is forgotten and takes its place. */
struct known_ids {
    uint64_t *newer, *older; /* open addressing; 0 is an empty slot */
    size_t count;            /* in newer */
};

/* A line collected; those of one flush stand in lines one after the other. */
struct collected {
    uint64_t digest;
    size_t start, length;
};

struct audit_file {
    char *path;
    int fd;        /* -1: not open */
    off_t read_to; /* all lines before this are known */
    struct known_ids known;
    struct buf lines;
    struct collected *fresh;
    size_t fresh_count, fresh_room;
    struct log_limit torn;
};

static bool set_has(const uint64_t *slots, uint64_t digest)
{
    for (size_t i = digest % SLOTS; slots[i]; i = (i + 1) % SLOTS)
        if (slots[i] == digest)
            return true;
    return false;
}

static void remember(struct known_ids *k, uint64_t digest)
{
    size_t i = digest % SLOTS;

    if (k->count == GENERATION) {
        uint64_t *emptied = memset(k->older, 0, SLOTS * sizeof *k->older);

        k->older = k->newer;
        k->newer = emptied;
        k->count = 0;
    }
    while (k->newer[i])
        i = (i + 1) % SLOTS;
    k->newer[i] = digest;
    k->count++;
}

static bool known(const struct audit_file *f, uint64_t digest)
{
    return set_has(f->known.newer, digest) || set_has(f->known.older, digest);
}

static uint64_t id_digest(struct span id)
{
    uint64_t digest = hash_table(id.text, id.length);

    return digest ? digest : 1; /* 0 is an empty place */
}

static void remember_line(struct audit_file *f, const char *line, size_t length)
{
    size_t start = strlen(ID_START);
    const char *end;

    if (length < start || memcmp(line, ID_START, start) != 0)
        return;
    end = memchr(line + start, '"', length - start);
    if (end)
        remember(&f->known, id_digest((struct span){line + start, (size_t)(end - line) - start}));
}

/* ----------------------------------------------------------------------------------- what is in the file already */

static bool failed(struct error *err)
{
    return error_set(err, ERROR_AGAIN, "%s", strerror(errno));
}

/* Bytes of the file from there to its end. */
static bool read_from(struct audit_file *f, off_t from, off_t end, struct buf *out, struct error *err)
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

/* The start of an entry, or what a file system may leave of one when the machine dies. */
static bool is_torn_entry(const char *bytes, size_t length)
{
    size_t start = strlen(ID_START);

    return bytes[0] == '\0' || memcmp(bytes, ID_START, length < start ? length : start) == 0;
}

/* A file that was named by mistake is not ours to cut. */
static bool cut_torn(struct audit_file *f, const char *torn, size_t length, struct error *err)
{
    if (!is_torn_entry(torn, length))
        return error_set(err, ERROR_CONFIG, "it ends in a line that is no audit entry: is it an audit file?");
    log_limited(&f->torn, LOG_LEVEL_WARN,
                "%s ended in a torn line, written when crier or the machine died; cut off, its event comes again",
                f->path);
    return ftruncate(f->fd, f->read_to) == 0 || failed(err);
}

/* Gets to know the lines in bytes, which stand at from in the file; what follows the last of them is torn. */
static bool read_lines(struct audit_file *f, const struct buf *bytes, off_t from, struct error *err)
{
    const char *line = bytes->data, *rest = bytes->data + bytes->length, *end;

    while ((end = memchr(line, '\n', (size_t)(rest - line)))) {
        remember_line(f, line, (size_t)(end - line));
        line = end + 1;
    }
    if (line == bytes->data && from > f->read_to)
        return error_set(err, ERROR_CONFIG, "it ends in a line of more than %d MiB: is it an audit file?",
                         TAIL_BYTES / 1024 / 1024);
    f->read_to = from + (line - bytes->data);
    return line == rest || cut_torn(f, line, (size_t)(rest - line), err);
}

/* What came since we last looked: at the start the newest lines, later what other processes wrote. Under the lock. */
static bool look_back(struct audit_file *f, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct stat status;
    off_t from;
    bool ok = true;

    if (fstat(f->fd, &status) != 0)
        return failed(err);
    if (status.st_size < f->read_to)
        f->read_to = 0; /* somebody emptied it */
    from = status.st_size - f->read_to > TAIL_BYTES ? status.st_size - TAIL_BYTES : f->read_to;
    if (status.st_size > from)
        ok = read_from(f, from, status.st_size, &bytes, err) && read_lines(f, &bytes, from, err);
    buf_release(&bytes);
    return ok;
}

/* ---------------------------------------------------------------------------------------------- open and locked */

/* A file that was just made is there after a power cut only once its folder is on disk, too. */
static bool sync_folder(const struct audit_file *f, struct error *err)
{
    char *folder = xstrdup(f->path);
    int fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (fd >= 0 && fsync(fd) == 0) || failed(err);

    if (fd >= 0)
        close(fd);
    free(folder);
    return ok;
}

static void close_file(struct audit_file *f)
{
    if (f->fd >= 0)
        close(f->fd); /* and with it the lock */
    f->fd = -1;
    f->read_to = 0;
}

static bool lock(struct audit_file *f, struct error *err)
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
static bool is_current(const struct audit_file *f)
{
    struct stat open_one, named;

    return fstat(f->fd, &open_one) == 0 && stat(f->path, &named) == 0 && open_one.st_dev == named.st_dev &&
           open_one.st_ino == named.st_ino;
}

/* Opens the file where that is needed, locks it, and knows its lines. */
static bool take_file(struct audit_file *f, struct error *err)
{
    if (!lock(f, err))
        return false;
    if (!is_current(f)) {
        close_file(f);
        if (!lock(f, err))
            return false;
    }
    return look_back(f, err);
}

struct audit_file *audit_file_open(const char *path, struct error *err)
{
    struct audit_file *f = xcalloc(1, sizeof *f);

    f->path = xstrdup(path);
    f->fd = -1;
    f->known.newer = xcalloc(SLOTS, sizeof *f->known.newer);
    f->known.older = xcalloc(SLOTS, sizeof *f->known.older);
    pthread_mutex_init(&f->torn.mutex, NULL);
    if (take_file(f, err)) {
        flock(f->fd, LOCK_UN);
        return f;
    }
    audit_file_close(f);
    err->kind = ERROR_CONFIG;
    error_in(err, "audit file %s", path);
    return NULL;
}

void audit_file_close(struct audit_file *f)
{
    if (!f)
        return;
    close_file(f);
    pthread_mutex_destroy(&f->torn.mutex);
    buf_release(&f->lines);
    free(f->known.newer);
    free(f->known.older);
    free(f->fresh);
    free(f->path);
    free(f);
}

/* -------------------------------------------------------------------------------------------------------- writing */

void audit_file_add(struct audit_file *f, struct span id, const char *line, size_t length)
{
    if (f->fresh_count == f->fresh_room) {
        f->fresh_room = f->fresh_room ? 2 * f->fresh_room : 256;
        f->fresh = xrealloc(f->fresh, f->fresh_room * sizeof *f->fresh);
    }
    f->fresh[f->fresh_count++] = (struct collected){id_digest(id), f->lines.length, length + 1};
    buf_add(&f->lines, line, length);
    buf_add_char(&f->lines, '\n');
}

/* Leaves the lines whose ids are in the file already, or came before among these, out; the others are known now. */
static void drop_known(struct audit_file *f)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->fresh_count; i++) {
        const struct collected *c = &f->fresh[i];

        if (known(f, c->digest))
            continue;
        remember(&f->known, c->digest);
        memmove(f->lines.data + kept, f->lines.data + c->start, c->length);
        kept += c->length;
    }
    f->lines.length = kept;
}

static bool write_and_sync(struct audit_file *f, struct error *err)
{
    return file_write_all(f->fd, f->lines.data, f->lines.length, err) && (fdatasync(f->fd) == 0 || failed(err));
}

/* Also where no line is left: those that are there already may have been written by a process that died before it
 * waited for the disk. */
static bool write_lines(struct audit_file *f, struct error *err)
{
    drop_known(f);
    if (write_and_sync(f, err)) {
        f->read_to += (off_t)f->lines.length;
        return true;
    }
    if (ftruncate(f->fd, f->read_to) != 0)
        log_limited(&f->torn, LOG_LEVEL_ERROR, "%s: what was not wholly written could not be cut off: %s", f->path,
                    strerror(errno));
    return false;
}

/* What was not written is not known either: the next flush looks back as far as at the start. */
static void forget(struct audit_file *f)
{
    memset(f->known.newer, 0, SLOTS * sizeof *f->known.newer);
    memset(f->known.older, 0, SLOTS * sizeof *f->known.older);
    f->known.count = 0;
    f->read_to = 0;
}

bool audit_file_flush(struct audit_file *f, struct error *err)
{
    bool ok;

    if (f->fresh_count == 0)
        return true;
    ok = take_file(f, err) && write_lines(f, err);
    if (f->fd >= 0)
        flock(f->fd, LOCK_UN);
    if (!ok) {
        forget(f);
        err->kind = ERROR_AGAIN;
        error_in(err, "audit file %s", f->path);
    }
    f->fresh_count = 0;
    buf_reset(&f->lines);
    buf_trim(&f->lines, KEEP_BYTES);
    return ok;
}
