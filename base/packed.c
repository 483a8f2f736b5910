#include "base/packed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"

enum {
    BLOCK_BYTES = 64 * 1024,
    GZIP_WINDOW = 15 + 16, /* zlib's word for: with the header and trailer of gzip */
    PACKED_MEMORY = 8,
};

static bool system_word(const char *path, enum error_kind kind, struct error *err)
{
    return error_set(err, kind, "%s: %s", path, strerror(errno));
}

/* ---------------------------------------------------------------------------------------------------- writing */

struct packed_writer {
    char *path, *part;
    int fd;
    z_stream stream;
    struct raw_hash *packed, *content;
    struct packed_sums sums;
    unsigned char out[BLOCK_BYTES];
};

struct packed_writer *packed_create(const char *path, struct error *err)
{
    struct packed_writer *w = xcalloc(1, sizeof *w);
    struct buf part = BUF_INIT;

    buf_printf(&part, "%s.part", path);
    w->part = buf_take(&part);
    w->path = xstrdup(path);
    w->packed = raw_hash_new("SHA256");
    w->content = raw_hash_new("SHA256");
    raw_hash_start(w->packed);
    raw_hash_start(w->content);
    w->fd = open(w->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (w->fd < 0)
        system_word(w->part, ERROR_CONFIG, err);
    else if (deflateInit2(&w->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, PACKED_MEMORY,
                          Z_DEFAULT_STRATEGY) == Z_OK)
        return w;
    packed_discard(w);
    return NULL;
}

void packed_discard(struct packed_writer *w)
{
    if (!w)
        return;
    deflateEnd(&w->stream);
    if (w->fd >= 0)
        close(w->fd);
    unlink(w->part); /* gone already where it got its name */
    raw_hash_free(w->packed);
    raw_hash_free(w->content);
    free(w->part);
    free(w->path);
    free(w);
}

/* Packs what the stream was given; with Z_FINISH to the end. */
static bool pack(struct packed_writer *w, int flush, struct error *err)
{
    do {
        size_t length;

        w->stream.next_out = w->out;
        w->stream.avail_out = sizeof w->out;
        deflate(&w->stream, flush);
        length = sizeof w->out - w->stream.avail_out;
        raw_hash_add(w->packed, (const char *)w->out, length);
        w->sums.bytes += (int64_t)length;
        if (!file_write_all(w->fd, (const char *)w->out, length, err))
            return error_in(err, "%s", w->part);
    } while (w->stream.avail_out == 0);
    return true;
}

static bool pack_bytes(struct packed_writer *w, const char *bytes, size_t length, struct error *err)
{
    raw_hash_add(w->content, bytes, length);
    w->sums.content_bytes += (int64_t)length;
    w->stream.next_in = (z_const Bytef *)(uintptr_t)bytes;
    w->stream.avail_in = (uInt)length;
    return pack(w, Z_NO_FLUSH, err);
}

bool packed_add(struct packed_writer *w, const char *line, size_t length, struct error *err)
{
    w->sums.lines++;
    return pack_bytes(w, line, length, err) && pack_bytes(w, "\n", 1, err);
}

bool packed_finish(struct packed_writer *w, struct packed_sums *out, struct error *err)
{
    bool ok = pack(w, Z_FINISH, err) && file_settle(w->fd, w->part, w->path, err);

    raw_hash_end(w->packed, w->sums.sha256);
    raw_hash_end(w->content, w->sums.content_sha256);
    *out = w->sums;
    packed_discard(w);
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- reading */

struct packed_reader {
    char *path;
    int fd;
    z_stream stream;
    struct buf text; /* unpacked; lines before `at` were lent already */
    size_t at;
    bool ended; /* the last line is unpacked */
    unsigned char in[BLOCK_BYTES];
};

struct packed_reader *packed_open(const char *path, struct error *err)
{
    struct packed_reader *r = xcalloc(1, sizeof *r);

    r->path = xstrdup(path);
    buf_init(&r->text);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0)
        system_word(path, ERROR_CONFIG, err);
    else if (inflateInit2(&r->stream, GZIP_WINDOW) == Z_OK)
        return r;
    packed_close(r);
    return NULL;
}

void packed_close(struct packed_reader *r)
{
    if (!r)
        return;
    inflateEnd(&r->stream);
    if (r->fd >= 0)
        close(r->fd);
    buf_release(&r->text);
    free(r->path);
    free(r);
}

static bool read_block(struct packed_reader *r, struct error *err)
{
    ssize_t length;

    do
        length = read(r->fd, r->in, sizeof r->in);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return system_word(r->path, ERROR_AGAIN, err);
    r->stream.next_in = r->in;
    r->stream.avail_in = (uInt)length;
    return length > 0 || error_set(err, ERROR_INPUT, "%s: it is cut off", r->path);
}

/* Unpacks a little more of the text. */
static bool unpack(struct packed_reader *r, struct error *err)
{
    int state;

    if (r->stream.avail_in == 0 && !read_block(r, err))
        return false;
    r->stream.next_out = (Bytef *)buf_grow(&r->text, BLOCK_BYTES);
    r->stream.avail_out = BLOCK_BYTES;
    state = inflate(&r->stream, Z_NO_FLUSH);
    buf_grown(&r->text, BLOCK_BYTES - r->stream.avail_out);
    r->ended = state == Z_STREAM_END;
    return state == Z_OK || state == Z_STREAM_END || state == Z_BUF_ERROR ||
           error_set(err, ERROR_INPUT, "%s: damaged: %s", r->path, r->stream.msg ? r->stream.msg : "not gzip");
}

/* What was lent makes room. */
static void forget_lent(struct packed_reader *r)
{
    if (r->at == 0)
        return;
    memmove(r->text.data, r->text.data + r->at, r->text.length - r->at);
    r->text.length -= r->at;
    r->at = 0;
}

bool packed_line(struct packed_reader *r, size_t most, struct span *line, bool *ended, struct error *err)
{
    size_t searched = 0;
    const char *feed;

    *ended = false;
    for (;;) {
        const char *start = r->text.data + r->at;
        size_t left = r->text.length - r->at;

        feed = left > searched ? memchr(start + searched, '\n', left - searched) : NULL;
        if (feed) {
            *line = (struct span){start, (size_t)(feed - start)};
            r->at += line->length + 1;
            return true;
        }
        if (left > most)
            return error_set(err, ERROR_INPUT, "%s: a line is longer than %zu bytes", r->path, most);
        if (r->ended) {
            *ended = true;
            return left == 0 || error_set(err, ERROR_INPUT, "%s: its last line is cut off", r->path);
        }
        searched = left;
        forget_lent(r);
        if (!unpack(r, err))
            return false;
    }
}

bool packed_sum(const char *path, int64_t *bytes, char sha256[DIGEST_TEXT_BYTES], struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 || system_word(path, ERROR_CONFIG, err);
    struct raw_hash *d = raw_hash_new("SHA256");
    char *block = xmalloc(BLOCK_BYTES);
    ssize_t length = 1;

    raw_hash_start(d);
    *bytes = 0;
    while (ok && length > 0) {
        length = read(fd, block, BLOCK_BYTES);
        if (length < 0 && errno != EINTR)
            ok = system_word(path, ERROR_AGAIN, err);
        if (length > 0) {
            raw_hash_add(d, block, (size_t)length);
            *bytes += length;
        } else if (length < 0) {
            length = 1; /* interrupted: once more */
        }
    }
    raw_hash_end(d, sha256);
    raw_hash_free(d);
    free(block);
    if (fd >= 0)
        close(fd);
    return ok;
}
