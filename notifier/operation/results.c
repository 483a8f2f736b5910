#include "notifier/operation/results.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "notifier/operation/operations.h"

/*
 * KEYS: the stream of results. ARGV: the id after which, how many. Replies the id of the first entry there is ("":
 * there is none), how many were ever trimmed, and the entries.
 */
static struct redis_script read_after = {
    .text = "local call, key = redis.call, KEYS[1]\n"
            "local first = call('XRANGE', key, '-', '+', 'COUNT', 1)\n"
            "if #first == 0 then return {'', 0, {}} end\n"
            "local info, trimmed = call('XINFO', 'STREAM', key), 0\n"
            "for i = 1, #info, 2 do\n"
            "  if info[i] == 'entries-added' then trimmed = info[i + 1] - call('XLEN', key) end\n"
            "end\n"
            "return {first[1][1], trimmed, call('XRANGE', key, '(' .. ARGV[1], '+', 'COUNT', ARGV[2])}\n",
};

static bool id_read(const char *id, uint64_t *ms, uint64_t *sequence)
{
    int end = 0;

    return strlen(id) < RESULT_ID_BYTES && strspn(id, "0123456789-") == strlen(id) && *id != '-' &&
           sscanf(id, "%20" SCNu64 "-%20" SCNu64 "%n", ms, sequence, &end) == 2 && id[end] == '\0';
}

bool result_id_check(const char *id)
{
    uint64_t ms, sequence;

    return id_read(id, &ms, &sequence);
}

bool result_is_later(const char *id, const char *than)
{
    uint64_t ms = 0, sequence = 0, than_ms = 0, than_sequence = 0;

    if (!id_read(id, &ms, &sequence) || !id_read(than, &than_ms, &than_sequence))
        return false;
    return ms != than_ms ? ms > than_ms : sequence > than_sequence;
}

bool result_add_json(const struct reply *entry, struct buf *out)
{
    const struct reply *value = reply_field(&entry->items[1], "v");
    const struct reply *operation = reply_field(&entry->items[1], "o");

    if (!value || value->length < 2)
        return false;
    buf_add_char(out, '{');
    if (operation) {
        buf_add_text(out, "\"operation\":");
        buf_add_json(out, operation->text, operation->length);
        buf_add_char(out, ',');
    }
    buf_add(out, value->text + 1, value->length - 1);
    return true;
}

/* An id that was there, and is before the first one there is, is gone, and so may others be that came after it. */
static bool is_gap(const char *after, const char *first, int64_t trimmed)
{
    return *first && result_is_later(first, after) && (trimmed > 0 || strcmp(after, "0-0") != 0);
}

bool results_read(struct redis *r, struct arena *arena, const char *after, struct results *out, struct error *err)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    bool ok;

    redis_script_args(&read_after, &args, 1);
    args_text(&args, OPERATION_RESULTS);
    args_text(&args, after);
    args_int(&args, RESULTS_READ_MOST);
    ok = redis_script_call(r, &read_after, &args, arena, &reply, err);
    args_release(&args);
    if (!ok)
        return false;
    if (reply->kind != REPLY_ARRAY || reply->count != 3)
        return error_set(err, ERROR_AGAIN, "results: an answer of another form");
    out->entries = &reply->items[2];
    out->gap_to = is_gap(after, reply->items[0].text, reply->items[1].integer) ? reply->items[0].text : NULL;
    return true;
}
