/* What a history holds goes through chosen handlers once more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "notifier/intake.h"
#include "support/past.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[queue usage]\nevents = record-view user.*\nretain = 0s\n"
                          "[event record-view]\nprepare = visitor\nunique = data.recid visitor_id time/10s\n"
                          "[handler views]\ntype = statistics\nqueue = usage\nevents = record-view\n"
                          "index = views-{time:%Y-%m}\n"
                          "[handler past]\ntype = history\nqueue = usage\ndata = 2KiB\n"
                          "[handler trail]\ntype = audit\nqueue = usage\nindex = trail-{time:%Y-%m}\n";

static int setup(void **state)
{
    *state = scene_open(ini);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "views-*");
    index_delete(s->settings, "history-*");
    index_delete(s->settings, "trail-*");
    scene_close(s);
    return 0;
}

/* Views of 5 records by people of their own, on three days, in three operations. */
static void let_in(struct scene *s, int count)
{
    struct error err;
    struct intake *in = intake_new(s->settings, &err);
    struct buf line = BUF_INIT;
    const struct intake_result *results;

    assert_non_null(in);
    intake_start(in);
    for (int i = 0; i < count; i++) {
        buf_reset(&line);
        buf_printf(&line,
                   "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"r\",\"type\":\"record-view\",\"subject\":"
                   "\"records/%d\",\"operation\":\"op-%d\",\"time\":\"2026-1%d-0%dT10:00:0%dZ\",\"data\":{\"recid\":"
                   "\"%d\",\"size\":1.50,\"user_id\":\"u%d\"}}",
                   i, i % 5, i % 3, i % 2, 1 + i % 3, i % 10, i % 5, i);
        intake_add_text(in, line.data, line.length);
    }
    results = intake_send(in);
    for (int i = 0; i < count; i++)
        assert_int_equal(results[i].outcome, INTAKE_ACCEPTED);
    buf_release(&line);
    intake_free(in);
    work_off(s, "views");
    work_off(s, "past");
    assert_int_equal(index_count(s->settings, "history-*"), count);
}

/* So many documents of the history, as the handler writes them; few of them are of a second of their own. */
static void fill(struct scene *s, int count)
{
    struct buf lines = BUF_INIT;

    work_off(s, "past"); /* its template is there */
    for (int i = 0; i < count; i++)
        buf_printf(
            &lines,
            "{\"index\":{\"_index\":\"%shistory-2026-11\",\"_id\":\"u%05d\"}}\n"
            "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"r\",\"type\":\"record-view\",\"time\":"
            "\"2026-11-01T10:00:%02dZ\",\"crierunique\":\"u%05d\",\"crierlatest\":true,\"data\":{\"recid\":\"1\"}"
            "}\n",
            s->settings->opensearch.prefix, i, i, i / 1000, i);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
    assert_int_equal(index_count(s->settings, "history-*"), count);
}

static int replay(struct scene *s, const char *wanted, const char *const words[])
{
    const char *all[20] = {"replay"};

    for (size_t i = 0; words[i] && i < 18; i++)
        all[i + 1] = words[i];
    return past_crier(s, wanted, all);
}

#define REPLAY(wanted, ...) replay(s, wanted, (const char *const[]){__VA_ARGS__, NULL})

static int64_t stream_length(struct scene *s)
{
    return scene_redis(s, "XLEN crier:{usage}:stream")->integer;
}

