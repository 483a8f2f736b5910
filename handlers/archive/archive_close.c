#include "handlers/archive/archive_close.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/packed.h"
#include "handlers/archive/archive_name.h"
#include "handlers/archive/archive_seal.h"
#include "notifier/lines.h"

enum {
    LINE_BYTES_MOST = 64 * 1024 * 1024,
    BLOCK_BYTES = 64 * 1024,
    STOP_LINES = 1024, /* between two looks whether a stop is wanted */
    NUMBERS_MOST = 1000,
};

struct closing {
    const char *folder;
    struct archive_name name;
    bool pack;
    struct stop *stop;
    bool stopped;
    struct buf open, sealed; /* paths */
    int fd;                  /* of the open file, locked */
    struct archive_seal seal;
};

static bool failed(const char *path, struct error *err)
{
    return error_set(err, ERROR_AGAIN, "%s: %s", path, strerror(errno));
}

/* --------------------------------------------------------------------------------------------- the open file */

/* *held false: another process has it, or has sealed it meanwhile. */
static bool take(struct closing *c, bool *held, struct error *err)
{
    struct stat ours, named;

    *held = false;
    c->fd = open(c->open.data, O_RDWR | O_CLOEXEC);
    if (c->fd < 0)
        return errno == ENOENT || failed(c->open.data, err);
    if (flock(c->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK || errno == EINTR || failed(c->open.data, err);
    if (fstat(c->fd, &ours) != 0)
        return failed(c->open.data, err);
    *held = stat(c->open.data, &named) == 0 && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
    return true;
}

/* Where the last line ends: what follows was torn. */
static bool find_end(const struct closing *c, off_t *end, struct error *err)
{
    char block[BLOCK_BYTES];
    struct stat status;

    if (fstat(c->fd, &status) != 0)
        return failed(c->open.data, err);
    for (off_t at = status.st_size; at > 0;) {
        size_t wanted = at < BLOCK_BYTES ? (size_t)at : BLOCK_BYTES;
        ssize_t got = pread(c->fd, block, wanted, at - (off_t)wanted);
        const char *feed;

        if (got != (ssize_t)wanted)
            return got >= 0 || errno == EINTR ? error_set(err, ERROR_AGAIN, "%s: it changed meanwhile", c->open.data)
                                              : failed(c->open.data, err);
        at -= (off_t)wanted;
        if ((feed = memrchr(block, '\n', wanted))) {
            *end = at + (feed - block) + 1;
            return true;
        }
    }
    *end = 0;
    return true;
}

static bool cut_torn(const struct closing *c, off_t *end, struct error *err)
{
    return find_end(c, end, err) && ((ftruncate(c->fd, *end) == 0 && fsync(c->fd) == 0) || failed(c->open.data, err));
}

/* ------------------------------------------------------------------------------------------------- its lines */

static void note_time(struct archive_seal *seal, struct span line)
{
    struct span time;
    int64_t us;

    if (!json_text_member(line.text, line.length, "\"time\":", &time) || time.length < 2 ||
        !time_parse(time.text + 1, time.length - 2, false, &us))
        return;
    if (seal->first_us == 0 || us < seal->first_us)
        seal->first_us = us;
    if (us > seal->last_us)
        seal->last_us = us;
}

/* Each line counted, and added to the packed file where there is one. A line of a file system's zeros, which a machine
 * that died left behind, was never acknowledged. */
static bool walk(struct closing *c, struct packed_writer *w, struct raw_hash *content, struct error *err)
{
    struct lines lines;
    struct span line;
    enum line_kind kind;
    bool ok = lseek(c->fd, 0, SEEK_SET) == 0 || failed(c->open.data, err);

    lines_start(&lines, c->fd, LINE_BYTES_MOST);
    c->seal = (struct archive_seal){0};
    while (ok && (kind = lines_next(&lines, &line, err)) != LINE_END) {
        if (kind == LINE_FAILED || (c->stopped = lines.number % STOP_LINES == 0 && stop_wanted(c->stop)))
            break;
        if (kind == LINE_TOO_LONG || memchr(line.text, '\0', line.length)) {
            log_warn("%s: line %zu is broken, and left out", c->open.data, lines.number);
            continue;
        }
        c->seal.events++;
        note_time(&c->seal, line);
        raw_hash_add(content, line.text, line.length);
        raw_hash_add(content, "\n", 1);
        ok = !w || packed_add(w, line.text, line.length, err);
    }
    ok = ok && kind != LINE_FAILED && !c->stopped;
    lines_release(&lines);
    return ok;
}

static bool read_through(struct closing *c, struct packed_writer *w, struct error *err)
{
    struct raw_hash *content = raw_hash_new("SHA256");
    bool ok;

    raw_hash_start(content);
    ok = walk(c, w, content, err);
    raw_hash_end(content, c->seal.content_sha256);
    raw_hash_free(content);
    return ok;
}

/* -------------------------------------------------------------------------------------------- the sealed file */

/* The first name that is free, or belongs to this very content: a seal that was cut off goes on with it. */
static bool find_name(struct closing *c, bool *sealed, struct error *err)
{
    for (int number = 0; number < NUMBERS_MOST; number++) {
        struct archive_seal there;
        bool has_file, has_seal;

        buf_reset(&c->sealed);
        buf_printf(&c->sealed, "%s/", c->folder);
        archive_name_add_sealed(&c->name, c->pack, number, &c->sealed);
        if (!archive_seal_read(c->sealed.data, &there, &has_seal, err))
            return false;
        has_file = access(c->sealed.data, F_OK) == 0;
        *sealed = has_seal && has_file && text_same(there.content_sha256, c->seal.content_sha256);
        if (*sealed || (has_seal ? text_same(there.content_sha256, c->seal.content_sha256) : !has_file))
            return true;
    }
    return error_set(err, ERROR_CONFIG, "%s: %d files of that day are sealed already", c->open.data, NUMBERS_MOST);
}

/* Under another name at first: the sealed file is there only with its digest. */
static bool pack(struct closing *c, struct error *err)
{
    struct packed_writer *w;
    struct packed_sums sums;
    struct buf fresh = BUF_INIT;
    bool ok;

    buf_printf(&fresh, "%s.new", c->sealed.data);
    w = packed_create(fresh.data, err);
    ok = w && read_through(c, w, err);
    if (ok)
        ok = packed_finish(w, &sums, err);
    else
        packed_discard(w);
    if (ok)
        memcpy(c->seal.sha256, sums.sha256, sizeof sums.sha256);
    ok = ok && archive_seal_write(c->sealed.data, &c->seal, err) &&
         (rename(fresh.data, c->sealed.data) == 0 || failed(fresh.data, err)) && file_folder_sync(c->folder, err) &&
         (unlink(c->open.data) == 0 || failed(c->open.data, err));
    buf_release(&fresh);
    return ok;
}

static bool leave_plain(struct closing *c, struct error *err)
{
    int64_t bytes;

    return packed_sum(c->open.data, &bytes, c->seal.sha256, err) && archive_seal_write(c->sealed.data, &c->seal, err) &&
           (rename(c->open.data, c->sealed.data) == 0 || failed(c->open.data, err)) && file_folder_sync(c->folder, err);
}

static bool seal(struct closing *c, struct error *err)
{
    bool sealed = false;

    if (!read_through(c, NULL, err) || !find_name(c, &sealed, err))
        return false;
    if (c->seal.events == 0 || sealed)
        return unlink(c->open.data) == 0 || failed(c->open.data, err);
    if (!(c->pack ? pack(c, err) : leave_plain(c, err)))
        return false;
    log_info("%s: sealed with %lld events", c->sealed.data, (long long)c->seal.events);
    return true;
}

bool archive_close(const char *folder, const char *name, bool pack_it, struct stop *stop, struct error *err)
{
    struct closing c = {.folder = folder, .pack = pack_it, .stop = stop, .open = BUF_INIT, .sealed = BUF_INIT};
    bool held = false, ok;
    off_t end;

    if (!archive_name_read(name, &c.name))
        return error_set(err, ERROR_INPUT, "%s: no file of an archive", name);
    buf_printf(&c.open, "%s/%s", folder, name);
    ok = take(&c, &held, err);
    if (ok && held)
        ok = cut_torn(&c, &end, err) && seal(&c, err);
    if (c.fd >= 0)
        close(c.fd); /* and with it the lock */
    buf_release(&c.open);
    buf_release(&c.sealed);
    return ok || c.stopped;
}
