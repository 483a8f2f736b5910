#include "support/past.h"

#include <fcntl.h>
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

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "indexer/client.h"
#include "support/canary.h"
#include "support/process.h"
#include "support/search_index.h"
#include "support/step_proxy.h"

enum { WORDS_MOST = 20, BULK_DOCUMENTS = 2000, DUMP_MOST = 10000, SETTLE_MS = 60000, CONFIG_BYTES_MOST = 1024 * 1024 };

const char past_ini[] =
    "[redis]\nurl = REDIS\nsealing_key = " CANARY CANARY CANARY "canarys=\n"
    "[opensearch]\nurl = SEARCH\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"
    "[queue views]\nevents = record-view\n"
    "[event record-view]\nunique = data.unique_id visitor_id\nclicks = cop51\n"
    "[handler views]\ntype = statistics\nqueue = views\nschedule = every 100ms\nparallel = 1\n"
    "index = events-views-{time:%Y-%m}\nalias = events-views\nid_field =\n"
    "[handler views-agg]\ntype = aggregate\nof = views\nqueue = views\nschedule = every 1h\nfield = unique_id\n"
    "interval = day\nindex = stats-views-{time:%Y-%m}\nalias = stats-views\nwhere = counted!=false\n"
    "metrics = unique_count=cardinality(visitor_id,1000)\ncopy = recid\nrecord = recid\nparent =\n";

/* ------------------------------------------------------------------------------------------------- crier itself */

int past_crier(struct scene *s, const char *wanted, const char *const words[])
{
    const char *all[WORDS_MOST + 3] = {words[0], "--config", s->config_path};
    char *out;
    int code;

    for (size_t i = 1; words[i] && i < WORDS_MOST; i++)
        all[i + 2] = words[i];
    code = crier_run(&out, all);
    if (!strstr(out, wanted))
        fail_msg("\"%s\" is not in what it said (exit %d): %s", wanted, code, out);
    if (code > 3)
        fail_msg("exit %d: %s", code, out);
    free(out);
    return code;
}

static pid_t begin_crier(const char *config_path, int told, const char *const words[])
{
    const char *all[WORDS_MOST + 3] = {words[0], "--config", config_path};

    for (size_t i = 1; words[i] && i < WORDS_MOST; i++)
        all[i + 2] = words[i];
    return crier_begin_when(told, all);
}

static bool any_task_longer_than(struct scene *s, int64_t ms)
{
    json_t *answer = index_ask(s->settings, "GET", "/_cluster/pending_tasks", NULL), *task;
    bool any = false;
    size_t i;

    json_array_foreach(json_object_get(answer, "tasks"), i, task)
    {
        any |= json_integer_value(json_object_get(task, "time_in_queue_millis")) >= ms;
    }
    json_decref(answer);
    return any;
}

void past_settle(struct scene *s)
{
    int64_t since_ms = clock_monotonic_ms();

    do {
        nanosleep(&(struct timespec){.tv_nsec = 200 * 1000000L}, NULL);
        if (clock_monotonic_ms() - since_ms > SETTLE_MS)
            fail_msg("OpenSearch does not come to rest");
    } while (any_task_longer_than(s, clock_monotonic_ms() - since_ms));
}

/* Waits for it, and for what it asked last. False: it ended by itself, and well. */
static bool ended_by_kill(struct scene *s, pid_t child)
{
    char *said;
    int status;

    waitpid(child, &status, 0);
    past_settle(s);
    said = crier_begun_said(child);
    if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0)
        fail_msg("exit %d: %s", WEXITSTATUS(status), said);
    free(said);
    return WIFSIGNALED(status);
}

bool past_crier_killed(struct scene *s, int after_ms, const char *const words[])
{
    pid_t child = begin_crier(s->config_path, -1, words);

    nanosleep(&(struct timespec){after_ms / 1000, after_ms % 1000 * 1000000L}, NULL);
    kill(child, SIGKILL);
    return ended_by_kill(s, child);
}

