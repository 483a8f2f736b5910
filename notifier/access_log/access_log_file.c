#include "notifier/access_log/access_log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "notifier/access_log/access_log_line.h"

enum {
    WINDOW_BYTES = 256 * 1024, /* of the content in memory; a line is shorter */
    READ_BYTES = 64 * 1024,
    GZIP_ONLY = 15 + 16, /* zlib's windowBits: the largest window, gzip's header and trailer */
};

struct access_file {
    int fd;
    bool gzip, ended, skipping; /* skipping: inside a line that is too long */
    bool member_done;           /* of several gzip streams one behind the other */
    z_stream inflate;
    unsigned char *packed; /* READ_BYTES of the file as it is; for gzip */
    char *window;
    size_t start, length; /* what is not given yet is window[start, length) */
    size_t hashed;        /* window[0, hashed) is in the digest */
    int64_t window_offset, line, taken;
    struct raw_hash *digest;
};

/* ------------------------------------------------------------------------------------------------------ bytes */

static bool read_some(struct access_file *f, void *out, size_t most, size_t *count, struct error *err)
{
    ssize_t got;

    do
        got = read(f->fd, out, most);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set(err, ERROR_INPUT, "%s", strerror(errno));
    *count = (size_t)got;
    f->taken += got;
    return true;
}

/* Bytes that are no gzip behind the end of one are what some tools pad with; they end the file. */
static bool next_member(struct access_file *f)
{
    if (f->inflate.avail_in == 0 || f->inflate.next_in[0] != 0x1f)
        return false;
    inflateReset(&f->inflate);
    f->member_done = false;
    return true;
}

static bool refill_packed(struct access_file *f, struct error *err)
{
    size_t count;

    if (!read_some(f, f->packed, READ_BYTES, &count, err))
        return false;
    f->inflate.next_in = f->packed;
    f->inflate.avail_in = (unsigned)count;
    if (count > 0)
        return true;
    f->ended = true;
    return f->member_done || error_set(err, ERROR_INPUT, "the gzipped file is cut short");
}

/* At least one byte of content, or the end. */
static bool inflate_some(struct access_file *f, char *out, size_t most, size_t *count, struct error *err)
{
    *count = 0;
    while (*count == 0 && !f->ended) {
        int status;

        if (f->inflate.avail_in == 0 && !refill_packed(f, err))
            return false;
        if (f->ended)
            break;
        if (f->member_done && !next_member(f)) {
            f->ended = true;
            break;
        }
        f->inflate.next_out = (unsigned char *)out;
        f->inflate.avail_out = (unsigned)most;
        status = inflate(&f->inflate, Z_NO_FLUSH);
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return error_set(err, ERROR_INPUT, "the gzipped file is broken");
        f->member_done = status == Z_STREAM_END;
        *count = most - f->inflate.avail_out;
    }
    return true;
}

static void digest_up_to(struct access_file *f, size_t end)
{
    if (end > f->hashed)
        raw_hash_add(f->digest, f->window + f->hashed, end - f->hashed);
    f->hashed = end;
}

/* More content behind what is there; what was given makes room. */
static bool refill(struct access_file *f, struct error *err)
{
    size_t count;

    digest_up_to(f, f->start);
    memmove(f->window, f->window + f->start, f->length - f->start);
    f->window_offset += (int64_t)f->start;
    f->length -= f->start;
    f->start = f->hashed = 0;
    if (f->gzip) {
        if (!inflate_some(f, f->window + f->length, WINDOW_BYTES - f->length, &count, err))
            return false;
    } else {
        if (!read_some(f, f->window + f->length, WINDOW_BYTES - f->length, &count, err))
            return false;
        f->ended = count == 0;
    }
    f->length += count;
    return true;
}

/* ------------------------------------------------------------------------------------------------------ files */

/* The first bytes tell; where they are gzip's they move over to where the packed ones are read from. */
static bool begin(struct access_file *f, struct error *err)
{
    while (f->length < 2 && !f->ended)
        if (!refill(f, err))
            return false;
    if (f->length < 2 || (unsigned char)f->window[0] != 0x1f || (unsigned char)f->window[1] != 0x8b)
        return true;
    if (inflateInit2(&f->inflate, GZIP_ONLY) != Z_OK)
        return error_set(err, ERROR_INPUT, "zlib does not start");
    f->gzip = true;
    f->packed = xmalloc(WINDOW_BYTES);
    memcpy(f->packed, f->window, f->length);
    f->inflate.next_in = f->packed;
    f->inflate.avail_in = (unsigned)f->length;
    f->length = 0;
    f->ended = false;
    return true;
}

struct access_file *access_file_open(const char *path, struct error *err)
{
    struct access_file *f = xcalloc(1, sizeof *f);

    f->fd = text_same(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    f->window = xmalloc(WINDOW_BYTES);
    f->digest = raw_hash_new("SHA256");
    raw_hash_start(f->digest);
    if (f->fd < 0)
        error_set(err, ERROR_INPUT, "%s", strerror(errno));
    else if (begin(f, err))
        return f;
    access_file_close(f);
    return NULL;
}

void access_file_close(struct access_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    if (f->gzip)
        inflateEnd(&f->inflate);
    raw_hash_free(f->digest);
    free(f->packed);
    free(f->window);
    free(f);
}

bool access_file_beginning(struct access_file *f, struct span *out, struct error *err)
{
    while (f->length < WINDOW_BYTES && !f->ended)
        if (!refill(f, err))
            return false;
    *out = (struct span){f->window, f->length};
    return true;
}

/* ------------------------------------------------------------------------------------------------------ lines */

enum line_kind access_file_next(struct access_file *f, struct span *line, struct error *err)
{
    for (;;) {
        const char *from = f->window + f->start;
        size_t length = f->length - f->start;
        const char *feed = length > 0 ? memchr(from, '\n', length) : NULL;

        if (feed) {
            bool too_long = f->skipping || (size_t)(feed - from) > ACCESS_LINE_BYTES_MOST;

            *line = (struct span){from, (size_t)(feed - from)};
            f->start += line->length + 1;
            f->skipping = false;
            f->line++;
            return too_long ? LINE_TOO_LONG : LINE_TEXT;
        }
        if (length > ACCESS_LINE_BYTES_MOST) { /* its end is still to come, its beginning is of no use */
            f->start = f->length;
            f->skipping = true;
        }
        if (f->ended)
            return LINE_END;
        if (!refill(f, err))
            return LINE_FAILED;
    }
}

int64_t access_file_line(const struct access_file *f)
{
    return f->line;
}

int64_t access_file_offset(const struct access_file *f)
{
    return f->window_offset + (int64_t)f->start;
}

int64_t access_file_taken(const struct access_file *f)
{
    return f->taken;
}

bool access_file_cut(const struct access_file *f)
{
    return f->skipping || f->start < f->length;
}

void access_file_digest(struct access_file *f, char out[RAW_HASH_TEXT_BYTES])
{
    digest_up_to(f, f->start);
    raw_hash_so_far(f->digest, out);
}
