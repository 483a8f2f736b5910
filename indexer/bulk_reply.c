#include "indexer/bulk_reply.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "indexer/client.h"

enum { STATUS_LEAST = 100, STATUS_MOST = 599, SEQ_NO_DIGITS_MOST = 18 };

static bool unknown(struct error *err, const char *what)
{
    return error_set(err, ERROR_AGAIN, "OpenSearch: the reply to a bulk %s: what became of it is unknown", what);
}

/* ----------------------------------------------------------------------------------------- item by item, as JSON */

static void read_error(const json_t *error, struct arena *arena, struct bulk_answer *out)
{
    struct buf words = BUF_INIT;

    client_add_reason(error, &words);
    out->type = arena_text(arena, json_member_text(error, "type", ""));
    out->reason = arena_copy(arena, words.data, words.length);
    buf_release(&words);
}

/* {"index": {"status": 201, ...}} with any one action for a name. */
static bool read_item(const json_t *item, struct arena *arena, struct bulk_answer *out)
{
    const json_t *said, *error, *status, *seq_no;
    void *only = json_object_iter((json_t *)(uintptr_t)item);

    if (!only || json_object_size(item) != 1)
        return false;
    said = json_object_iter_value(only);
    status = json_object_get(said, "status");
    error = json_object_get(said, "error");
    if (!json_is_integer(status) || json_integer_value(status) < STATUS_LEAST ||
        json_integer_value(status) > STATUS_MOST)
        return false;
    seq_no = json_object_get(said, "_seq_no");
    *out = (struct bulk_answer){(int)json_integer_value(status), "", "",
                                json_is_integer(seq_no) ? json_integer_value(seq_no) : -1};
    if (error)
        read_error(error, arena, out);
    return true;
}

bool bulk_reply_read_any(const char *bytes, size_t length, size_t expected, struct arena *arena,
                         struct bulk_answer *answers, struct error *err)
{
    json_t *reply = json_loadb(bytes, length, JSON_ALLOW_NUL, NULL);
    const json_t *items = json_object_get(reply, "items");
    bool ok = json_is_array(items);

    if (!ok)
        unknown(err, "is not whole");
    else if (json_array_size(items) != expected)
        ok = unknown(err, "has another number of items");
    for (size_t i = 0; ok && i < expected; i++)
        if (!read_item(json_array_get(items, i), arena, &answers[i]))
            ok = unknown(err, "has an item without outcome");
    json_decref(reply);
    return ok;
}

/* --------------------------------------------------------------------------------- the usual form, as it is written */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *c, const char *text, size_t length)
{
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, text, length) != 0)
        return false;
    c->at += length;
    return true;
}

#define TAKE(cursor, literal) take(cursor, literal, sizeof(literal) - 1)

/* "_seq_no":12, where that was asked for. Numbers that long are left to jansson. */
static bool take_seq_no(struct cursor *c, int64_t *seq_no)
{
    const char *start;

    *seq_no = -1;
    if (!TAKE(c, "\"_seq_no\":"))
        return true;
    for (start = c->at, *seq_no = 0; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        if (c->at - start < SEQ_NO_DIGITS_MOST)
            *seq_no = *seq_no * 10 + (*c->at - '0');
    return c->at > start && (*start != '0' || c->at == start + 1) && c->at - start <= SEQ_NO_DIGITS_MOST &&
           TAKE(c, ",");
}

/* {"index":{"status":201}}, perhaps with its sequence number before that, and nothing else. */
static bool take_plain_item(struct cursor *c, struct bulk_answer *out)
{
    struct cursor at = *c;
    int status = 0;
    int64_t seq_no;

    if (!TAKE(&at, "{\"index\":{") && !TAKE(&at, "{\"create\":{") && !TAKE(&at, "{\"delete\":{"))
        return false;
    if (!take_seq_no(&at, &seq_no) || !TAKE(&at, "\"status\":"))
        return false;
    for (int digits = 0; digits < 3; digits++, at.at++) {
        if (at.at == at.end || *at.at < '0' || *at.at > '9')
            return false;
        status = status * 10 + (*at.at - '0');
    }
    if (!TAKE(&at, "}}") || status < STATUS_LEAST || status > STATUS_MOST)
        return false;
    *out = (struct bulk_answer){status, "", "", seq_no};
    *c = at;
    return true;
}

/* An item that says more: jansson reads this one alone. */
static bool take_item(struct cursor *c, struct arena *arena, struct bulk_answer *out)
{
    json_error_t where;
    json_t *item;
    bool ok;

    if (take_plain_item(c, out))
        return true;
    item = json_loadb(c->at, (size_t)(c->end - c->at), JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &where);
    ok = item && read_item(item, arena, out);
    if (ok)
        c->at += where.position;
    json_decref(item);
    return ok;
}

static bool read_usual(const char *bytes, size_t length, size_t expected, struct arena *arena,
                       struct bulk_answer *answers)
{
    struct cursor c = {bytes, bytes + length};

    if (!TAKE(&c, "{\"errors\":false,\"items\":[") && !TAKE(&c, "{\"errors\":true,\"items\":["))
        return false;
    for (size_t i = 0; i < expected; i++)
        if ((i > 0 && !TAKE(&c, ",")) || !take_item(&c, arena, &answers[i]))
            return false;
    return TAKE(&c, "]}") && c.at == c.end;
}

bool bulk_reply_read(const char *bytes, size_t length, size_t expected, struct arena *arena,
                     struct bulk_answer *answers, struct error *err)
{
    return read_usual(bytes, length, expected, arena, answers) ||
           bulk_reply_read_any(bytes, length, expected, arena, answers, err);
}

/* ------------------------------------------------------------------------------------------------- the table */

static enum bulk_outcome of_conflict(const struct bulk_target *target)
{
    if (target->seq_no >= 0)
        return BULK_CONFLICT;
    return target->action == BULK_CREATE || target->version >= 0 ? BULK_SUPERSEDED : BULK_BUSY;
}

/* What blocks the whole index, and time or the operator will lift: flood stage comes as 429 or 403, a right as 403. */
static bool is_blocked(const struct bulk_answer *a)
{
    return a->status == 403 || (a->status < 500 && text_same(a->type, "cluster_block_exception")) ||
           text_same(a->type, "index_closed_exception");
}

enum bulk_outcome bulk_outcome_of(const struct bulk_answer *a, const struct bulk_target *target)
{
    if (a->status >= 200 && a->status < 300)
        return BULK_DONE;
    if (a->status == 404 && target->action == BULK_DELETE && !text_same(a->type, "index_not_found_exception"))
        return BULK_DONE;
    if (is_blocked(a))
        return BULK_PAUSED;
    if (a->status == 409)
        return of_conflict(target);
    if (a->status == 429 || a->status == 401 || a->status >= 500 || a->status < 400)
        return BULK_BUSY;
    return BULK_DEAD;
}
