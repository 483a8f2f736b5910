#include "support/audit_search_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/audit/audit_page.h"
#include "support/search_index.h"
#include "support/work.h"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[queue q]\nevents = user.* record.*\n"
                          "[handler trail]\ntype = audit\nqueue = q\nFORM\n";

/* The day of November 2026 is the number in the id. */
static const struct {
    const char *id, *type, *subject, *actor, *data;
    int day;
} deeds[] = {
    {"e1", "user.created",     "users/1",   "users/1",     "{}",                         1},
    {"e2", "user.updated",     "users/1",   "users/2",     "{\"outcome\":\"failure\"}",  2},
    {"e3", "record.published", "records/1", "users/2",     "{}",                         3},
    {"e4", "record.deleted",   "records/1", "operators/2", "{}",                         4},
    {"e5", "record.published", "records/2", "users/3",     "{\"x\":\"\\u202e\\u001b\"}", 5},
};

static int open_with(void **state, const char *form, const char *mapping)
{
    char *text = scene_replaced(ini, "FORM", form), path[100];
    struct scene *s = *state = scene_open(text);

    free(text);
    snprintf(path, sizeof path, "/%sauditlog", s->settings->opensearch.prefix);
    if (mapping)
        json_decref(index_ask(s->settings, "PUT", path, mapping));
    for (size_t i = 0; i < ARRAY_LENGTH(deeds); i++) {
        struct event e = scene_event(s, deeds[i].type, deeds[i].id, deeds[i].subject, (int64_t)i, deeds[i].data);
        char *time = arena_printf(s->arena, "2026-11-%02dT10:00:00Z", deeds[i].day);

        e.actor = span_of(deeds[i].actor);
        e.time = span_of(time);
        assert_true(time_parse(time, strlen(time), false, &e.time_us));
        scene_append(s, &e, 1);
    }
    work_off(s, "trail");
    assert_int_equal(index_count(s->settings, "audit*"), ARRAY_LENGTH(deeds));
    return 0;
}

int audit_search_stage_open(void **state)
{
    return open_with(state, "", NULL);
}

int audit_search_stage_open_platform(void **state)
{
    return open_with(
        state, "form = invenio\nindex = auditlog",
        "{\"mappings\":{\"dynamic_templates\":[{\"s\":{\"match_mapping_type\":\"string\",\"mapping\":{\"type\":"
        "\"keyword\"}}}],\"properties\":{\"@timestamp\":{\"type\":\"date\"},\"metadata\":{\"type\":"
        "\"flat_object\"}}}}");
}

int audit_search_stage_close(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "audit*");
    scene_close(s);
    return 0;
}

int audit_search_stage_verb(struct scene *s, const char *const more[3], char **out)
{
    const char *arguments[] = {"audit", "search", "--config", s->config_path, "--json", more[0],
                               more[1], more[2],  NULL};

    return crier_run(out, arguments);
}

json_t *audit_search_stage_page(struct scene *s, const struct page_argument *arguments, size_t count,
                                const char *events, unsigned wanted)
{
    struct audit_page *page = audit_page_new(s->settings);
    struct caller caller = {.scopes = SCOPE_AUDIT_READ};
    struct page_request request = {
        .method = "GET", .rest = "", .arguments = arguments, .argument_count = count, .bytes = "", .caller = &caller};
    struct buf body = BUF_INIT;
    struct error err;
    json_t *answer;

    assert_non_null(page);
    snprintf(caller.events, sizeof caller.events, "%s", events);
    assert_int_equal(audit_page_answer(page, &request, &body), wanted);
    answer = json_text_parse(body.data, body.length, 64, &err);
    assert_non_null(answer);
    buf_release(&body);
    audit_page_free(page);
    return answer;
}

int audit_search_stage_open_tokens(void **state)
{
    return open_with(state, "[http]\nlisten = 127.0.0.1:0\naccess = tokens", NULL);
}
