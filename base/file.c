#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum { READ_BYTES = 64 * 1024, PATH_BYTES = 4096 };

static bool system_word(const char *path, struct error *err)
{
    return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
}

/* Up to READ_BYTES more; *got is 0 at the end of the file. */
static bool read_some(int fd, const char *path, struct buf *out, size_t *got, struct error *err)
{
    ssize_t length;

    do
        length = read(fd, buf_grow(out, READ_BYTES), READ_BYTES);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return system_word(path, err);
    buf_grown(out, (size_t)length);
    *got = (size_t)length;
    return true;
}

bool file_read(const char *path, size_t most, struct buf *out, struct error *err)
{
    size_t before = out->length, got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 || system_word(path, err);

    while (ok && got > 0) {
        ok = read_some(fd, path, out, &got, err);
        if (ok && out->length - before > most)
            ok = error_set(err, ERROR_CONFIG, "%s: longer than %zu bytes", path, most);
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

bool file_write_all(int fd, const char *bytes, size_t length, struct error *err)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_set(err, ERROR_AGAIN, "write: %s", strerror(errno));
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

bool file_folder_sync(const char *folder, struct error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (fd >= 0 && fsync(fd) == 0) || error_set(err, ERROR_AGAIN, "%s: %s", folder, strerror(errno));

    if (fd >= 0)
        close(fd);
    return ok;
}

static bool sync_folder_of(const char *path, struct error *err)
{
    char *copy = xstrdup(path);
    bool ok = file_folder_sync(dirname(copy), err);

    free(copy);
    return ok;
}

bool file_settle(int fd, const char *beside, const char *path, struct error *err)
{
    if (fsync(fd) != 0 || rename(beside, path) != 0)
        return error_set(err, ERROR_AGAIN, "%s: %s", path, strerror(errno));
    return sync_folder_of(path, err);
}

bool file_replace(const char *path, mode_t mode, const char *bytes, size_t length, struct error *err)
{
    struct buf beside = BUF_INIT;
    bool ok;
    int fd;

    buf_printf(&beside, "%s.XXXXXX", path);
    fd = mkstemp(beside.data);
    ok = (fd >= 0 && fchmod(fd, mode) == 0) || system_word(path, err);
    ok = ok && file_write_all(fd, bytes, length, err) && file_settle(fd, beside.data, path, err);
    if (fd >= 0)
        close(fd);
    if (!ok && fd >= 0)
        unlink(beside.data);
    buf_release(&beside);
    return ok;
}

/* FOLDER/NAME into out, where such a file can be read. */
static bool found_in(const char *folder, const char *name, char *out, size_t size)
{
    int length = snprintf(out, size, "%s/%s", folder, name);

    return length > 0 && (size_t)length < size && access(out, R_OK) == 0;
}

static bool found_beside_program(const char *name, char *out, size_t size)
{
    char folder[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - sizeof "/../share/crier");
    char *slash;

    if (length <= 0)
        return false;
    folder[length] = '\0';
    slash = strrchr(folder, '/');
    if (!slash)
        return false;
    memcpy(slash, "/../share/crier", sizeof "/../share/crier");
    return found_in(folder, name, out, size);
}

bool file_shipped(const char *name, char *out, size_t size)
{
    const char *folder = getenv("CRIER_DATA");

    return (folder && found_in(folder, name, out, size)) || found_beside_program(name, out, size) ||
           found_in(CRIER_DATA_DIR, name, out, size);
}
