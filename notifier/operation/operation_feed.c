#include "notifier/operation/operation_feed.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"

enum { READ_WAIT_MS = 250, ENTRIES_MOST = 500, AWAY_MS = 250, LOOK_AT_ALL_MS = 1000 };

struct operation_feed {
    struct redis *redis;
    struct stop *stop;
    struct operation_waits *waits;
    struct operation_streams *streams;
    bool more;                  /* somebody who listens is behind */
    bool all;                   /* results of all events come by, more than are kept while we read */
    int64_t looked_ms;          /* when all who wait were looked at, whatever was heard */
    char last[RESULT_ID_BYTES]; /* the entry read last; "": none yet */
    pthread_t thread;
};

static void take_entry(struct operation_feed *f, const struct reply *entry)
{
    const struct reply *operation = reply_field(&entry->items[1], "o");

    snprintf(f->last, sizeof f->last, "%s", entry->items[0].text);
    if (operation)
        operation_waits_heard(f->waits, (struct span){operation->text, operation->length});
    operation_streams_take(f->streams, entry);
}

/* What was there before the start is nobody's news. */
static bool find_last(struct operation_feed *f, struct arena *arena, struct error *err)
{
    const struct reply *reply;

    if (*f->last)
        return true;
    if (!redis_do(f->redis, arena, &reply, err, "XREVRANGE " OPERATION_RESULTS " + - COUNT 1"))
        return false;
    snprintf(f->last, sizeof f->last, "%s", reply->count ? reply->items[0].items[0].text : "0-0");
    operation_streams_begin(f->streams, f->last);
    return true;
}

static bool read_on(struct operation_feed *f, struct arena *arena, struct error *err)
{
    const struct reply *reply;

    if (!find_last(f, arena, err) || !redis_do(f->redis, arena, &reply, err, "XREAD COUNT %d BLOCK %d STREAMS %s %s",
                                               ENTRIES_MOST, f->more ? 1 : READ_WAIT_MS, OPERATION_RESULTS, f->last))
        return false;
    if (reply->kind != REPLY_ARRAY || reply->count == 0)
        return true;
    for (size_t i = 0; i < reply->items[0].items[1].count; i++)
        take_entry(f, &reply->items[0].items[1].items[i]);
    return true;
}

/* Of many results some may be gone before they are read: nobody waits for those alone. */
static void look_at_all(struct operation_feed *f)
{
    int64_t now_ms = clock_monotonic_ms();

    if (!f->all || now_ms - f->looked_ms < LOOK_AT_ALL_MS)
        return;
    f->looked_ms = now_ms;
    operation_waits_heard(f->waits, SPAN_NONE);
}

static void *run(void *context)
{
    struct operation_feed *f = context;
    struct arena *arena = arena_new();
    struct error err;

    while (!stop_wanted(f->stop)) {
        arena_reset(arena);
        if (!read_on(f, arena, &err)) {
            operation_waits_heard(f->waits, SPAN_NONE); /* what came meanwhile may be lost to us */
            stop_sleep(f->stop, AWAY_MS);
        }
        look_at_all(f);
        operation_waits_look(f->waits, f->redis);
        f->more = operation_streams_look(f->streams, f->redis);
    }
    arena_free(arena);
    return NULL;
}

/* Where Redis can be asked, before anybody can listen: the first one misses nothing, either. */
static void begin(struct operation_feed *f)
{
    struct arena *arena = arena_new();
    struct error err;

    if (!find_last(f, arena, &err))
        log_debug("streams of results begin later: %s", err.text);
    arena_free(arena);
}

struct operation_feed *operation_feed_start(const struct settings *s, const struct searchable *searchable)
{
    struct operation_feed *f = xcalloc(1, sizeof *f);

    f->redis = settings_redis(s);
    f->all = s->http.results == RESULTS_ALL;
    f->stop = stop_new();
    f->waits = operation_waits_new(searchable);
    f->streams = operation_streams_new((size_t)s->http.streams);
    begin(f);
    pthread_create(&f->thread, NULL, run, f);
    return f;
}

bool operation_feed_wait(struct operation_feed *f, struct operation_wait *w)
{
    return operation_waits_give(f->waits, w);
}

struct MHD_Response *operation_feed_listen(struct operation_feed *f, const struct listen *what, unsigned *status,
                                           struct error *err)
{
    return operation_streams_open(f->streams, what, status, err);
}

void operation_feed_close(struct operation_feed *f)
{
    if (!f)
        return;
    operation_streams_close(f->streams);
    operation_waits_close(f->waits);
}

void operation_feed_join(struct operation_feed *f)
{
    if (!f)
        return;
    operation_feed_close(f);
    stop_raise(f->stop);
    pthread_join(f->thread, NULL);
    operation_waits_free(f->waits);
    operation_streams_free(f->streams);
    redis_free(f->redis);
    stop_free(f->stop);
    free(f);
}
