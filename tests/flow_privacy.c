/* What a visitor is known by ends at the door: canaries go in, and nothing that remains anywhere holds one. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "notifier/envelope.h"
#include "notifier/intake.h"
#include "support/pause.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/serve_client.h"

static const char *const canaries[] = {"203.0.113.77", "CanaryAgent", "canary-user", "canary-session", "CanaryBot"};

static const char ini[] = "[service]\nlog = debug\n"
                          "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\n[audit]\nfile = audit.ndjson\n"
                          "[queue statistics]\nevents = record-view file-download\n"
                          "[event record-view]\nprepare = ignore robots machines country visitor timestamp\n"
                          "agent_class = yes\nignore_networks = 198.51.100.0/24\n"
                          "unique = data.recid visitor_id time/10s\n"
                          "[handler views]\ntype = statistics\nqueue = statistics\nschedule = every 100ms\n"
                          "index = events-stats-{type}-{time:%Y-%m}\n"
                          "[handler past]\ntype = history\nqueue = statistics\nschedule = every 100ms\n"
                          "[handler trail]\ntype = audit\nqueue = statistics\nschedule = every 100ms\n";

#define PERSON                                                                                                         \
    "\"ip_address\":\"203.0.113.77\",\"user_agent\":\"Mozilla/5.0 (Linux; CanaryAgent; CanaryAgent Build/1) "          \
    "Safari/1.0\",\"user_id\":\"canary-user\","                                                                        \
    "\"session_id\":\"canary-session\""

/* Good ones, one that is prepared by no section, robots, and ones that are refused with a reason. */
static const char events[] =
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"2026-11-01T10:00:01Z\","
    "\"actor\":\"users/canary-user\",\"data\":{\"recid\":\"a\"," PERSON "}}\n"
    "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"r\",\"type\":\"file-download\",\"time\":\"2026-11-01T10:00:"
    "01Z\","
    "\"data\":{\"recid\":\"a\"," PERSON "}}\n"
    "{\"specversion\":\"1.0\",\"id\":\"3\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"2026-11-01T10:00:01Z\","
    "\"data\":{\"recid\":\"a\",\"user_agent\":\"CanaryBot spider\",\"ip_address\":\"203.0.113.77\"}}\n"
    "{\"specversion\":\"1.0\",\"id\":\"4\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"never\","
    "\"data\":{\"recid\":\"a\"," PERSON "}}\n"
    "{\"specversion\":\"1.0\",\"id\":\"5\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"2026-11-01T10:00:01Z\","
    "\"data\":{" PERSON "}}\n"
    "{\"specversion\":\"1.0\",\"id\":\"6\",\"source\":\"r\",\"type\":\"record-view\",\"data\":{" PERSON "}";

static int files; /* looked into */

static void look(const char *where, const char *bytes, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(canaries); i++)
        if (memmem(bytes, length, canaries[i], strlen(canaries[i])))
            fail_msg("%s holds %s", where, canaries[i]);
}

static int look_into(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    struct buf text = BUF_INIT;
    struct error err;

    (void)walk;
    (void)status;
    if (kind == FTW_F && !strstr(path, "sent.ndjson") && file_read(path, 64 * 1024 * 1024, &text, &err)) {
        files++;
        look(path, text.data, text.length);
    }
    buf_release(&text);
    return 0;
}

static void post(struct server *serve)
{
    const struct serve_request request = {
        .method = "POST", .path = "/events", .content_type = "application/x-ndjson", .body = events};
    struct buf answer = BUF_INIT;

    assert_int_equal(serve_ask(serve, &request, &answer), 202);
    look("the door's answer", answer.data, answer.length);
    buf_release(&answer);
}

static void emit(const struct scene *s)
{
    char path[300], *out = NULL;
    FILE *file;

    snprintf(path, sizeof path, "%s/sent.ndjson", test_folder());
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(events, file);
    fclose(file);
    assert_int_equal(crier_run(&out, (const char *const[]){"emit", "--config", s->config_path, path, NULL}), 3);
    look("what emit says", out, strlen(out));
    free(out);
}

static void wait_until_done(struct scene *s)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (index_count(s->settings, "events-stats-*") < 2 || index_count(s->settings, "audit-*") < 2 ||
           index_count(s->settings, "history-*") < 2) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("not done in time");
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
}

/* The service itself has it done when it makes a day's salt, and Redis does one after the other. */
static void rewrite_file(struct scene *s)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (!strstr(scene_redis(s, "INFO persistence")->text, "aof_rewrite_in_progress:0")) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(20);
    }
    scene_redis(s, "BGREWRITEAOF");
}

