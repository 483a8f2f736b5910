#include "handlers/audit/audit_chain.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum {
    HEX_BYTES = DIGEST_TEXT_BYTES - 1,
    SIGNATURE_MOST = 128,
    CHAIN_BYTES_MOST = 400, /* what a line ends in */
    HEAD_BYTES_MOST = 1024,
    PLACE_DIGITS_MOST = 18,
};

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define START ",\"chain\":{\"place\":"

const struct audit_link audit_link_none = {0, ZEROS};

/* -------------------------------------------------------------------------------------------------------- writing */

static void digest_of(struct raw_hash *hash, const char *bytes, size_t length, char out[DIGEST_TEXT_BYTES])
{
    raw_hash_start(hash);
    raw_hash_add(hash, bytes, length);
    raw_hash_end(hash, out);
}

static void add_signature(const struct signing_key *key, struct span message, struct buf *out)
{
    if (!key)
        return;
    buf_add_text(out, ",\"signature\":\"");
    signing_key_add(key, message, out);
    buf_add_char(out, '"');
}

void audit_chain_add(struct raw_hash *hash, const struct signing_key *key, struct span entry, struct audit_link *link,
                     struct buf *out)
{
    size_t start = out->length;

    buf_add(out, entry.text, entry.length - 1); /* its brace comes last */
    buf_printf(out, START "%lld,\"before\":\"%s\"", (long long)++link->place, link->digest);
    digest_of(hash, out->data + start, out->length - start, link->digest);
    buf_printf(out, ",\"digest\":\"%s\"", link->digest);
    add_signature(key, span_of(link->digest), out);
    buf_add_text(out, "}}");
}

static void add_head_message(const struct audit_link *link, struct buf *out)
{
    buf_printf(out, "head:%lld:%s", (long long)link->place, link->digest);
}

void audit_head_add(const struct signing_key *key, const struct audit_link *link, struct buf *out)
{
    struct buf message = BUF_INIT;

    add_head_message(link, &message);
    buf_printf(out, "{\"place\":%lld,\"digest\":\"%s\"", (long long)link->place, link->digest);
    add_signature(key, (struct span){message.data, message.length}, out);
    buf_add_text(out, "}\n");
    buf_release(&message);
}

/* -------------------------------------------------------------------------------------------------------- reading */

struct reader {
    const char *at, *end;
};

static bool take_text(struct reader *r, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(r->end - r->at) < length || memcmp(r->at, text, length) != 0)
        return false;
    r->at += length;
    return true;
}

/* As it would be written: no sign, no zeros before it. */
static bool take_place(struct reader *r, int64_t *place)
{
    const char *start = r->at;

    for (*place = 0; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        if (r->at - start == PLACE_DIGITS_MOST)
            return false;
        *place = *place * 10 + (*r->at - '0');
    }
    return r->at > start && (*start != '0' || r->at == start + 1);
}

static bool take_hex(struct reader *r, size_t most, struct span *out)
{
    const char *start = r->at;

    while (r->at < r->end && strchr("0123456789abcdef", *r->at) && *r->at)
        r->at++;
    *out = (struct span){start, (size_t)(r->at - start)};
    return out->length > 0 && out->length <= most;
}

static bool take_digest(struct reader *r, struct audit_chained *c)
{
    struct span digest;

    if (!take_text(r, ",\"digest\":\"") || !take_hex(r, HEX_BYTES, &digest) || digest.length != HEX_BYTES)
        return false;
    memcpy(c->link.digest, digest.text, HEX_BYTES);
    c->link.digest[HEX_BYTES] = '\0';
    return take_text(r, "\"");
}

static bool take_signature(struct reader *r, struct audit_chained *c)
{
    c->signature = SPAN_NONE;
    return !take_text(r, ",\"signature\":\"") || (take_hex(r, SIGNATURE_MOST, &c->signature) && take_text(r, "\""));
}

/* The last that there is: an entry's data may hold the same, but then more follows than may. */
static const char *find_start(struct span line)
{
    size_t start = strlen(START), back = start;

    for (; back <= line.length && back <= CHAIN_BYTES_MOST; back++)
        if (memcmp(line.text + line.length - back, START, start) == 0)
            return line.text + line.length - back;
    return NULL;
}

bool audit_chain_read(struct span line, struct audit_chained *out)
{
    const char *start = find_start(line);
    struct reader r = {start, line.text + line.length};

    if (!start || !take_text(&r, START) || !take_place(&r, &out->link.place) || !take_text(&r, ",\"before\":\"") ||
        !take_hex(&r, HEX_BYTES, &out->before) || out->before.length != HEX_BYTES || !take_text(&r, "\""))
        return false;
    out->covered = (size_t)(r.at - line.text);
    return take_digest(&r, out) && take_signature(&r, out) && take_text(&r, "}}") && r.at == r.end;
}

void audit_chain_digest(struct raw_hash *hash, struct span line, const struct audit_chained *c,
                        char out[DIGEST_TEXT_BYTES])
{
    digest_of(hash, line.text, c->covered, out);
}

bool audit_chain_signed(const struct signing_key *key, const struct audit_chained *c)
{
    return signing_key_holds(key, span_of(c->link.digest), c->signature);
}

bool audit_head_read(struct span text, struct audit_chained *out)
{
    struct reader r = {text.text, text.text + text.length};

    out->before = SPAN_NONE;
    out->covered = 0;
    return take_text(&r, "{\"place\":") && take_place(&r, &out->link.place) && take_digest(&r, out) &&
           take_signature(&r, out) && take_text(&r, "}\n") && r.at == r.end;
}

bool audit_head_signed(const struct signing_key *key, const struct audit_chained *c)
{
    struct buf message = BUF_INIT;
    bool holds;

    add_head_message(&c->link, &message);
    holds = signing_key_holds(key, (struct span){message.data, message.length}, c->signature);
    buf_release(&message);
    return holds;
}

void audit_head_path(const char *file, struct buf *out)
{
    buf_printf(out, "%s.head", file);
}

bool audit_head_load(const char *file, struct buf *text, struct audit_chained *out, bool *found, struct error *err)
{
    struct buf path = BUF_INIT;
    bool ok;

    buf_reset(text);
    audit_head_path(file, &path);
    *found = access(path.data, F_OK) == 0;
    ok = !*found || file_read(path.data, HEAD_BYTES_MOST, text, err);
    if (!ok)
        err->kind = ERROR_AGAIN;
    else if (*found && !audit_head_read((struct span){text->data, text->length}, out))
        ok = error_set(err, ERROR_INPUT, "%s is no head of an audit file", path.data);
    buf_release(&path);
    return ok;
}
