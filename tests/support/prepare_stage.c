#include "support/prepare_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "notifier/prepare.h"
#include "support/server.h"

int prepare_stage_open(void **state)
{
    struct prepare_stage *f = xcalloc(1, sizeof *f);

    f->server = redis_server_start(NULL);
    assert_true(redis_address_parse(redis_server_url(f->server), &f->address, &f->err));
    f->redis = redis_new(&(struct redis_options){.address = &f->address, .timeout_ms = 2000});
    f->arena = arena_new();
    *state = f;
    return 0;
}

int prepare_stage_close(void **state)
{
    struct prepare_stage *f = *state;

    arena_free(f->arena);
    redis_free(f->redis);
    redis_address_release(&f->address);
    server_free(f->server);
    free(f);
    return 0;
}

struct event_settings prepare_section(const char *steps)
{
    static char none[] = "", type[] = "record-view", text[100];

    snprintf(text, sizeof text, "%s", steps);
    return (struct event_settings){.type = type,
                                   .prepare = text,
                                   .fields = none,
                                   .unique = none,
                                   .clicks = none,
                                   .robots_file = none,
                                   .robots_except_file = none,
                                   .machines_file = none,
                                   .country_file = none,
                                   .ignore_agents_file = none,
                                   .ignore_networks = none,
                                   .robots = LIST_DROP,
                                   .machines = LIST_FLAG};
}

struct prepare *prepare_by(struct prepare_stage *f, const struct event_settings *es)
{
    struct prepare *p = prepare_new(es, false, f->redis, &f->err);

    if (!p)
        fail_msg("%s", f->err.text);
    return p;
}

struct prepare *prepare_steps(struct prepare_stage *f, const char *steps)
{
    static struct event_settings es; /* lent to the preparation */

    es = prepare_section(steps);
    return prepare_by(f, &es);
}

struct event prepare_event_at(const char *time)
{
    struct event e = event_none;

    e.type = span_of("record-view");
    e.time = span_of(time);
    assert_true(time_parse(time, strlen(time), false, &e.time_us));
    return e;
}

json_t *prepare_data(struct prepare_stage *f, struct prepare *p, const char *time, const char *text)
{
    struct event e = prepare_event_at(time);
    json_t *data = json_loads(text, 0, NULL);
    enum prepared verdict;

    assert_non_null(data);
    verdict = prepare_apply(p, &e, data, &f->err);
    if (verdict == PREPARED_FAILED)
        fail_msg("%s", f->err.text);
    if (verdict == PREPARED_KEEP)
        return data;
    json_decref(data);
    return NULL;
}

enum prepared prepare_verdict(struct prepare_stage *f, struct prepare *p, const char *text)
{
    struct event e = prepare_event_at("2026-11-20T10:15:00Z");
    json_t *data = json_loads(text, 0, NULL);
    enum prepared verdict;

    assert_non_null(data);
    verdict = prepare_apply(p, &e, data, &f->err);
    json_decref(data);
    return verdict;
}

const char *prepare_after(struct prepare_stage *f, struct prepare *p, const char *time, const char *text)
{
    static struct buf out = BUF_INIT;
    json_t *data = prepare_data(f, p, time, text);

    buf_release(&out);
    assert_non_null(data);
    json_add_sorted(&out, data);
    json_decref(data);
    return out.data;
}

const char *prepare_today(void)
{
    static char text[TIME_TEXT_BYTES];

    return time_text(clock_wall_us() / DAY_US * DAY_US + 12 * 3600 * US_PER_SECOND, text);
}
