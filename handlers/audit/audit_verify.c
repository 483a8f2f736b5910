#include "handlers/audit/audit_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum { READ_BYTES = 256 * 1024, LINE_BYTES_MOST = 64 * 1024 * 1024, HEX_BYTES = DIGEST_TEXT_BYTES - 1 };

/* Where we are. */
struct walk {
    const struct audit_verify *v;
    struct audit_verified *out;
    struct raw_hash *hash;   /* of a line */
    struct raw_hash *before; /* of the bytes before there was a chain */
    const char *path;
    int64_t number; /* of the line in its file */
    struct audit_link link;
    size_t key; /* that signed the line before */
    struct audit_chained head;
    struct buf head_text;
    bool head_found, head_seen, held;
};

static bool is_found(const struct walk *w)
{
    return w->out->finding.length > 0;
}

/* Always false: the walk is over. number 0: it is the file as a whole. */
static bool find(struct walk *w, int64_t number, const char *format, ...) printf_like(3, 4);

static bool find(struct walk *w, int64_t number, const char *format, ...)
{
    struct buf *out = &w->out->finding;
    char text[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buf_add_text(out, w->path);
    if (number > 0)
        buf_printf(out, ":%lld", (long long)number);
    buf_printf(out, ": %s", text);
    return false;
}

/* ---------------------------------------------------------------------------------------------------------- a line */

/* The first line with a chain says what it goes on from. */
static bool first_fits(struct walk *w, const struct audit_chained *c)
{
    if (c->link.place == 1 && w->out->before > 0) {
        raw_hash_end(w->before, w->link.digest);
        if (!span_is(c->before, w->link.digest))
            return find(w, w->number, "the %lld lines before it, from before there was a chain, were changed",
                        (long long)w->out->before);
    } else if (c->link.place > 1 && w->out->before > 0) {
        return find(w, 1, "is no line of the chain");
    } else if (c->link.place > 1 && w->v->partial) {
        w->link.place = c->link.place - 1;
        memcpy(w->link.digest, c->before.text, HEX_BYTES);
    } else if (c->link.place > 1) {
        return find(w, w->number, "is the line of place %lld: the ones before it are missing",
                    (long long)c->link.place);
    }
    w->out->first = c->link;
    return true;
}

static bool place_fits(struct walk *w, const struct audit_chained *c)
{
    long long wanted = (long long)w->link.place + 1, got = (long long)c->link.place;

    if (got > wanted)
        return find(w, w->number, "is the line of place %lld where %lld should be: %lld missing, or moved", got, wanted,
                    got - wanted);
    if (got < wanted)
        return find(w, w->number, "is the line of place %lld where %lld should be: moved, or written twice", got,
                    wanted);
    return span_is(c->before, w->link.digest) ||
           find(w, w->number, "does not go on from the line before it: one of them was replaced");
}

/* Lines from before there was a key have no signature, and none comes after one that has. A key that was replaced by
 * another, and may be lost, signs nothing any more. */
static bool signature_fits(struct walk *w, const struct audit_chained *c)
{
    const struct audit_verify *v = w->v;

    if (v->key_count == 0)
        return true;
    if (c->signature.length == 0)
        return w->out->signed_lines == 0 || find(w, w->number, "is not signed, but the one before it is");
    w->out->signed_lines++;
    for (size_t i = w->key; i < v->key_count; i++)
        if (audit_chain_signed(v->keys[i], c)) {
            w->key = i;
            return true;
        }
    return find(w, w->number, "is not signed by %s", v->key_count == 1 ? "this key" : "a key that counts there");
}

/* By the key of the last line, or one that came with the next. */
static bool head_signed(const struct walk *w)
{
    for (size_t i = w->key; i < w->v->key_count; i++)
        if (audit_head_signed(w->v->keys[i], &w->head))
            return true;
    return w->v->key_count == 0;
}

static bool is_same(const struct audit_link *a, const struct audit_link *b)
{
    return a->place == b->place && strcmp(a->digest, b->digest) == 0;
}

static bool look_at_chained(struct walk *w, struct span line, const struct audit_chained *c)
{
    char digest[DIGEST_TEXT_BYTES];

    audit_chain_digest(w->hash, line, c, digest);
    if (strcmp(digest, c->link.digest) != 0)
        return find(w, w->number, "was changed: it is not what its digest is of");
    if ((w->out->lines == 0 && !first_fits(w, c)) || !place_fits(w, c) || !signature_fits(w, c))
        return false;
    if (w->head_found && c->link.place == w->head.link.place) {
        if (!is_same(&c->link, &w->head.link))
            return find(w, w->number, "is not the line that %s.head speaks of", w->v->file);
        w->head_seen = true;
    }
    w->held = w->held || (w->v->holds && is_same(&c->link, w->v->holds));
    w->link = c->link;
    w->out->lines++;
    return true;
}

static bool look_at(struct walk *w, struct span line)
{
    struct audit_chained c;

    w->number++;
    if (audit_chain_read(line, &c))
        return look_at_chained(w, line, &c);
    if (w->out->lines > 0)
        return find(w, w->number, "has no chain as crier writes it");
    raw_hash_add(w->before, line.text, line.length);
    raw_hash_add(w->before, "\n", 1);
    w->out->before++;
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- a file */

static bool failed(const struct walk *w, struct error *err)
{
    return error_set(err, ERROR_INPUT, "%s: %s", w->path, strerror(errno));
}

/* Looks at the whole lines in bytes and takes them out. */
static bool look_at_lines(struct walk *w, struct buf *bytes)
{
    char *line = bytes->data, *end;

    while ((end = memchr(line, '\n', bytes->length - (size_t)(line - bytes->data)))) {
        if (!look_at(w, (struct span){line, (size_t)(end - line)}))
            return false;
        line = end + 1;
    }
    bytes->length -= (size_t)(line - bytes->data);
    memmove(bytes->data, line, bytes->length);
    return true;
}

/* False: the walk is over, or the file cannot be read. */
static bool read_file(struct walk *w, int fd, off_t size, struct buf *bytes, struct error *err)
{
    while (size > 0) {
        ssize_t got = read(fd, buf_grow(bytes, READ_BYTES), size < READ_BYTES ? (size_t)size : READ_BYTES);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(w, err);
        if (got == 0)
            break;
        size -= got;
        buf_grown(bytes, (size_t)got);
        if (!look_at_lines(w, bytes))
            return false;
        if (bytes->length > LINE_BYTES_MOST)
            return find(w, w->number + 1, "is longer than any line that crier writes");
    }
    return bytes->length == 0 || find(w, w->number + 1, "ends in the middle");
}

static bool load_head(struct walk *w, struct error *err)
{
    if (audit_head_load(w->v->file, &w->head_text, &w->head, &w->head_found, err))
        return true;
    return err->kind == ERROR_INPUT ? find(w, 0, "its head, %s.head, was changed", w->v->file) : false;
}

/* Where the file ends: with a whole line, as nobody writes to it meanwhile. */
static bool take_size(const struct walk *w, int fd, off_t *size, struct error *err)
{
    struct stat status;

    if (flock(fd, LOCK_SH) != 0 || fstat(fd, &status) != 0)
        return failed(w, err);
    *size = status.st_size;
    flock(fd, LOCK_UN);
    return true;
}

static bool walk_file(struct walk *w, const char *path, struct error *err)
{
    struct buf bytes = BUF_INIT;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = 0;
    bool ok;

    w->path = path;
    w->number = 0;
    if (fd < 0)
        return failed(w, err);
    ok = take_size(w, fd, &size, err) && read_file(w, fd, size, &bytes, err);
    close(fd);
    buf_release(&bytes);
    return ok;
}

/* --------------------------------------------------------------------------------------------------------- the end */

static bool head_fits(struct walk *w)
{
    const char *file = w->v->file;
    long long end = (long long)w->link.place, head = (long long)w->head.link.place;

    if (!file || (w->out->lines == 0 && !w->head_found))
        return true;
    if (!w->head_found)
        return find(w, 0, "%s.head is missing: lines may be missing at the end", file);
    if (!head_signed(w))
        return find(w, 0, "%s.head is not signed by this key: lines may be missing at the end", file);
    if (head > end)
        return find(w, w->number, "is the end, at place %lld: %lld missing behind it", end, head - end);
    return w->head_seen || head < (long long)w->out->first.place || find(w, 0, "no line is as %s.head says", file);
}

static bool end_fits(struct walk *w)
{
    const struct audit_link *holds = w->v->holds;

    w->out->end = w->link;
    return head_fits(w) && (!holds || w->held ||
                            find(w, 0, "no line of place %lld with that digest is there", (long long)holds->place));
}

bool audit_verify(const struct audit_verify *v, struct audit_verified *out, struct error *err)
{
    struct walk w = {
        .v = v, .out = out, .path = v->file ? v->file : "-", .link = audit_link_none, .head_text = BUF_INIT};
    bool ok;

    w.hash = raw_hash_new("SHA256");
    w.before = raw_hash_new("SHA256");
    raw_hash_start(w.before);
    ok = !v->file || load_head(&w, err); /* first: lines that come meanwhile lie beyond it */
    for (size_t i = 0; ok && i < v->file_count; i++)
        ok = walk_file(&w, v->files[i], err);
    ok = ok && end_fits(&w);
    raw_hash_free(w.hash);
    raw_hash_free(w.before);
    buf_release(&w.head_text);
    return ok || is_found(&w);
}
