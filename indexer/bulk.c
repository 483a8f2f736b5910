#include "indexer/bulk.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "indexer/action_line.h"
#include "indexer/bulk_reply.h"
#include "indexer/paused.h"
#include "indexer/tally.h"

enum {
    ITEMS_MOST = 10000,
    BYTES_LEAST = 64 * 1024,
    KEEP_BYTES = 512 * 1024,
    ENTRIES_FIRST = 256,
};

struct entry {
    struct bulk_item item;
    size_t start, length; /* action line and document, in the body */
    struct placed index;  /* its index's name, likewise */
    int64_t version, seq_no;
    enum bulk_action action;
};

struct bulk {
    struct client *client;
    struct paused *paused;
    struct arena *arena; /* what the server said, and numbers of items on their way */
    struct buf body;     /* every item, one after the other */
    struct buf gathered; /* those of one request, where they are not neighbours */
    struct entry *entries;
    size_t count, room;
    bool document_open;                      /* the last entry's document may still grow */
    size_t items_now, bytes_now, bytes_most; /* the size in force of a request */
    unsigned long bad_alone;                 /* items found bad by halving, ever */
    int64_t retry_after_ms;
    struct action_line *line;
    char path[200];
};

#define SEQ_NO_TOO ",items.*._seq_no"

struct bulk *bulk_new(struct client *c, int64_t bytes_most)
{
    struct bulk *b = xcalloc(1, sizeof *b);

    b->client = c;
    b->paused = paused_new();
    b->arena = arena_new();
    buf_init(&b->body);
    buf_init(&b->gathered);
    b->line = action_line_new(client_prefix(c));
    b->items_now = ITEMS_MOST;
    b->bytes_now = b->bytes_most = (size_t)bytes_most;
    /* The server gives up on a shard that is away before we give up on the reply, so that the neighbours are answered
     */
    snprintf(b->path, sizeof b->path,
             "/_bulk?timeout=%dms&filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,"
             "items.*.error.caused_by",
             client_timeout_ms(c) / 2 + 1);
    return b;
}

void bulk_tell_seq_no(struct bulk *b)
{
    if (!strstr(b->path, SEQ_NO_TOO))
        strncat(b->path, SEQ_NO_TOO, sizeof b->path - strlen(b->path) - 1);
}

void bulk_free(struct bulk *b)
{
    if (!b)
        return;
    paused_free(b->paused);
    arena_free(b->arena);
    buf_release(&b->body);
    buf_release(&b->gathered);
    action_line_free(b->line);
    free(b->entries);
    free(b);
}

void bulk_start(struct bulk *b)
{
    b->count = 0;
    b->document_open = false;
    buf_reset(&b->body);
    buf_trim(&b->body, KEEP_BYTES);
    buf_reset(&b->gathered);
    buf_trim(&b->gathered, KEEP_BYTES);
    arena_reset(b->arena);
}

size_t bulk_count(const struct bulk *b)
{
    return b->count;
}

const struct bulk_item *bulk_item(const struct bulk *b, size_t number)
{
    return &b->entries[number].item;
}

int64_t bulk_retry_after_ms(const struct bulk *b)
{
    return b->retry_after_ms;
}

void bulk_again(struct bulk *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->entries[i].item.outcome == BULK_BUSY)
            b->entries[i].item.outcome = BULK_UNSENT;
}

/* ---------------------------------------------------------------------------------------------- adding an item */

static void settle(struct entry *e, enum bulk_outcome outcome, int status, const char *reason)
{
    e->item = (struct bulk_item){outcome, status, reason, -1};
}

/* Ends the document of the last item. A line feed in it can only be white space of JSON, but would end the line. */
static void close_document(struct bulk *b)
{
    struct entry *e;
    char *at, *end;

    if (!b->document_open)
        return;
    b->document_open = false;
    e = &b->entries[b->count - 1];
    if (e->action != BULK_DELETE) {
        at = b->body.data + e->start + e->length;
        end = b->body.data + b->body.length;
        if (at == end)
            settle(e, BULK_DEAD, 0, "the document is empty");
        while (at < end && (at = memchr(at, '\n', (size_t)(end - at))))
            *at = ' ';
        buf_add_char(&b->body, '\n');
    }
    e->length = b->body.length - e->start;
}

