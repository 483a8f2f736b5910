#include "handlers/repair/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"

enum {
    TOGETHER_MOST = 1000,
    PATIENCE_MS = 120000, /* how long nothing may be done before the verb gives up, to be run again */
    PAUSE_FIRST_MS = 100,
    PAUSE_MOST_MS = 5000,
    PAUSE_ASKED_MOST_MS = 10000,
};

struct writer {
    struct bulk *bulk;
    struct clock_run *run;
    int64_t bytes_most, bytes;
    char **ids; /* of what is together, for what is refused */
    struct writer_counts counts;
};

struct writer *writer_new(struct client *c, int64_t bulk_bytes, struct clock_run *run)
{
    struct writer *w = xcalloc(1, sizeof *w);

    w->bulk = bulk_new(c, bulk_bytes);
    w->run = run;
    w->bytes_most = bulk_bytes;
    w->ids = xcalloc(TOGETHER_MOST, sizeof *w->ids);
    bulk_start(w->bulk);
    return w;
}

static void forget_ids(struct writer *w)
{
    for (size_t i = 0; i < TOGETHER_MOST; i++) {
        free(w->ids[i]);
        w->ids[i] = NULL;
    }
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    forget_ids(w);
    free(w->ids);
    bulk_free(w->bulk);
    free(w);
}

const struct writer_counts *writer_counts(const struct writer *w)
{
    return &w->counts;
}

bool writer_add(struct writer *w, const struct bulk_target *target, const char *document, size_t length,
                struct error *err)
{
    size_t number;

    buf_add(bulk_add(w->bulk, target, &number), document, length);
    w->ids[number] = xstrndup(target->id, target->id_length ? target->id_length : strlen(target->id));
    w->bytes += (int64_t)length;
    return (bulk_count(w->bulk) < TOGETHER_MOST && w->bytes < w->bytes_most) || writer_flush(w, err);
}

/* ------------------------------------------------------------------------------------------------- until it is done */

static size_t count_of(const struct writer *w, enum bulk_outcome outcome)
{
    size_t count = 0;

    for (size_t i = 0; i < bulk_count(w->bulk); i++)
        count += bulk_item(w->bulk, i)->outcome == outcome;
    return count;
}

static size_t left_to_do(const struct writer *w)
{
    return count_of(w, BULK_UNSENT) + count_of(w, BULK_BUSY);
}

static void pause_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static const char *first_reason(const struct writer *w, enum bulk_outcome outcome)
{
    for (size_t i = 0; i < bulk_count(w->bulk); i++)
        if (bulk_item(w->bulk, i)->outcome == outcome)
            return bulk_item(w->bulk, i)->reason;
    return "";
}

/* For as long as the server wants, where it says so and that is not too long. */
static int64_t asked_pause_ms(const struct writer *w, int64_t pause)
{
    int64_t asked = bulk_retry_after_ms(w->bulk);

    asked = asked < PAUSE_ASKED_MOST_MS ? asked : PAUSE_ASKED_MOST_MS;
    return asked > pause ? asked : pause;
}

/* Again and again, with growing pauses, until nothing was done for too long. */
static bool send_patiently(struct writer *w, struct error *err)
{
    int64_t pause = PAUSE_FIRST_MS, until_ms = clock_monotonic_ms() + PATIENCE_MS;
    size_t left = bulk_count(w->bulk);

    for (;;) {
        bool sent = bulk_send(w->bulk, err);

        if (sent && count_of(w, BULK_BUSY) == 0)
            return true;
        if (left_to_do(w) < left) {
            left = left_to_do(w);
            until_ms = clock_monotonic_ms() + PATIENCE_MS;
            pause = PAUSE_FIRST_MS;
        }
        if (clock_monotonic_ms() > until_ms)
            return sent ? error_set(err, ERROR_AGAIN, "OpenSearch is busy: %s", first_reason(w, BULK_BUSY)) : false;
        if (!w->run->may_go_on(w->run, err))
            return false;
        bulk_again(w->bulk);
        pause_ms(asked_pause_ms(w, pause));
        pause = 2 * pause < PAUSE_MOST_MS ? 2 * pause : PAUSE_MOST_MS;
    }
}

static void count_item(struct writer *w, const char *id, const struct bulk_item *item)
{
    w->counts.written += item->outcome == BULK_DONE;
    w->counts.superseded += item->outcome == BULK_SUPERSEDED;
    if (item->outcome != BULK_DEAD && item->outcome != BULK_CONFLICT)
        return;
    if (w->counts.refused++ == 0)
        snprintf(w->counts.refusal, sizeof w->counts.refusal, "%.100s: %.190s", id, item->reason);
}

bool writer_flush(struct writer *w, struct error *err)
{
    if (bulk_count(w->bulk) == 0)
        return true;
    if (!send_patiently(w, err))
        return false;
    if (count_of(w, BULK_PAUSED) > 0)
        return error_set(err, ERROR_AGAIN, "the index takes no writes: %s", first_reason(w, BULK_PAUSED));
    for (size_t i = 0; i < bulk_count(w->bulk); i++)
        count_item(w, w->ids[i], bulk_item(w->bulk, i));
    forget_ids(w);
    bulk_start(w->bulk);
    w->bytes = 0;
    return true;
}
