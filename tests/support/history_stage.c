#include "support/history_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/history/history_page.h"
#include "support/search_index.h"
#include "support/work.h"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\naccess = tokens\n"
                          "[queue q]\nevents = **\n"
                          "[handler past]\ntype = history\nqueue = q\ndata = 1MiB\n";

const struct history_deed history_deeds[HISTORY_DEEDS] = {
    {"e1", "user.created",      "users/1",     "users/1",     "op-1", "2026-10-01T10:00:00Z",        "{}"                           },
    {"e2", "user.updated",      "users/1",     "users/2",     "op-2", "2026-11-02T10:00:00Z",        "{\"a\":{\"b\":[1,{\"c\":2}]}}"},
    {"e3", "record.published",  "records/1",   "users/2",     "op-2", "2026-11-03T10:00:00.123456Z",
     "{\"a\":\"text where it was an object\"}"                                                                                      },
    {"e4", "record.deleted",    "records/1",   "operators/2", "op-3", "2026-11-04T10:00:00Z",        ""                             },
    {"e5", "record.file.added", "records/2.a", "users/3",     "",     "2026-11-05T10:00:00Z",        "{\"x\":\"\\u202e\\u001b\"}"   },
};

struct event history_event(struct scene *s, size_t i)
{
    struct event e = scene_event(s, history_deeds[i].type, history_deeds[i].id, history_deeds[i].subject, (int64_t)i,
                                 history_deeds[i].data);

    e.actor = span_of(history_deeds[i].actor);
    e.operation = span_of(history_deeds[i].operation);
    e.time = span_of(history_deeds[i].time);
    e.unique = span_of(arena_printf(s->arena, "u%s", history_deeds[i].id));
    assert_true(time_parse(history_deeds[i].time, strlen(history_deeds[i].time), false, &e.time_us));
    return e;
}

int history_stage_open(void **state)
{
    struct scene *s = *state = scene_open(ini);

    for (size_t i = 0; i < ARRAY_LENGTH(history_deeds); i++) {
        struct event e = history_event(s, i);

        scene_append(s, &e, 1);
    }
    work_off(s, "past");
    assert_int_equal(index_count(s->settings, "history-*"), ARRAY_LENGTH(history_deeds));
    return 0;
}

int history_stage_close(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "history-*");
    scene_close(s);
    return 0;
}

int history_verb(struct scene *s, char **out, const char *one, const char *two, const char *three)
{
    return crier_run(out, (const char *const[]){"history", "--config", s->config_path, one, two, three, NULL});
}

json_t *history_ask(struct scene *s, const struct page_argument *arguments, size_t count, const char *events,
                    unsigned wanted)
{
    struct history_pages *pages = history_pages_new(s->settings);
    struct caller caller = {.scopes = SCOPE_EVENTS_READ};
    struct page_request request = {
        .method = "GET", .rest = "", .arguments = arguments, .argument_count = count, .bytes = "", .caller = &caller};
    struct buf body = BUF_INIT;
    struct error err;
    json_t *answer;

    assert_non_null(pages);
    snprintf(caller.events, sizeof caller.events, "%s", events);
    assert_int_equal(history_pages_answer(pages, &request, &body), wanted);
    answer = json_text_parse(body.data, body.length, 64, &err);
    assert_non_null(answer);
    buf_release(&body);
    history_pages_free(pages);
    return answer;
}
