/* Results in a real browser: a page's EventSource over a kill of crier, and pages that may not listen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "notifier/operation/operations.h"
#include "support/browser.h"
#include "support/browser_site.h"
#include "support/post_server.h"
#include "support/scene.h"
#include "support/serve_client.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000 };

struct stage {
    struct scene *scene;
    struct server *serve, *other; /* the one that is killed; one more that works meanwhile */
    struct site listed, unlisted; /* the first one's pages may ask crier */
    struct browser *browser;
};

/* One message after the other, so that they come in their order. %s: what listens, and where crier is. */
static const char page[] =
    "<!doctype html><title>results</title><script>\n"
    "let line = Promise.resolve();\n"
    "const tell = (path, text) => { line = line.then(() => fetch(path, {method: 'POST', body: text})); };\n"
    "const hear = (id, data) => tell('/message', id + ' ' + data);\n"
    "%s\n"
    "</script>\n";

static const char by_event_source[] = "const source = new EventSource('%s/stream');\n"
                                      "source.onopen = () => tell('/opened', '');\n"
                                      "source.onerror = () => tell('/error', String(source.readyState));\n"
                                      "source.onmessage = m => hear(m.lastEventId, m.data);\n"
                                      "source.addEventListener('gap', m => tell('/gap', m.data));\n";

/* What EventSource cannot: send a token. */
static const char by_fetch[] = "(async () => {\n"
                               "  const answer = await fetch('%s/stream', {headers: {Authorization: 'Bearer %s'}});\n"
                               "  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();\n"
                               "  await tell('/opened', '');\n"
                               "  for (let text = '', piece; !(piece = await reader.read()).done;) {\n"
                               "    const parts = (text + piece.value).split('\\n\\n');\n"
                               "    text = parts.pop();\n"
                               "    for (const part of parts) {\n"
                               "      const m = part.match(/^id: (.*)\\ndata: (.*)$/);\n"
                               "      if (m) hear(m[1], m[2]);\n"
                               "    }\n"
                               "  }\n"
                               "})();\n";

/* ------------------------------------------------------------------------------------------------------- pages */

static void until(struct stage *s, struct site *site, bool (*question)(const struct site *site, size_t n), size_t n,
                  const char *what)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    bool so = false;

    while (!so) {
        post_server_lock(site->server);
        so = question(site, n);
        post_server_unlock(site->server);
        if (!so && clock_monotonic_ms() > until_ms) {
            browser_print_log(s->browser);
            fail_msg("%s: %zu messages, %zu connections, %zu lost", what, site->count, site->opened, site->lost);
        }
        nanosleep(&(struct timespec){.tv_nsec = so ? 0 : 10000000}, NULL);
    }
}

/* ------------------------------------------------------------------------------------------------------- crier */

/* The same once more, with a port and a file of its own. */
static struct server *start_other(struct stage *s)
{
    struct buf text = BUF_INIT;
    struct error err;
    char path[320], *own;

    if (!file_read(s->scene->config_path, 65536, &text, &err))
        fail_msg("%s", err.text);
    own = scene_replaced(text.data, "listened.ndjson", "other.ndjson");
    snprintf(path, sizeof path, "%s.other", s->scene->config_path);
    if (!file_replace(path, 0644, own, strlen(own), &err))
        fail_msg("%s", err.text);
    free(own);
    buf_release(&text);
    return crier_serve_start(path);
}

static void open_stage(void **state, const char *access)
{
    struct stage *s = xcalloc(1, sizeof *s);
    char ini[900];

    site_open(&s->listed);
    site_open(&s->unlisted);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\norigins = %s\naccess = %s\n"
             "[audit]\nfile = %s/listened.ndjson\n[queue changes]\nevents = user.*\n"
             "[handler trail]\ntype = audit\nqueue = changes\nindex =\nschedule = at once\n",
             post_server_url(s->listed.server), access, test_folder());
    s->scene = scene_open(ini);
    s->other = start_other(s);
    s->serve = crier_serve_start(s->scene->config_path);
    *state = s;
}

static int setup(void **state)
{
    open_stage(state, "loopback");
    return 0;
}

static int setup_tokens(void **state)
{
    open_stage(state, "tokens");
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;

    browser_close(s->browser);
    server_free(s->serve);
    server_free(s->other);
    scene_close(s->scene);
    site_close(&s->listed);
    site_close(&s->unlisted);
    free(s);
    return 0;
}

/* Opens the page whose script is a format of crier's address and a token. */
static void browse(struct stage *s, struct site *site, const char *script, const char *token)
{
    struct buf filled = BUF_INIT;
    char url[80], crier[60];
    char *with_crier, *with_token;

    snprintf(crier, sizeof crier, "http://127.0.0.1:%d", server_port(s->serve));
    with_crier = scene_replaced(script, "%s/stream", "CRIER/stream");
    with_token = scene_replaced(with_crier, "%s", token);
    free(with_crier);
    with_crier = scene_replaced(with_token, "CRIER", crier);
    buf_printf(&filled, page, with_crier);
    post_server_lock(site->server);
    buf_reset(&site->page);
    buf_add(&site->page, filled.data, filled.length);
    post_server_unlock(site->server);
    snprintf(url, sizeof url, "%s/", post_server_url(site->server));
    s->browser = browser_open(url);
    free(with_crier);
    free(with_token);
    buf_release(&filled);
}

