#include "support/service_stage.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "support/canary.h"
#include "support/mail_server.h"
#include "support/past.h"
#include "support/process.h"
#include "support/search_index.h"
#include "support/serve_client.h"

enum { WORDS_MOST = 24, PATIENCE_MS = 60000, USERS = 3, THINGS = 200 };

static const char ini[] =
    "[queue q]\nevents = user.* record.* old.*\n"
    "[handler trail]\ntype = audit\nqueue = q\nindex = audit-{time:%Y-%m}\n"
    "[handler keeper]\ntype = retain\nqueue = q\nof = trail\nschedule = every 24h\nretain = 20d\n"
    "[handler past]\ntype = history\nqueue = q\nindex = past-{time:%Y-%m}\n"
    "[handler forgetter]\ntype = retain\nqueue = q\nof = past\nschedule = every 24h\nretain = 20d\n"
    "[handler users]\ntype = webhook\nqueue = q\nevents = record.published\nhttp = yes\nports = HOOK\n"
    "allow = 127.0.0.0/8\nschedule = every 100ms\n"
    "[handler hook]\ntype = webhook\nqueue = q\nevents = record.refused\nhttp = yes\nports = HOOK\n"
    "allow = 127.0.0.0/8\nschedule = every 100ms\nurl = http://127.0.0.1:HOOK/\nsecret = whsec_" CANARY CANARY CANARY
    "\n"
    "[handler mails]\ntype = mail\nqueue = q\nevents = user.told\nserver = SMTP\ntls = none\nfrom = a@example.org\n"
    "templates = FOLDER\nto = data.to\nschedule = every 100ms\n"
    "[handler members]\ntype = denormalize\nqueue = q\nevents = user.updated\nindex = members\nmatch = user.id\n"
    "copy = user.name<-data.full_name\nrevision = user.@v\nrevision_format = uuid\nsecond_look = 0s\n"
    "[source users]\ntype = index\nindex = users\nversion = revision\n"
    "[handler care]\ntype = reconcile\nqueue = q\nschedule = every 24h\nof = members\nsource = users\n"
    "[outbox platform]\nurl = POSTGRES\npoll = 200ms\n"
    "[url page]\npattern = ^/records/(?<recid>[0-9]+)$\nevent = record-view\n";

static char *replace(char *text, const char *word, const char *by)
{
    char *replaced = scene_replaced(text, word, by);

    free(text);
    return replaced;
}

static void put_template(const char *folder, const char *name)
{
    char path[500];
    struct error err;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!file_replace(path, 0644, "Subject: News\n\nHello.\n", 22, &err))
        fail_msg("%s", err.text);
}

static char *fill_in(struct service_stage *s)
{
    char *text = xstrdup(ini), folder[300], port[10];

    folder_make("templates", folder, sizeof folder);
    put_template(folder, "user.told.en.txt");
    snprintf(port, sizeof port, "%d", hook_server_port(s->target));
    text = replace(text, "HOOK", port);
    text = replace(text, "SMTP", mail_server_url(s->mail_server));
    text = replace(text, "FOLDER", folder);
    return replace(text, "POSTGRES", postgres_server_url(s->postgres_server));
}

/* Members whose copies of users are behind, and an index of things to be filled anew. */
static void load(struct service_stage *s)
{
    const char *prefix = s->scene->settings->opensearch.prefix;
    struct buf lines = BUF_INIT;

    for (int i = 0; i < USERS; i++)
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%susers\",\"_id\":\"%d\"}}\n{\"full_name\":\"User %d\",\"revision\":7}\n"
                   "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m%d\",\"version\":5,\"version_type\":"
                   "\"external_gte\"}}\n{\"user\":{\"id\":\"%d\",\"name\":\"Old\",\"@v\":\"%d::6\"}}\n",
                   prefix, i, i, prefix, i, i, i);
    for (int i = 0; i < THINGS; i++)
        buf_printf(&lines, "{\"index\":{\"_index\":\"%sthings-1\",\"_id\":\"t%d\"}}\n{\"n\":%d}\n", prefix, i, i);
    index_bulk(s->scene->settings, lines.data);
    json_decref(index_ask(s->scene->settings, "POST", arena_printf(s->scene->arena, "/%s*/_refresh", prefix), NULL));
    buf_release(&lines);
}

