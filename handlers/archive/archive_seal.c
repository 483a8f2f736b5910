#include "handlers/archive/archive_seal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/packed.h"
#include "base/text.h"

enum { SEAL_BYTES_MOST = 4096, TIME_WORD_BYTES = 39 };

/* As scanf reads it: times no longer than TIME_WORD_BYTES, digests of 64 digits. */
#define SEAL_FORMAT "# crier archive: %lld events from %39s to %39[^,], unpacked sha256 %64[0-9a-f]\n%64[0-9a-f]  %255s"

static void add_seal_path(const char *path, struct buf *out)
{
    buf_printf(out, "%s.sha256", path);
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool parse(const char *text, const char *path, struct archive_seal *out)
{
    char first[TIME_WORD_BYTES + 1], last[TIME_WORD_BYTES + 1], name[256];
    long long events;

    if (sscanf(text, SEAL_FORMAT, &events, first, last, out->content_sha256, out->sha256, name) != 6)
        return false;
    out->events = events;
    return events >= 0 && strlen(out->sha256) == DIGEST_TEXT_BYTES - 1 && text_same(name, file_name(path)) &&
           time_parse(first, strlen(first), false, &out->first_us) &&
           time_parse(last, strlen(last), false, &out->last_us);
}

bool archive_seal_read(const char *path, struct archive_seal *out, bool *there, struct error *err)
{
    struct buf seal = BUF_INIT, text = BUF_INIT;
    bool ok;

    add_seal_path(path, &seal);
    *there = access(seal.data, F_OK) == 0;
    ok = *there || errno == ENOENT || error_set(err, ERROR_AGAIN, "%s: %s", seal.data, strerror(errno));
    if (ok && *there) {
        ok = file_read(seal.data, SEAL_BYTES_MOST, &text, err) &&
             (parse(text.data, path, out) ||
              error_set(err, ERROR_INPUT, "%s: it is no digest of a file of an archive", seal.data));
    }
    buf_release(&text);
    buf_release(&seal);
    return ok;
}

bool archive_seal_write(const char *path, const struct archive_seal *seal, struct error *err)
{
    char first[TIME_TEXT_BYTES], last[TIME_TEXT_BYTES];
    struct buf text = BUF_INIT, name = BUF_INIT;
    bool ok;

    buf_printf(&text, "# crier archive: %lld events from %s to %s, unpacked sha256 %s\n%s  %s\n",
               (long long)seal->events, time_text(seal->first_us, first), time_text(seal->last_us, last),
               seal->content_sha256, seal->sha256, file_name(path));
    add_seal_path(path, &name);
    ok = file_replace(name.data, 0600, text.data, text.length, err);
    buf_release(&name);
    buf_release(&text);
    return ok;
}

bool archive_seal_check(const char *path, const struct archive_seal *seal, struct error *err)
{
    char sha256[DIGEST_TEXT_BYTES];
    int64_t bytes;

    return packed_sum(path, &bytes, sha256, err) &&
           (text_same(sha256, seal->sha256) ||
            error_set(err, ERROR_INPUT, "%s: it is not as it was sealed: its digest differs from %s.sha256", path,
                      file_name(path)));
}