/* Into Redis, also while the service is away. */
static void emit(struct stage *s, int from, int count, const char *operation)
{
    char path[320], *said;
    const char *words[] = {"emit", "--config", s->scene->config_path, path, NULL};
    FILE *file;

    snprintf(path, sizeof path, "%s/browser.ndjson", test_folder());
    file = fopen(path, "we");
    assert_non_null(file);
    for (int i = from; i < from + count; i++)
        fprintf(file,
                "{\"specversion\":\"1.0\",\"id\":\"e%d\",\"source\":\"/s\",\"type\":\"user.updated\","
                "\"subject\":\"users/%d\",\"operation\":\"%s\"}\n",
                i, i, operation);
    fclose(file);
    if (crier_run(&said, words) != 0)
        fail_msg("%s", said);
    free(said);
}

static bool there_is_a_result_of(struct stage *s, int event)
{
    const struct reply *newest = scene_redis(s->scene, "XREVRANGE %s + - COUNT 50", OPERATION_RESULTS);
    char name[40];
    bool found = false;

    snprintf(name, sizeof name, "\"event\":\"e%d\"", event);
    for (size_t i = 0; i < newest->count && !found; i++)
        found = strstr(reply_field_text(&newest->items[i].items[1], "v"), name) != NULL;
    return found;
}

static void until_done(struct stage *s, int event)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (event < 0 ? !work_is_done(s->scene, "changes") : !there_is_a_result_of(s, event)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("not all is done");
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

/* ---------------------------------------------------------------------------------------------------- the tests */

static void assert_heard_as_in_redis(struct stage *s, const struct reply *entries, int events)
{
    struct site *site = &s->listed;

    post_server_lock(site->server);
    assert_int_equal(site->count, entries->count);
    for (size_t i = 0; i < site->count; i++)
        assert_string_equal(site->ids[i], entries->items[i].items[0].text);
    for (int i = 0; i < events; i++) {
        char name[40];

        snprintf(name, sizeof name, "\"event\":\"e%d\"", i);
        if (!strstr(site->heard.data, name))
            fail_msg("nothing was heard of e%d", i);
    }
    assert_false(site->gap);
    post_server_unlock(site->server);
}

/* What comes while it is away another process works off: only Last-Event-ID brings it to the page. */
static void a_page_hears_each_result_once_over_a_kill_of_crier(void **state)
{
    enum { ROUNDS = 2, EVENTS = 40 };
    struct stage *s = *state;
    struct site *site = &s->listed;
    const struct reply *entries;

    browse(s, site, by_event_source, "");
    until(s, site, site_has_opened, 1, "a browser that listens");
    for (int i = 0, at = 0; i < ROUNDS; i++, at += 2 * EVENTS) {
        emit(s, at, EVENTS, "op-1");
        until(s, site, site_has_heard, (size_t)at + 1, "a first result");
        server_kill(s->serve);
        until(s, site, site_has_lost, (size_t)i + 1, "a browser that lost crier");
        emit(s, at + EVENTS, EVENTS, "op-2");
        until_done(s, at + 2 * EVENTS - 1);
        server_restart(s->serve);
        until(s, site, site_has_opened, (size_t)i + 2, "a browser that came back");
    }
    until_done(s, -1);
    entries = scene_redis(s->scene, "XRANGE %s - +", OPERATION_RESULTS);
    until(s, site, site_has_heard, entries->count, "all results");
    assert_heard_as_in_redis(s, entries, 2 * ROUNDS * EVENTS);
}

static void a_page_of_another_origin_hears_nothing(void **state)
{
    struct stage *s = *state;
    struct site *site = &s->unlisted;

    browse(s, site, by_event_source, "");
    until(s, site, site_is_closed, 0, "a browser that was sent away");
    emit(s, 0, 3, "op-1");
    until_done(s, 2);
    post_server_lock(site->server);
    assert_int_equal(site->opened, 0);
    assert_int_equal(site->count, 0);
    post_server_unlock(site->server);
}

static char *token_to_read(struct stage *s)
{
    const char *words[] = {"tokens", "--config", s->scene->config_path, "create",
                           "page",   "--scope",  "events:read",         NULL};
    char *token;

    assert_int_equal(crier_run(&token, words), 0);
    token[strcspn(token, "\n")] = '\0';
    return token;
}

static void a_page_listens_with_its_token_by_fetch(void **state)
{
    struct stage *s = *state;
    struct site *site = &s->listed;
    char *token = token_to_read(s);

    serve_await_token(s->serve, token);
    browse(s, site, by_fetch, token);
    until(s, site, site_has_opened, 1, "a page with a token");
    emit(s, 0, 3, "op-1");
    until(s, site, site_has_heard, 3, "three results");
    free(token);
}

/* It cannot send one. */
static void an_event_source_hears_nothing_where_a_token_is_needed(void **state)
{
    struct stage *s = *state;

    browse(s, &s->listed, by_event_source, "");
    until(s, &s->listed, site_is_closed, 0, "a browser that was sent away");
    assert_int_equal(s->listed.opened, 0);
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_hears_each_result_once_over_a_kill_of_crier, setup),
        TEST(a_page_of_another_origin_hears_nothing, setup),
        TEST(a_page_listens_with_its_token_by_fetch, setup_tokens),
        TEST(an_event_source_hears_nothing_where_a_token_is_needed, setup_tokens),
    };

    http_global_init();
    return browser_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
