#include "handlers/audit/audit_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "handlers/audit/audit_chain.h"
#include "handlers/line_file.h"

enum { READ_BYTES = 64 * 1024, LINE_BYTES_MOST = 32 * 1024 * 1024 };

struct audit_file {
    const struct audit_settings *settings;
    struct line_file *lines;
    struct signing_key *key; /* NULL: none */
    struct raw_hash *hash;
    struct audit_link link; /* what the next line is linked to */
    struct audit_link head; /* as it stands beside the file */
    struct audit_link last; /* of the file's last line; place 0: it has no chain */
    struct buf text;
    struct log_limit trouble;
};

static struct span entry_id(struct span line)
{
    size_t start = strlen(AUDIT_ENTRY_START);
    const char *end;

    if (line.length < start || memcmp(line.text, AUDIT_ENTRY_START, start) != 0)
        return SPAN_NONE;
    end = memchr(line.text + start, '"', line.length - start);
    return end ? (struct span){line.text + start, (size_t)(end - line.text) - start} : SPAN_NONE;
}

static const struct line_file_form form = {
    .what = "audit file",
    .start = AUDIT_ENTRY_START,
    .line_most = LINE_BYTES_MOST,
    .key = entry_id,
};

/* ----------------------------------------------------------------------------------------- where the chain goes on */

static void start(void *context)
{
    struct audit_file *f = context;

    f->last = audit_link_none;
}

static void last(void *context, struct span line)
{
    struct audit_file *f = context;
    struct audit_chained c;

    f->last = audit_chain_read(line, &c) ? c.link : audit_link_none;
}

static bool is_same(const struct audit_link *a, const struct audit_link *b)
{
    return a->place == b->place && strcmp(a->digest, b->digest) == 0;
}

static bool write_head(struct audit_file *f, struct error *err)
{
    struct buf path = BUF_INIT;
    bool ok;

    buf_reset(&f->text);
    audit_head_add(f->key, &f->link, &f->text);
    audit_head_path(f->settings->file, &path);
    ok = file_replace(path.data, 0600, f->text.data, f->text.length, err);
    if (ok)
        f->head = f->link;
    buf_release(&path);
    return ok;
}

/* Over all that is there from before there was a chain. */
static bool digest_bytes(struct audit_file *f, int fd, off_t end, char out[DIGEST_TEXT_BYTES], struct error *err)
{
    char bytes[READ_BYTES];
    off_t at = 0;

    raw_hash_start(f->hash);
    while (at < end) {
        size_t wanted = end - at < READ_BYTES ? (size_t)(end - at) : READ_BYTES;
        ssize_t got = pread(fd, bytes, wanted, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(err, ERROR_AGAIN, "%s", got < 0 ? strerror(errno) : "it became shorter");
        raw_hash_add(f->hash, bytes, (size_t)got);
        at += got;
    }
    raw_hash_end(f->hash, out);
    return true;
}

/* The head comes first, so that from here on a missing one is seen. */
static bool begin(struct audit_file *f, int fd, off_t end, struct error *err)
{
    f->link = audit_link_none;
    if (f->last.place > 0) {
        log_limited(&f->trouble, LOG_LEVEL_ERROR,
                    "%s.head is missing or broken: the chain goes on with a gap; see crier audit verify",
                    f->settings->file);
        f->link = f->last;
        f->link.place++;
    } else if (end > 0 && !digest_bytes(f, fd, end, f->link.digest, err)) {
        return false;
    }
    return write_head(f, err);
}

/* A process that died before it wrote the head has its lines in the file: the head is behind, until here. */
static bool go_on(struct audit_file *f, const struct audit_link *head, off_t end, struct error *err)
{
    f->head = f->link = *head;
    if (f->last.place > head->place) {
        f->link = f->last;
        return write_head(f, err);
    }
    if (end > 0 && head->place > 0 && !is_same(&f->last, head))
        log_limited(&f->trouble, LOG_LEVEL_ERROR, "%s does not end as it was left; see crier audit verify",
                    f->settings->file);
    return true;
}

static bool take(void *context, int fd, off_t end, struct error *err)
{
    struct audit_file *f = context;
    struct audit_chained head;
    bool found;

    if (!audit_head_load(f->settings->file, &f->text, &head, &found, err)) {
        if (err->kind == ERROR_AGAIN)
            return false;
        found = false;
    }
    if (!found)
        return begin(f, fd, end, err);
    return go_on(f, &head.link, end, err);
}

/* ---------------------------------------------------------------------------------------------- lines and rotation */

static bool other_month(const struct stat *status)
{
    struct calendar now, then;

    time_calendar(clock_wall_us(), &now);
    time_calendar((int64_t)status->st_mtim.tv_sec * US_PER_SECOND, &then);
    return now.year != then.year || now.month != then.month;
}

static void add_moved(const char *file, int64_t place, struct buf *out)
{
    buf_printf(out, "%s.%012lld", file, (long long)place);
}

/* What was moved away earlier is never written over. */
static bool full(void *context, const struct stat *status, struct buf *moved)
{
    struct audit_file *f = context;
    const struct audit_settings *s = f->settings;

    if (f->last.place == 0 || !((s->rotate == ROTATE_MONTHLY && other_month(status)) ||
                                (s->rotate_bytes > 0 && status->st_size >= s->rotate_bytes)))
        return false;
    add_moved(s->file, f->last.place, moved);
    return access(moved->data, F_OK) != 0;
}

static void add(void *context, struct span line, struct buf *out)
{
    struct audit_file *f = context;

    audit_chain_add(f->hash, f->key, line, &f->link, out);
    f->last = f->link;
}

static bool written(void *context, struct error *err)
{
    struct audit_file *f = context;

    return is_same(&f->head, &f->link) || write_head(f, err);
}

static const struct line_file_ways ways = {
    .start = start, .last = last, .take = take, .full = full, .add = add, .written = written};

struct audit_file *audit_file_open(const struct audit_settings *s, struct error *err)
{
    struct audit_file *f = xcalloc(1, sizeof *f);

    f->settings = s;
    buf_init(&f->text);
    f->hash = raw_hash_new("SHA256");
    pthread_mutex_init(&f->trouble.mutex, NULL);
    if (*s->key && !(f->key = signing_key_new(s->key, err)))
        goto failed;
    if (f->key && !signing_key_can_sign(f->key)) {
        error_set(err, ERROR_CONFIG, "[audit] key is a public key, which cannot sign");
        goto failed;
    }
    if (!(f->lines = line_file_open(s->file, &form, err)))
        goto failed;
    line_file_use(f->lines, &ways, f);
    return f;
failed:
    audit_file_close(f);
    return NULL;
}

void audit_file_close(struct audit_file *f)
{
    if (!f)
        return;
    line_file_close(f->lines);
    signing_key_free(f->key);
    raw_hash_free(f->hash);
    pthread_mutex_destroy(&f->trouble.mutex);
    buf_release(&f->text);
    free(f);
}

void audit_file_add(struct audit_file *f, struct span entry)
{
    line_file_add(f->lines, entry.text, entry.length);
}

bool audit_file_flush(struct audit_file *f, struct error *err)
{
    return line_file_flush(f->lines, err);
}