static struct entry *next_entry(struct bulk *b)
{
    if (b->count == b->room) {
        b->room = b->room ? 2 * b->room : ENTRIES_FIRST;
        b->entries = xrealloc(b->entries, b->room * sizeof *b->entries);
    }
    return &b->entries[b->count++];
}

struct buf *bulk_add(struct bulk *b, const struct bulk_target *target, size_t *number)
{
    size_t id_length = target->id_length ? target->id_length : strlen(target->id);
    const char *wrong = action_line_wrong(target, id_length);
    struct entry *e;

    close_document(b);
    *number = b->count;
    e = next_entry(b);
    settle(e, wrong ? BULK_DEAD : BULK_UNSENT, 0, wrong ? wrong : "");
    e->start = b->body.length;
    e->action = target->action;
    e->version = target->version;
    e->seq_no = target->seq_no;
    e->index = action_line_add(b->line, target, id_length, &b->body);
    e->length = b->body.length - e->start;
    b->document_open = true;
    return &b->body;
}

/* ----------------------------------------------------------------------------------------- one request's items */

/* Numbers of the items in one request. */
struct selection {
    const size_t *numbers;
    size_t count;
};

static struct entry *entry_at(struct bulk *b, struct selection s, size_t i)
{
    return &b->entries[s.numbers[i]];
}

static const char *index_of(const struct bulk *b, const struct entry *e)
{
    return b->body.data + e->index.start;
}

/* An item whose index takes no writes is answered here. */
static bool held_back(struct bulk *b, struct entry *e)
{
    const char *why = paused_none(b->paused) ? NULL : paused_why(b->paused, index_of(b, e), e->index.length);

    if (why)
        settle(e, BULK_PAUSED, 0, arena_text(b->arena, why));
    return why != NULL;
}

/* The next items from *from on that fit the size in force; at least one, however large. False: none is left. */
static bool choose(struct bulk *b, size_t *from, struct selection *out)
{
    size_t most = b->count - *from < b->items_now ? b->count - *from : b->items_now;
    size_t *numbers = arena_alloc(b->arena, most * sizeof *numbers);
    size_t count = 0, bytes = 0;

    for (; *from < b->count && count < most; ++*from) {
        struct entry *e = &b->entries[*from];

        if (e->item.outcome != BULK_UNSENT)
            continue;
        if (count > 0 && bytes + e->length > b->bytes_now)
            break;
        if (held_back(b, e))
            continue;
        numbers[count++] = *from;
        bytes += e->length;
    }
    *out = (struct selection){numbers, count};
    return count > 0;
}

/* The items' bytes: where they are, for neighbours, else gathered. */
static struct span bytes_of(struct bulk *b, struct selection s)
{
    const struct entry *first = entry_at(b, s, 0), *last = entry_at(b, s, s.count - 1);

    if (s.numbers[s.count - 1] - s.numbers[0] == s.count - 1)
        return (struct span){b->body.data + first->start, last->start + last->length - first->start};
    buf_reset(&b->gathered);
    for (size_t i = 0; i < s.count; i++)
        buf_add(&b->gathered, b->body.data + entry_at(b, s, i)->start, entry_at(b, s, i)->length);
    return (struct span){b->gathered.data, b->gathered.length};
}

static void shrink(struct bulk *b, size_t items, size_t bytes)
{
    b->items_now = items > 1 ? items / 2 : 1;
    b->bytes_now = bytes / 2 > BYTES_LEAST ? bytes / 2 : BYTES_LEAST;
}

static void grow(struct bulk *b)
{
    b->items_now += b->items_now / 10 + 1;
    b->items_now = b->items_now < ITEMS_MOST ? b->items_now : ITEMS_MOST;
    b->bytes_now += b->bytes_now / 10;
    b->bytes_now = b->bytes_now < b->bytes_most ? b->bytes_now : b->bytes_most;
}

/* ------------------------------------------------------------------------------------------- and its reply */

static void note_pause(struct bulk *b, const struct entry *e)
{
    if (e->item.outcome == BULK_PAUSED)
        paused_hold(b->paused, index_of(b, e), e->index.length, e->item.reason);
    else if (e->item.outcome != BULK_BUSY && !paused_none(b->paused))
        paused_lift(b->paused, index_of(b, e), e->index.length);
}