static void no_address_agent_user_or_session_is_kept_anywhere(void **state)
{
    struct scene *s = scene_open(ini);
    struct server *serve = crier_serve_start(s->config_path);
    char *documents;

    (void)state;
    post(serve);
    emit(s);
    wait_until_done(s);
    documents = index_dump(s->settings, "events-stats-*");
    assert_non_null(strstr(documents, "visitor_id"));
    look("an event's document", documents, strlen(documents));
    free(documents);
    documents = index_dump(s->settings, "audit-*");
    look("an audit entry", documents, strlen(documents));
    free(documents);
    documents = index_dump(s->settings, "history-*");
    assert_non_null(strstr(documents, "visitor_id"));
    look("an event of the history", documents, strlen(documents));
    free(documents);
    server_stop(serve);
    rewrite_file(s);
    assert_int_equal(nftw(test_folder(), look_into, 16, FTW_PHYS), 0);
    assert_int_equal(nftw(server_folder(serve), look_into, 16, FTW_PHYS), 0);
    assert_int_equal(nftw(server_folder(s->redis_server), look_into, 16, FTW_PHYS), 0);
    assert_true(files >= 5); /* Redis's own, the logs, the audit file */
    index_delete(s->settings, "events-stats-*");
    index_delete(s->settings, "audit-*");
    index_delete(s->settings, "history-*");
    server_free(serve);
    scene_close(s);
}

/* ------------------------------------------------------------------------------------- ids that nobody can undo */

static const char nameless[] =
    "{\"event_type\":\"record-view\",\"payload\":{\"recid\":\"a\",\"timestamp\":\"2026-11-01T10:00:01\"," PERSON "}}";

static enum intake_outcome take(struct intake *in, char id[80])
{
    const struct intake_result *result;

    intake_start(in);
    intake_add_text(in, nameless, strlen(nameless));
    result = intake_send(in);
    snprintf(id, 80, "%s", result->id);
    return result->outcome;
}

/* What somebody who guesses the address, agent, user and session would try. */
static void digest_of_guess(char id[ID_TEXT_BYTES])
{
    struct error err = ERROR_INIT;
    json_t *object = json_text_parse(nameless, strlen(nameless), JSON_DEPTH_DEFAULT, &err);
    struct event e = event_none;
    struct arena *arena = arena_new();

    e.type = span_of("record-view");
    envelope_name(&e, json_object_get(object, "payload"), NULL, arena);
    memcpy(id, e.id.text, ID_TEXT_BYTES);
    arena_free(arena);
    json_decref(object);
}

static void an_id_made_of_a_persons_data_is_the_same_again_and_tells_nothing(void **state)
{
    struct scene *s = scene_open(ini);
    struct error err = ERROR_INIT;
    struct intake *in = intake_new(s->settings, &err), *other = intake_new(s->settings, &err);
    char first[80], again[80], anew[80], guess[ID_TEXT_BYTES];

    (void)state;
    assert_int_equal(take(in, first), INTAKE_ACCEPTED);
    assert_int_equal(take(other, again), INTAKE_DUPLICATE);
    assert_int_equal(strlen(first), ID_TEXT_BYTES - 1);
    assert_string_equal(first, again);
    digest_of_guess(guess);
    assert_string_not_equal(first, guess);
    intake_free(in);
    intake_free(other);
    scene_redis(s, "DEL crier:{salt}:2026-11-01"); /* as after 48 h */
    in = intake_new(s->settings, &err);
    take(in, anew);
    assert_string_not_equal(first, anew);
    intake_free(in);
    scene_close(s);
}

/* The clicks of one visitor on one thing have one digest in the stream, and each its own unique id. */
static void a_click_by_cop51_is_marked_in_the_stream(void **state)
{
    struct scene *s = scene_open("[redis]\nurl = REDIS\n[queue q]\nevents = record-view\n"
                                 "[event record-view]\nprepare = visitor\nunique = data.recid visitor_id\n"
                                 "clicks = cop51\n");
    struct error err = ERROR_INIT;
    struct intake *in = intake_new(s->settings, &err);
    const struct reply *entries;
    struct event first, second;

    (void)state;
    intake_start(in);
    for (int i = 0; i < 2; i++) {
        char text[400];

        snprintf(text, sizeof text,
                 "{\"event_type\":\"record-view\",\"id\":\"%d\",\"time\":\"2026-11-01T10:00:0%dZ\","
                 "\"payload\":{\"recid\":\"a\",\"user_id\":1}}",
                 i, i);
        intake_add_text(in, text, strlen(text));
    }
    assert_int_equal(intake_send(in)[1].outcome, INTAKE_ACCEPTED);
    entries = scene_redis(s, "XRANGE crier:{q}:stream - +");
    assert_int_equal(entries->count, 2);
    assert_true(event_from_fields(&first, &entries->items[0].items[1], &err));
    assert_true(event_from_fields(&second, &entries->items[1].items[1], &err));
    assert_int_equal(first.click.length, ID_TEXT_BYTES - 1);
    assert_string_equal(first.click.text, second.click.text);
    assert_string_not_equal(first.unique.text, second.unique.text);
    assert_false(first.latest_wins);
    intake_free(in);
    scene_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_address_agent_user_or_session_is_kept_anywhere),
        cmocka_unit_test(an_id_made_of_a_persons_data_is_the_same_again_and_tells_nothing),
        cmocka_unit_test(a_click_by_cop51_is_marked_in_the_stream),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