static void make_indices(struct service_stage *s)
{
    const char *prefix = s->scene->settings->opensearch.prefix;

    json_decref(index_ask(s->scene->settings, "PUT", arena_printf(s->scene->arena, "/%smembers", prefix),
                          "{\"mappings\":{\"properties\":{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},"
                          "\"name\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"keyword\"}}}}}}"));
    json_decref(
        index_ask(s->scene->settings, "PUT", arena_printf(s->scene->arena, "/%sthings-1", prefix),
                  arena_printf(s->scene->arena, "{\"aliases\":{\"%sthings\":{\"is_write_index\":true}}}", prefix)));
    load(s);
}

static void make_token(struct service_stage *s)
{
    const char *said = SAY(s, 0, "tokens", "create", "somebody", "--scope", "admin", "--json");
    struct error err;
    json_t *answer = json_text_parse(said, strcspn(said, "\n"), 4, &err);

    if (!answer)
        fail_msg("%s: %s", said, err.text);
    snprintf(s->token, sizeof s->token, "%s", json_member_text(answer, "token", ""));
    snprintf(s->token_id, sizeof s->token_id, "%s", json_member_text(answer, "id", ""));
    json_decref(answer);
}

struct service_stage *service_stage_open(void)
{
    struct service_stage *s = xcalloc(1, sizeof *s);
    void *report = NULL;
    char *text, *all;

    s->target = hook_server_start("127.0.0.1");
    s->postgres_server = postgres_server_start();
    s->mail_server = mail_server_start(&(struct mail_server_options){.tls = false});
    text = fill_in(s);
    all = xmalloc(strlen(past_ini) + strlen(text) + 1);
    strcpy(all, past_ini);
    strcat(all, text);
    all = replace(all, "127.0.0.1:0", "127.0.0.1:0\naccess = tokens");
    all = replace(all, "unique = data.unique_id", "unique = data.recid");
    all = replace(all, "clicks = cop51", "clicks = cop51\nprepare = robots visitor\nrobots = flag\nagent_class = yes");
    s->scene = scene_open(all);
    s->link = postgres_server_link(s->postgres_server);
    postgres_do(s->link, SAY(s, 0, "outbox", "sql", "platform"));
    past_load(s->scene, 30);
    make_indices(s);
    make_token(s);
    report_stage_open(&report);
    s->report = report;
    free(text);
    free(all);
    return s;
}

void service_stage_close(struct service_stage *s)
{
    void *report = s->report;

    service_stage_halt(s);
    index_delete(s->scene->settings, "audit-*");
    index_delete(s->scene->settings, "past-*");
    index_delete(s->scene->settings, "things-*");
    index_delete(s->scene->settings, "members");
    index_delete(s->scene->settings, "users");
    past_lose(s->scene);
    report_stage_close(&report);
    postgres_free(s->link);
    scene_close(s->scene);
    server_free(s->postgres_server);
    server_free(s->mail_server);
    hook_server_free(s->target);
    free(s);
}

/* ------------------------------------------------------------------------------------------------------- verbs */

static void call(const struct service_stage *s, const char *const words[], const char *all[WORDS_MOST])
{
    size_t count = 0;

    all[count++] = words[0];
    all[count++] = "--config";
    all[count++] = s->scene->config_path;
    for (size_t i = 1; words[i] && count < WORDS_MOST - 1; i++)
        all[count++] = words[i];
    all[count] = NULL;
}

const char *service_stage_say(struct service_stage *s, int code, const char *const words[])
{
    const char *all[WORDS_MOST], *said;
    char *out;
    int got;

    call(s, words, all);
    got = crier_run(&out, all);
    if (got != code)
        fail_msg("crier %s %s: exit %d instead of %d: %s", words[0], words[1], got, code, out);
    said = arena_text(s->scene->arena, out);
    free(out);
    return said;
}

static size_t said_of(struct service_stage *s, const char *type)
{
    const struct reply *entries = scene_redis(s->scene, "XRANGE crier:{q}:stream - +");
    size_t count = 0;

    for (size_t i = 0; i < entries->count; i++)
        count += strcmp(reply_field_text(&entries->items[i].items[1], "type"), type) == 0;
    return count;
}

void service_stage_interrupt(struct service_stage *s, const char *type, const char *const words[])
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    const char *all[WORDS_MOST + 1] = {CRIER_PROGRAM};
    size_t before = said_of(s, type);
    int status;
    pid_t child;

    call(s, words, all + 1);
    child = fork_bound();
    if (child == 0) {
        if (freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr))
            execv(all[0], (char *const *)(uintptr_t)all);
        _exit(127);
    }
    while (said_of(s, type) == before) {
        assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        assert_true(clock_monotonic_ms() < until_ms);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    kill(child, SIGINT);
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 0)
        fail_msg("crier %s, interrupted, ends with %#x", words[0], (unsigned)status);
}

/* ----------------------------------------------------------------------------------------------------- entries */

