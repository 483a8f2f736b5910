#include "bench/load.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "bench/measure.h"
#include "notifier/append.h"
#include "notifier/stream.h"

#define START_US (INT64_C(1793491200) * US_PER_SECOND) /* 2026-11-01 */

static int64_t event_time(int64_t n)
{
    return START_US + n * 1000003 % (20 * 86400 * US_PER_SECOND);
}

static struct span hex_id(const char *what, int64_t n, struct arena *arena)
{
    static _Thread_local struct digest *digest;
    char out[ID_TEXT_BYTES];

    if (!digest)
        digest = digest_new();
    digest_start(digest);
    digest_part(digest, what, strlen(what));
    digest_part(digest, (const char *)&n, sizeof n);
    digest_end_id(digest, out);
    return span_of(arena_text(arena, out));
}

void load_event(struct event *e, int64_t n, int64_t distinct, struct arena *arena)
{
    char time[TIME_TEXT_BYTES];
    int64_t key = n % distinct;

    *e = (struct event){.revision = REVISION_NONE, .latest_wins = true};
    e->subject = e->actor = e->operation = e->traceparent = e->only = SPAN_NONE;
    e->id = span_of(arena_printf(arena, "view-%lld", (long long)n));
    e->source = span_of("https://repository.example.org/records");
    e->type = span_of("record-view");
    e->time_us = event_time(key) + n / distinct * US_PER_SECOND;
    e->time = span_of(arena_text(arena, time_text(e->time_us, time)));
    e->unique = hex_id("unique", key, arena);
    e->data = span_of(arena_printf(
        arena,
        "{\"recid\":\"k3v%07lld\",\"parent_recid\":\"p3v%07lld\",\"referrer\":\"https://www.example.org/"
        "search?q=%lld\","
        "\"via_api\":false,\"is_robot\":false,\"is_machine\":false,\"country\":\"CH\",\"visitor_id\":\"%s\","
        "\"unique_session_id\":\"%s\"}",
        (long long)(key % 50000), (long long)(key % 40000), (long long)(key % 997),
        hex_id("visitor", key / 3, arena).text, hex_id("session", key / 2, arena).text));
}

void load_add_bulk(struct buf *out, const char *index, const struct event *e)
{
    buf_printf(out,
               "{\"index\":{\"_index\":\"%s\",\"_id\":\"%s\",\"version\":%lld,\"version_type\":\"external\"}}\n"
               "%.*s,\"timestamp\":\"%s\",\"unique_id\":\"%s\"}\n",
               index, e->unique.text, (long long)e->time_us, (int)e->data.length - 1, e->data.text, e->time.text,
               e->unique.text);
}

void load_add_raw(struct buf *out, int64_t n)
{
    char time[TIME_TEXT_BYTES];

    buf_printf(out,
               "{\"specversion\":\"1.0\",\"id\":\"raw-%lld\",\"source\":\"https://repository.example.org/records\","
               "\"type\":\"record-view\",\"time\":\"%s\",\"data\":{\"recid\":\"k3v%07lld\",\"parent_recid\":"
               "\"p3v%07lld\",\"referrer\":\"https://www.example.org/search?q=%lld\",\"via_api\":false,"
               "\"ip_address\":\"192.0.2.%lld\",\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64; rv:%lld.0) "
               "Gecko/20100101 Firefox/%lld.0\",\"session_id\":\"s%lld\"}}",
               (long long)n, time_text(event_time(n), time), (long long)(n % 50000), (long long)(n % 40000),
               (long long)(n % 997), (long long)(n % 250), (long long)(90 + n % 40), (long long)(90 + n % 40),
               (long long)(n / 3));
}

void load_append(const struct settings *s, struct redis *r, int64_t count, int64_t distinct)
{
    struct append *append = append_new(s, r);
    struct arena *arena = arena_new();
    struct event events[LOAD_TOGETHER];
    const struct event *list[LOAD_TOGETHER];
    enum append_outcome outcomes[LOAD_TOGETHER];
    struct error err;

    for (int64_t n = 0; n < count; n += LOAD_TOGETHER) {
        arena_reset(arena);
        for (int64_t i = 0; i < LOAD_TOGETHER; i++) {
            load_event(&events[i], n + i, distinct, arena);
            list[i] = &events[i];
        }
        if (!append_events(append, list, LOAD_TOGETHER, outcomes, &err))
            measure_failed("append", err.text);
    }
    arena_free(arena);
    append_free(append);
}

bool load_is_done(struct redis *r, const char *queue, struct arena *arena)
{
    struct queue_state state;
    struct error err;

    arena_reset(arena);
    if (!stream_state(r, queue, arena, &state, &err))
        measure_failed("stream state", err.text);
    return state.group_count == 1 && state.groups[0].waiting == 0 && state.groups[0].pending == 0;
}