/* The scene's configuration, with the proxy in the place of OpenSearch. */
static void write_config(const struct scene *s, const struct step_proxy *proxy, char path[320])
{
    char address[40], *text;
    struct buf own = BUF_INIT;
    struct error err;

    snprintf(address, sizeof address, "http://127.0.0.1:%d", step_proxy_port(proxy));
    if (!file_read(s->config_path, CONFIG_BYTES_MOST, &own, &err))
        fail_msg("%s", err.text);
    text = scene_replaced(own.data, s->settings->opensearch.url, address);
    snprintf(path, 320, "%s.steps", s->config_path);
    if (!file_replace(path, 0600, text, strlen(text), &err))
        fail_msg("%s", err.text);
    free(text);
    buf_release(&own);
}

bool past_crier_killed_at(struct scene *s, int64_t message, const char *const words[])
{
    struct step_proxy *proxy = step_proxy_start(atoi(strrchr(s->settings->opensearch.url, ':') + 1));
    char path[320];
    int told[2];
    pid_t child;
    bool killed;

    write_config(s, proxy, path);
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    child = begin_crier(path, told[0], words);
    step_proxy_arm(proxy, message, NULL, (int)child);
    assert_int_equal(write(told[1], "g", 1), 1);
    killed = ended_by_kill(s, child);
    close(told[0]);
    close(told[1]);
    step_proxy_free(proxy);
    return killed;
}

void past_crier_killed_when(struct scene *s, bool (*reached)(struct scene *s), const char *const words[])
{
    pid_t child = begin_crier(s->config_path, -1, words);
    int status;

    while (!reached(s)) {
        assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    kill(child, SIGKILL);
    assert_true(ended_by_kill(s, child));
}

/* ------------------------------------------------------------------------------------------------- the documents */

static void add_view(struct buf *lines, const char *prefix, const char *id, int64_t time_us, const char *record,
                     const char *visitor, const char *more)
{
    char month[16], time[TIME_TEXT_BYTES];

    time_format(time_us, "%Y-%m", month, sizeof month);
    time_text(time_us, time);
    buf_printf(lines,
               "{\"index\":{\"_index\":\"%sevents-views-%s\",\"_id\":\"%s\",\"version\":%lld,"
               "\"version_type\":\"external\"}}\n",
               prefix, month, id, (long long)time_us);
    buf_printf(lines, "{\"unique_id\":\"ui_%s\",\"recid\":\"%s\",\"visitor_id\":\"%s\",\"timestamp\":\"%s\"%s%s}\n",
               record, record, visitor, time, *more ? "," : "", more);
}

void past_add_view(struct scene *s, const char *id, const char *time, const char *record, const char *visitor,
                   const char *more)
{
    struct buf lines = BUF_INIT;
    int64_t time_us;

    assert_true(time_parse(time, strlen(time), false, &time_us));
    add_view(&lines, s->settings->opensearch.prefix, id, time_us, record, visitor, more);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

/* Spread over the month, a little less than every visitor twice on a record. */
static void load_month(struct scene *s, int month, int count)
{
    struct calendar first = {.year = 2026, .month = month, .day = 1};
    int64_t start_us = time_from_calendar(&first), step_us = 28 * MS_PER_DAY * 1000 / count;
    struct buf lines = BUF_INIT;
    char id[40], record[20], visitor[20];

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%02d-%05d", month, i);
        snprintf(record, sizeof record, "r%d", i % 37);
        snprintf(visitor, sizeof visitor, "v%d", i % 101);
        add_view(&lines, s->settings->opensearch.prefix, id, start_us + i * step_us + i, record, visitor,
                 "\"counted\":true,\"size\":1.5");
        if (i % BULK_DOCUMENTS == BULK_DOCUMENTS - 1 || i == count - 1) {
            index_bulk(s->settings, lines.data);
            buf_reset(&lines);
        }
    }
    buf_release(&lines);
}

void past_load(struct scene *s, int each_month)
{
    assert_int_equal(past_crier(s, "", (const char *const[]){"run", "views", NULL}), 0);
    assert_int_equal(past_crier(s, "", (const char *const[]){"run", "views-agg", NULL}), 0);
    for (int month = 8; month <= 10; month++)
        load_month(s, month, each_month);
}

static void delete_if_there(struct scene *s, const char *path)
{
    struct client *c = client_new(&s->settings->opensearch);
    struct error err;
    json_t *answer;
    bool missing;

    if (!client_json(c, "DELETE", path, NULL, &answer, &missing, &err))
        fail_msg("%s", err.text);
    json_decref(answer);
    client_free(c);
}

void past_lose(struct scene *s)
{
    char path[200];

    index_delete(s->settings, "events-views-*");
    index_delete(s->settings, "stats-views-*");
    index_delete(s->settings, "crier-restated");
    snprintf(path, sizeof path, "/_index_template/%scrier-*", s->settings->opensearch.prefix);
    delete_if_there(s, path);
}

/* ---------------------------------------------------------------------------------------------------- looking */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *line_of(const json_t *hit, bool with_index)
{
    struct buf line = BUF_INIT;

    if (with_index)
        buf_printf(&line, "%s ", json_member_text(hit, "_index", ""));
    buf_printf(&line, "%s %lld ", json_member_text(hit, "_id", ""),
               (long long)json_integer_value(json_object_get(hit, "_version")));
    json_add(&line, json_object_get(hit, "_source"));
    return buf_take(&line);
}

char *past_dump(struct scene *s, const char *pattern, bool with_index)
{
    static char *lines[DUMP_MOST];
    struct buf out = BUF_INIT;
    char path[300];
    const json_t *hits;
    json_t *answer;
    size_t count;

    snprintf(path, sizeof path, "/%s%s/_refresh?ignore_unavailable=true", s->settings->opensearch.prefix, pattern);
    json_decref(index_ask(s->settings, "POST", path, NULL));
    snprintf(path, sizeof path, "/%s%s/_search?size=%d&version=true&ignore_unavailable=true",
             s->settings->opensearch.prefix, pattern, DUMP_MOST);
    answer = index_ask(s->settings, "GET", path, NULL);
    hits = json_at(answer, "hits.hits");
    count = json_array_size(hits);
    for (size_t i = 0; i < count; i++)
        lines[i] = line_of(json_array_get(hits, i), with_index);
    qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&out, "%s\n", lines[i]);
        free(lines[i]);
    }
    json_decref(answer);
    return buf_take(&out);
}