json_t *service_stage_entry(struct service_stage *s, const char *action, const char *outcome, int64_t *count)
{
    const struct settings *settings = s->scene->settings;
    const char *prefix = settings->opensearch.prefix;
    struct buf body = BUF_INIT, path = BUF_INIT;
    json_t *answer, *entry;

    buf_printf(&path, "/%saudit-*/_refresh?ignore_unavailable=true", prefix);
    json_decref(index_ask(settings, "POST", path.data, NULL));
    buf_reset(&path);
    buf_printf(&path, "/%saudit-*/_search?ignore_unavailable=true", prefix);
    buf_printf(
        &body,
        "{\"size\":1,\"track_total_hits\":true,\"query\":{\"bool\":{\"filter\":[{\"term\":{\"action\":\"crier.%s\"}},"
        "{\"wildcard\":{\"outcome\":\"%s\"}}]}},"
        "\"sort\":[{\"time\":{\"order\":\"desc\",\"unmapped_type\":\"date\"}}]}",
        action, outcome ? outcome : "*");
    answer = index_ask(settings, "POST", path.data, body.data);
    *count = json_integer_value(json_at(answer, "hits.total.value"));
    entry = json_incref(json_object_get(json_array_get(json_at(answer, "hits.hits"), 0), "_source"));
    json_decref(answer);
    buf_release(&body);
    buf_release(&path);
    return entry;
}

/* --------------------------------------------------------------------------------------------------- the service */

void service_stage_serve(struct service_stage *s)
{
    if (!s->serve)
        s->serve = crier_serve_start(s->scene->config_path);
}

/* It answers before it has read the tokens. */
static void await_tokens(struct service_stage *s)
{
    if (s->tokens_known)
        return;
    serve_await_token(s->serve, s->token);
    s->tokens_known = true;
}

void service_stage_halt(struct service_stage *s)
{
    if (s->serve)
        server_stop(s->serve);
    server_free(s->serve);
    s->serve = NULL;
    s->tokens_known = false;
}

const char *service_stage_ask(struct service_stage *s, const char *method, const char *path, const char *body,
                              long status)
{
    struct http *http = http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 30000});
    struct http_header header = {"Authorization", arena_printf(s->scene->arena, "Bearer %s", s->token)};
    const char *url = arena_printf(s->scene->arena, "http://127.0.0.1:%d%s", server_port(s->serve), path), *answer;
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;

    await_tokens(s);
    if (!http_send(http,
                   &(struct http_request){.method = method,
                                          .url = url,
                                          .headers = &header,
                                          .header_count = 1,
                                          .body = body,
                                          .length = body ? strlen(body) : 0},
                   &reply, &err))
        fail_msg("%s %s: %s", method, path, err.text);
    if (reply.status != status)
        fail_msg("%s %s: %ld: %.*s", method, path, reply.status, (int)reply.body.length, reply.body.data);
    answer = arena_copy(s->scene->arena, reply.body.data, reply.body.length);
    buf_release(&reply.body);
    http_free(http);
    return answer;
}

void service_stage_configure(struct service_stage *s, const char *lines)
{
    FILE *file = fopen(s->scene->config_path, "ae");

    assert_non_null(file);
    fputs(lines, file);
    fclose(file);
}

void service_stage_look_again(int64_t until_ms, const char *what)
{
    if (clock_monotonic_ms() > until_ms)
        fail_msg("waited in vain for %s", what);
    usleep(20000);
}

void service_stage_emit(struct service_stage *s, const char *type, int days_ago)
{
    static int number;
    struct event e = scene_event(s->scene, type, arena_printf(s->scene->arena, "e%d", number++), "records/1", 1, NULL);
    char time[TIME_TEXT_BYTES];

    e.time_us = (clock_wall_us() / US_PER_SECOND - (int64_t)days_ago * 24 * 3600) * US_PER_SECOND;
    e.time = span_of(arena_text(s->scene->arena, time_text(e.time_us, time)));
    scene_append(s->scene, &e, 1);
}

const char *service_stage_url(struct service_stage *s)
{
    return arena_printf(s->scene->arena, "http://127.0.0.1:%d/x", hook_server_port(s->target));
}

void service_stage_spoil_preferences(struct service_stage *s)
{
    scene_redis(s->scene, "RENAME crier:{mail}:preferences crier:{mail}:kept");
    scene_redis(s->scene, "SET crier:{mail}:preferences spoilt");
}

void service_stage_mend_preferences(struct service_stage *s)
{
    scene_redis(s->scene, "RENAME crier:{mail}:kept crier:{mail}:preferences");
}
