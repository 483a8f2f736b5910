#include "support/outbox_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "notifier/outbox/outbox_relay.h"

enum { PATIENCE_MS = 60000, LOOK_AGAIN_US = 5000, WORDS_MOST = 16 };

char *outbox_stage_verb(struct outbox_stage *s, int code, const char *const words[])
{
    const char *all[WORDS_MOST] = {"outbox", "--config", s->scene->config_path};
    char *out;
    int got;

    for (size_t i = 0; words[i]; i++)
        all[i + 3] = words[i];
    got = crier_run(&out, all);
    if (got != code)
        fail_msg("crier outbox %s: exit %d instead of %d: %s", words[0], got, code, out);
    return out;
}

static void make_tables(struct outbox_stage *s)
{
    char *sql = outbox_stage_verb(s, 0, (const char *const[]){"sql", "platform", NULL});

    postgres_do(s->link, "DROP TABLE IF EXISTS crier_outbox, crier_outbox_parked");
    postgres_do(s->link, sql);
    free(sql);
}

struct outbox_stage *outbox_stage_open(struct server *postgres, const char *ini)
{
    struct outbox_stage *s = xcalloc(1, sizeof *s);
    struct buf text = BUF_INIT;
    const char *word;

    for (; (word = strstr(ini, "POSTGRES")) != NULL; ini = word + strlen("POSTGRES")) {
        buf_add(&text, ini, (size_t)(word - ini));
        buf_add_text(&text, postgres_server_url(postgres));
    }
    buf_add_text(&text, ini);
    s->scene = scene_open(text.data);
    s->server = postgres;
    s->link = postgres_server_link(postgres);
    make_tables(s);
    buf_release(&text);
    return s;
}

void outbox_stage_close(struct outbox_stage *s)
{
    outbox_stage_halt(s);
    postgres_free(s->link);
    scene_close(s->scene);
    free(s);
}

void outbox_stage_relay(struct outbox_stage *s, size_t count)
{
    struct error err;

    s->stop = stop_new();
    for (size_t i = 0; i < count; i++)
        if (!(s->relays[i] = outbox_relays_start(s->scene->settings, s->stop, &err)))
            fail_msg("%s", err.text);
}

void outbox_stage_halt(struct outbox_stage *s)
{
    if (!s->stop)
        return;
    stop_raise(s->stop);
    for (size_t i = 0; i < OUTBOX_RELAYS_MOST; i++) {
        outbox_relays_join(s->relays[i]);
        s->relays[i] = NULL;
    }
    stop_free(s->stop);
    s->stop = NULL;
}

static int64_t patience(void)
{
    return clock_monotonic_ms() + PATIENCE_MS;
}

void outbox_stage_wait_trouble(struct outbox_stage *s, bool wanted)
{
    int64_t until_ms = patience();
    char why[600] = "";
    const char *name;

    while (outbox_relays_trouble(s->relays[0], 0, &name, why, sizeof why) && (why[0] != '\0') != wanted) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("outbox %s: %s", name, why[0] ? why : "goes on");
        usleep(LOOK_AGAIN_US);
    }
}

struct event *outbox_stage_events(struct outbox_stage *s, size_t count)
{
    int64_t until_ms = patience();
    const struct reply *entries;
    struct event *events;
    struct error err;

    while ((size_t)scene_redis(s->scene, "XLEN crier:{changes}:stream")->integer < count) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld events instead of %zu",
                     (long long)scene_redis(s->scene, "XLEN crier:{changes}:stream")->integer, count);
        usleep(LOOK_AGAIN_US);
    }
    entries = scene_redis(s->scene, "XRANGE crier:{changes}:stream - +");
    assert_int_equal(entries->count, count);
    events = arena_zero(s->scene->arena, (count + 1) * sizeof *events);
    for (size_t i = 0; i < count; i++)
        if (!event_from_fields(&events[i], &entries->items[i].items[1], &err))
            fail_msg("%s", err.text);
    return events;
}

void outbox_stage_wait_rows(struct outbox_stage *s, const char *table, int64_t wanted)
{
    int64_t until_ms = patience(), rows;
    char sql[200];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    while ((rows = postgres_number(s->link, sql)) != wanted) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s: %lld rows instead of %lld", table, (long long)rows, (long long)wanted);
        usleep(LOOK_AGAIN_US);
    }
}