/* The index behind a name; "" for none. Into out. */
static void index_behind(struct scene *s, const char *name, char *out, size_t size)
{
    char path[300];
    json_t *answer;
    void *first;

    snprintf(path, sizeof path, "/%s%s?ignore_unavailable=true", s->settings->opensearch.prefix, name);
    answer = index_ask(s->settings, "GET", path, NULL);
    first = json_object_iter(answer);
    snprintf(out, size, "%s", first ? json_object_iter_key(first) + strlen(s->settings->opensearch.prefix) : "");
    json_decref(answer);
}

bool past_is_index(struct scene *s, const char *name)
{
    char behind[300];

    index_behind(s, name, behind, sizeof behind);
    return strcmp(behind, name) == 0;
}

bool past_is_alias(struct scene *s, const char *name)
{
    char behind[300];

    index_behind(s, name, behind, sizeof behind);
    return behind[0] && strcmp(behind, name) != 0;
}

bool past_is_blocked(struct scene *s, const char *index)
{
    char path[300];
    json_t *answer;
    bool blocked;

    snprintf(path, sizeof path, "/%s%s/_settings", s->settings->opensearch.prefix, index);
    answer = index_ask(s->settings, "GET", path, NULL);
    blocked =
        strcmp(json_member_text(json_at(json_object_iter_value(json_object_iter(answer)), "settings.index.blocks"),
                                "write", "false"),
               "true") == 0;
    json_decref(answer);
    return blocked;
}