static bool read_answers(struct bulk *b, struct selection s, const struct http_reply *reply, bool *busy,
                         struct error *err)
{
    struct bulk_answer *answers = arena_alloc(b->arena, s.count * sizeof *answers);
    int64_t counts[BULK_OUTCOMES] = {0};

    if (!bulk_reply_read(reply->body.data, reply->body.length, s.count, b->arena, answers, err)) {
        tally_unknown_reply();
        return false;
    }
    for (size_t i = 0; i < s.count; i++) {
        struct entry *e = entry_at(b, s, i);
        struct bulk_target target = {.action = e->action, .version = e->version, .seq_no = e->seq_no};

        settle(e, bulk_outcome_of(&answers[i], &target), answers[i].status, answers[i].reason);
        e->item.seq_no = answers[i].seq_no;
        note_pause(b, e);
        counts[e->item.outcome]++;
    }
    tally_items(counts);
    *busy = counts[BULK_BUSY] > 0;
    return true;
}

/* Whether an item in it spoiled the request: too large, or refused by OpenSearch itself and no gateway before it. */
static bool is_spoiled(const struct http_reply *reply)
{
    json_t *said;
    bool own_words;

    if (reply->status != 400)
        return reply->status == 413;
    said = json_loadb(reply->body.data, reply->body.length, JSON_ALLOW_NUL, NULL);
    own_words = json_is_object(json_object_get(said, "error"));
    json_decref(said);
    return own_words;
}

static bool send_items(struct bulk *b, struct selection s, bool spoiled, struct error *err);

/*
 * Halves until the bad item is alone. When the first half, the smaller one, went through a 400 must come from the
 * second, which is then halved without being sent: at most 2*log2(n)+1 requests for a bad item.
 */
static bool send_halves(struct bulk *b, struct selection s, bool too_large, struct error *err)
{
    struct selection first = {s.numbers, s.count / 2};
    struct selection second = {s.numbers + s.count / 2, s.count - s.count / 2};
    unsigned long bad_before = b->bad_alone;

    return send_items(b, first, false, err) && send_items(b, second, !too_large && b->bad_alone == bad_before, err);
}

static bool bury(struct bulk *b, struct entry *e, const struct http_reply *reply)
{
    struct error words;

    client_refused(reply, &words);
    settle(e, BULK_DEAD, (int)reply->status, arena_text(b->arena, words.text));
    b->bad_alone++;
    tally_items((const int64_t[BULK_OUTCOMES]){[BULK_DEAD] = 1});
    return true;
}

/* Busy as a whole, or not for us. */
static bool refused(struct bulk *b, struct selection s, size_t bytes, const struct http_reply *reply, struct error *err)
{
    client_refused(reply, err);
    err->kind = ERROR_AGAIN;
    if (reply->status == 429 || reply->status >= 500)
        shrink(b, s.count, bytes);
    if (reply->retry_after_s > 0)
        b->retry_after_ms = (int64_t)reply->retry_after_s * 1000;
    return false;
}

/* spoiled: known to hold a bad item, so that sending it whole is in vain. */
static bool send_items(struct bulk *b, struct selection s, bool spoiled, struct error *err)
{
    const struct http_reply *reply;
    struct span bytes;
    bool busy;

    if (spoiled && s.count > 1)
        return send_halves(b, s, false, err);
    bytes = bytes_of(b, s);
    if (!client_send(b->client, "POST", b->path, "application/x-ndjson", bytes.text, bytes.length, &reply, err)) {
        if (reply->may_have_effect) /* it may have been too much to answer in time */
            shrink(b, s.count, bytes.length);
        return false;
    }
    if (is_spoiled(reply)) {
        bool too_large = reply->status == 413;

        if (too_large) /* for good: whoever stands between would refuse it again */
            b->bytes_now = b->bytes_most = bytes.length / 2;
        return s.count == 1 ? bury(b, entry_at(b, s, 0), reply) : send_halves(b, s, too_large, err);
    }
    if (reply->status != 200)
        return refused(b, s, bytes.length, reply, err);
    if (!read_answers(b, s, reply, &busy, err))
        return false;
    if (busy)
        shrink(b, s.count, bytes.length);
    else
        grow(b);
    return true;
}

bool bulk_send(struct bulk *b, struct error *err)
{
    struct selection s;
    size_t from = 0;

    close_document(b);
    b->retry_after_ms = 0;
    while (choose(b, &from, &s))
        if (!send_items(b, s, false, err))
            return false;
    return true;
}