static void documents_that_were_lost_are_there_again_byte_by_byte(void **state)
{
    struct scene *s = *state;
    char *before, *after;

    let_in(s, 40);
    before = index_dump(s->settings, "views-*");
    index_delete(s->settings, "views-*");
    scene_redis(s, "FLUSHALL"); /* with the salt of the day */
    assert_int_equal(REPLAY("40 events of the history selected; sent to views 40", "--handler", "views", "--history"),
                     0);
    work_off(s, "views");
    after = index_dump(s->settings, "views-*");
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void only_what_was_asked_for_is_sent(void **state)
{
    static const char *const asked[][3] = {
        {"--subject",   "records/1",  "sent to views 8" },
        {"--subject",   "records/",   "sent to views 40"},
        {"--subject",   "records/*",  "sent to views 40"},
        {"--type",      "user.*",     "sent to views 0" },
        {"--operation", "op-0",       "sent to views 14"},
        {"--id",        "7",          "sent to views 1" },
        {"--actor",     "users/1",    "sent to views 0" },
        {"--from",      "2026-11",    "sent to views 20"},
        {"--to",        "2026-10-01", "sent to views 7" },
    };
    struct scene *s = *state;
    int64_t length;

    let_in(s, 40);
    length = stream_length(s);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct buf would = BUF_INIT;

        buf_printf(&would, "would be %s", asked[i][2]);
        assert_int_equal(REPLAY(would.data, "--handler", "views", "--history", "--dry-run", asked[i][0], asked[i][1]),
                         0);
        assert_int_equal(stream_length(s), length);
        assert_int_equal(REPLAY(asked[i][2], "--handler", "views", "--history", asked[i][0], asked[i][1]), 0);
        length = stream_length(s);
        buf_release(&would);
    }
}

static void a_mistake_is_named(void **state)
{
    struct scene *s = *state;

    assert_int_equal(REPLAY("name of one handler", "--handler", "views", "--history", "past", "archive/"), 2);
    assert_int_equal(REPLAY("there is no handler", "--handler", "views", "--history", "post"), 2);
    assert_int_equal(REPLAY("go with --history", "--handler", "views", "--id", "7", "archive/"), 2);
    assert_int_equal(REPLAY("--history", "--handler", "views"), 2);
    assert_int_equal(REPLAY("subject needs", "--handler", "views", "--history", "--subject", ""), 2);
}

/* What was left out cannot be sent: it is named, and the others go. */
static void an_event_without_its_data_is_named_and_not_sent(void **state)
{
    struct scene *s = *state;
    char *filling = arena_zero(s->arena, 4000);
    struct event events[2] = {scene_event(s, "record-view", "short", "records/1", 1, "{\"recid\":\"1\"}"),
                              scene_event(s, "record-view", "long", "records/1", 1, NULL)};

    memset(filling, 'x', 3000);
    events[1].data = span_of(arena_printf(s->arena, "{\"recid\":\"%s\"}", filling));
    scene_append(s, events, 2);
    work_off(s, "past");
    index_count(s->settings, "history-*");
    assert_int_equal(REPLAY("long: its data was too long", "--handler", "views", "--history"), 3);
    assert_int_equal(REPLAY("sent to views 1; events left out 1", "--handler", "views", "--history"), 3);
}

enum { EVENTS = 6000, BATCH = 500 };

/* Once in the midst of it, and once where it came further; long before its end, at the rate below. */
static bool some_are_sent(struct scene *s)
{
    return stream_length(s) > BATCH;
}

static bool more_are_sent(struct scene *s)
{
    return stream_length(s) > 4 * BATCH;
}

static void killed_it_goes_on_where_it_was_and_no_event_is_missing(void **state)
{
    const char *const words[] = {"replay", "--handler", "views", "--rate", "600", "--resume", "--history", NULL};
    struct scene *s = *state;

    fill(s, EVENTS);
    past_crier_killed_when(s, some_are_sent, words);
    past_crier_killed_when(s, more_are_sent, words);
    assert_int_equal(REPLAY("sent to views", "--handler", "views", "--resume", "--history"), 0);
    assert_true(stream_length(s) >= EVENTS);
    assert_true(stream_length(s) <= EVENTS + 2 * BATCH + 3); /* an entry for the audit each time */
    work_off(s, "views");
    assert_int_equal(index_count(s->settings, "views-*"), EVENTS);
    assert_int_equal(REPLAY("sent to views 6000", "--handler", "views", "--resume", "--history"),
                     0); /* it was through */
}

#define WITH_HISTORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HISTORY(documents_that_were_lost_are_there_again_byte_by_byte),
        WITH_HISTORY(only_what_was_asked_for_is_sent),
        WITH_HISTORY(a_mistake_is_named),
        WITH_HISTORY(an_event_without_its_data_is_named_and_not_sent),
        WITH_HISTORY(killed_it_goes_on_where_it_was_and_no_event_is_missing),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
