#include "config/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { SECRET_BYTES_MOST = 64 * 1024 };

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool secret_read(const char *path, struct buf *out, struct error *err)
{
    struct buf text = BUF_INIT;
    struct stat status;
    const char *start, *end;
    bool ok = false;

    if (!path[0])
        return error_set(err, ERROR_CONFIG, "must name a file");
    if (stat(path, &status) < 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
    if (status.st_mode & S_IRWXO)
        return error_set(err, ERROR_CONFIG, "%s is open to every user of this machine: chmod 600 it", path);
    if (!file_read(path, SECRET_BYTES_MOST, &text, err))
        goto out;
    start = text.data;
    end = text.data + text.length;
    while (start < end && is_space(*start))
        start++;
    while (start < end && is_space(end[-1]))
        end--;
    if (start == end)
        error_set(err, ERROR_CONFIG, "%s is empty", path);
    else if (memchr(start, '\0', (size_t)(end - start)))
        error_set(err, ERROR_CONFIG, "%s holds a NUL byte", path);
    else
        ok = true;
    buf_add(out, start, (size_t)(end - start));
out:
    buf_release(&text);
    return ok;
}
