/* Who may look up the audit and what of it; whoever does is an entry of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/json.h"
#include "notifier/door_page.h"
#include "support/audit_search_stage.h"
#include "support/found_ids.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/serve_client.h"
#include "support/work.h"

static void what_a_token_may_not_see_is_left_out(void **state)
{
    json_t *answer = audit_search_stage_page(*state, NULL, 0, "user.*", 200);
    char *ids = found_ids(json_object_get(answer, "entries"));

    assert_string_equal(ids, "e2 e1 ");
    json_decref(answer);
    free(ids);
}

static void the_door_gives_the_page_to_whoever_may_read_the_audit(void **state)
{
    struct scene *s = *state;
    char *reader = serve_token(s->config_path, "audit:read", NULL),
         *other = serve_token(s->config_path, "stats:read emit events:read metrics:read", NULL);
    struct server *serve = crier_serve_start(s->config_path);
    struct buf body = BUF_INIT;

    serve_await_token(serve, reader);
    assert_int_equal(serve_get(serve, "/audit", NULL, &body), 401);
    assert_null(strstr(body.data, "e4"));
    assert_int_equal(serve_get(serve, "/audit", other, &body), 403);
    assert_null(strstr(body.data, "e4"));
    assert_int_equal(serve_get(serve, "/audit?action=record.*&resource=records%2F1", reader, &body), 200);
    assert_non_null(strstr(body.data, "\"id\":\"e4\""));
    assert_null(strstr(body.data, "\"id\":\"e5\""));
    assert_int_equal(serve_get(serve, "/audit?actr=users/1", reader, &body), 400);
    buf_release(&body);
    server_free(serve);
    free(reader);
    free(other);
}

/* The newest entry of a reading, as JSON; yours. A service that begins says other things meanwhile. */
static json_t *newest_reading(struct scene *s)
{
    struct page_argument arguments[] = {
        {"limit",  "1"                   },
        {"action", "crier.audit.searched"}
    };
    json_t *answer, *entry;

    work_off(s, "trail");
    index_count(s->settings, "audit*"); /* refreshes */
    answer = audit_search_stage_page(s, arguments, ARRAY_LENGTH(arguments), "", 200);
    entry = json_incref(json_array_get(json_object_get(answer, "entries"), 0));
    json_decref(answer);
    return entry;
}

static void assert_text_at(const json_t *entry, const char *path, const char *wanted)
{
    const json_t *value = json_at(entry, path);

    if (!json_is_string(value))
        fail_msg("no text at %s", path);
    assert_string_equal(json_string_value(value), wanted);
}

static void whoever_reads_the_audit_is_an_entry_of_it(void **state)
{
    struct scene *s = *state;
    char *reader = serve_token(s->config_path, "audit:read", NULL), *out;
    struct server *serve;
    struct buf body = BUF_INIT;
    json_t *entry;

    assert_int_equal(audit_search_stage_verb(s, (const char *const[]){"--outcome", "failure", NULL}, &out), 0);
    free(out);
    entry = newest_reading(s);
    assert_text_at(entry, "action", "crier.audit.searched");
    assert_text_at(entry, "outcome", "success");
    assert_text_at(entry, "actor.kind", "operators");
    assert_text_at(entry, "resource.id", "trail");
    assert_text_at(entry, "data.filters.outcome", "failure");
    assert_null(json_at(entry, "data.filters.from"));
    assert_true(text_starts(json_string_value(json_at(entry, "event.source")), "crier:"));
    json_decref(entry);
    serve = crier_serve_start(s->config_path);
    serve_await_token(serve, reader);
    assert_int_equal(serve_get(serve, "/audit?action=record.*&from=2026-11-03", reader, &body), 200);
    server_stop(serve);
    entry = newest_reading(s);
    server_free(serve);
    assert_text_at(entry, "action", "crier.audit.searched");
    assert_text_at(entry, "actor.kind", "tokens");
    assert_text_at(entry, "data.filters.action", "record.*");
    assert_text_at(entry, "data.filters.from", "2026-11-03T00:00:00Z");
    json_decref(entry);
    buf_release(&body);
    free(reader);
}

static void a_reading_that_cannot_be_recorded_shows_nothing(void **state)
{
    struct scene *s = *state;
    char *out;

    server_stop(s->redis_server);
    assert_int_equal(audit_search_stage_verb(s, (const char *const[3]){NULL}, &out), 69);
    assert_null(strstr(out, "record.published"));
    assert_non_null(strstr(out, "could not be recorded for the audit"));
    free(out);
    json_decref(audit_search_stage_page(s, NULL, 0, "", 503));
    server_restart(s->redis_server);
    redis_drop(s->redis);
    json_decref(audit_search_stage_page(s, NULL, 0, "", 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_token_may_not_see_is_left_out, audit_search_stage_open,
                                        audit_search_stage_close),
        cmocka_unit_test_setup_teardown(whoever_reads_the_audit_is_an_entry_of_it, audit_search_stage_open_tokens,
                                        audit_search_stage_close),
        cmocka_unit_test_setup_teardown(a_reading_that_cannot_be_recorded_shows_nothing, audit_search_stage_open,
                                        audit_search_stage_close),
        cmocka_unit_test_setup_teardown(the_door_gives_the_page_to_whoever_may_read_the_audit,
                                        audit_search_stage_open_tokens, audit_search_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
