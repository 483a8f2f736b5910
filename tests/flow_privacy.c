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
#include "support/scene.h"
#include "support/search_index.h"

static const char *const canaries[] = {"203.0.113.77", "CanaryAgent", "canary-user", "canary-session", "CanaryBot"};

static const char ini[] = "[service]\nlog = debug\n"
                          "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\n[audit]\nfile = audit.ndjson\n"
                          "[queue statistics]\nevents = record-view file-download\n"
                          "[event record-view]\nprepare = robots machines visitor\n"
                          "unique = data.recid visitor_id time/10s\n"
                          "[handler views]\ntype = statistics\nqueue = statistics\nschedule = every 100ms\n"
                          "index = events-stats-{type}-{time:%Y-%m}\n"
                          "[handler trail]\ntype = audit\nqueue = statistics\nschedule = every 100ms\n";

#define PERSON                                                                                                         \
    "\"ip_address\":\"203.0.113.77\",\"user_agent\":\"CanaryAgent/1.0\",\"user_id\":\"canary-user\","                  \
    "\"session_id\":\"canary-session\""

/* Good ones, one that is prepared by no section, robots, and ones that are refused with a reason. */
static const char events[] =
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"2026-11-01T10:00:01Z\","
    "\"data\":{\"recid\":\"a\"," PERSON "}}\n"
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
    struct http *http = http_new(&(struct http_options){.connect_ms = 2000, .timeout_ms = 10000});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;
    char url[200];

    snprintf(url, sizeof url, "http://127.0.0.1:%d/events", server_port(serve));
    if (!http_send(http, &(struct http_request){"POST", url, "application/x-ndjson", events, strlen(events)}, &reply,
                   &err))
        fail_msg("%s", err.text);
    assert_int_equal(reply.status, 202);
    look("the door's answer", reply.body.data, reply.body.length);
    buf_release(&reply.body);
    http_free(http);
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

    while (index_count(s->settings, "events-stats-*") < 2 || index_count(s->settings, "audit-*") < 2) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("not done in time");
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
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
    server_stop(serve);
    scene_redis(s, "BGREWRITEAOF");
    assert_int_equal(nftw(test_folder(), look_into, 16, FTW_PHYS), 0);
    assert_int_equal(nftw(server_folder(serve), look_into, 16, FTW_PHYS), 0);
    assert_int_equal(nftw(server_folder(s->redis_server), look_into, 16, FTW_PHYS), 0);
    assert_true(files >= 5); /* Redis's own, the logs, the audit file */
    index_delete(s->settings, "events-stats-*");
    index_delete(s->settings, "audit-*");
    server_free(serve);
    scene_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_address_agent_user_or_session_is_kept_anywhere),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
