/*
 * Views and downloads under kills, from the door to the record documents; in the end every number equals the model's.
 *
 * CRIER_KILLS (20) kills of the service, and as many of an operator's recount beside it.
 */
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
#include "base/http.h"
#include "base/json.h"
#include "notifier/stream.h"
#include "support/process.h"
#include "support/scene.h"
#include "support/search_index.h"

enum { USERS = 30, RECORDS = 40, PER_PARENT = 3, DAYS = 3, WINDOW_S = 10, DAY_S = 86400, BATCH = 40 };

#define FIRST_DAY_US INT64_C(1793491200000000) /* 2026-11-01 */
#define WINDOWS      (DAYS * DAY_S / WINDOW_S)

enum kind { VIEW, DOWNLOAD, KINDS };

/* Who did what when: all that must be counted follows from it. */
struct model {
    unsigned char *seen[KINDS]; /* [record][user][window] */
};

struct stage {
    struct scene *scene;
    struct server *serve;
    struct model model;
};

static int number_of(const char *name, int fallback)
{
    const char *given = getenv(name);

    return given && *given ? atoi(given) : fallback;
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* --------------------------------------------------------------------------------------------------- the stage */

static void make_records(struct scene *s)
{
    struct buf lines = BUF_INIT;

    for (int r = 0; r < RECORDS; r++)
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"uuid-%d\",\"version\":%d,\"version_type\":"
                   "\"external_gte\"}}\n{\"id\":\"r%d\",\"parent\":{\"id\":\"p%d\"},\"title\":\"record %d\"}\n",
                   s->settings->opensearch.prefix, r, 5 + r, r, r / PER_PARENT, r);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    assert_non_null(st);
    st->scene = scene_open("[redis]\nurl = REDIS\ntimeout = 2s\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                           "[http]\nlisten = 127.0.0.1:0\n"
                           "[event record-view]\nprofile = invenio-record-view\n"
                           "[event file-download]\nprofile = invenio-file-download\n"
                           "[handler events-stats-record-view]\nschedule = every 100ms\ndeadline = 5s\n"
                           "[handler events-stats-file-download]\nschedule = every 100ms\ndeadline = 5s\n"
                           "[handler record-view-agg]\nschedule = every 200ms\npage = 50\n"
                           "[handler file-download-agg]\nschedule = every 200ms\npage = 50\n"
                           "[handler record-stats]\nschedule = every 200ms\nindex = records\npage = 5\n");
    for (int kind = 0; kind < KINDS; kind++) {
        st->model.seen[kind] = calloc((size_t)RECORDS * USERS * WINDOWS, 1);
        assert_non_null(st->model.seen[kind]);
    }
    make_records(st->scene);
    st->serve = crier_serve_start(st->scene->config_path);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    server_free(st->serve);
    index_delete(st->scene->settings, "*");
    scene_close(st->scene);
    for (int kind = 0; kind < KINDS; kind++)
        free(st->model.seen[kind]);
    free(st);
    return 0;
}

/* --------------------------------------------------------------------------------------------------- the traffic */

static unsigned char *seen_at(const struct model *m, enum kind kind, int record, int user, int window)
{
    return &m->seen[kind][((size_t)record * USERS + (size_t)user) * WINDOWS + (size_t)window];
}

static void add_event(struct model *m, struct buf *out)
{
    enum kind kind = rand() % 3 ? VIEW : DOWNLOAD;
    int record = rand() % RECORDS, user = rand() % USERS, second = rand() % (DAYS * DAY_S);
    char time[TIME_TEXT_BYTES];

    time_text(FIRST_DAY_US + second * US_PER_SECOND + rand() % 1000000, time);
    *seen_at(m, kind, record, user, second / WINDOW_S) = 1;
    buf_printf(out,
               "%s{\"event_type\":\"%s\",\"payload\":{\"timestamp\":\"%s\",\"recid\":\"r%d\",\"parent_recid\":\"p%d\","
               "\"user_id\":\"u%d\",\"user_agent\":\"Mozilla/5.0 Firefox/1\",\"ip_address\":\"192.0.2.9\","
               "\"referrer\":null,\"via_api\":false",
               out->data[out->length - 1] == '[' ? "" : ",", kind == VIEW ? "record-view" : "file-download", time,
               record, record / PER_PARENT, user);
    if (kind == DOWNLOAD)
        buf_printf(out, ",\"bucket_id\":\"b%d\",\"file_id\":\"f%d\",\"file_key\":\"data.csv\",\"size\":%d", record,
                   record, 100 + record);
    buf_add_text(out, "}}");
}

/* A careful sender: the same again until it is acknowledged. */
static void send_batch(struct stage *st, struct http *http)
{
    struct http_reply reply = HTTP_REPLY_INIT;
    struct buf body = BUF_INIT;
    struct error err;
    char url[100];

    buf_add_char(&body, '[');
    for (int i = 0; i < BATCH; i++)
        add_event(&st->model, &body);
    buf_add_char(&body, ']');
    snprintf(url, sizeof url, "http://127.0.0.1:%d/events", server_port(st->serve));
    while (!http_send(http,
                      &(struct http_request){.method = "POST",
                                             .url = url,
                                             .content_type = "application/json",
                                             .body = body.data,
                                             .length = body.length},
                      &reply, &err) ||
           reply.status != 202) {
        if (reply.status >= 400 && reply.status < 500)
            fail_msg("%ld %s", reply.status, reply.body.data);
        sleep_ms(50);
    }
    if (strstr(reply.body.data, "refused") || strstr(reply.body.data, "robot"))
        fail_msg("%s", reply.body.data);
    buf_release(&reply.body);
    buf_release(&body);
}

/* ------------------------------------------------------------------------------------------------- the kills */

/* An operator counts again, and is killed somewhere on the way. */
static void recount_and_die(struct stage *st)
{
    pid_t pid = fork_bound();

    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(126);
        crier_run(NULL, (const char *const[]){"aggregations", "run", "--config", st->scene->config_path, "--from",
                                              "2026-11-01", "--to", "2026-11-03", NULL});
        _exit(0);
    }
    sleep_ms(20 + rand() % 300);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int64_t dirty_left(struct stage *st, const char *queue, const char *handler)
{
    return scene_redis(st->scene, "ZCARD crier:{%s}:dirty:%s", queue, handler)->integer;
}

static int64_t left_to_do(struct stage *st)
{
    static const char *const queues[] = {"stats-record-view", "stats-file-download"};
    static const char *const aggregations[] = {"record-view-agg", "file-download-agg"};
    int64_t left = 0;

    for (size_t q = 0; q < ARRAY_LENGTH(queues); q++) {
        struct queue_state state;
        struct error err;

        if (!stream_state(st->scene->redis, queues[q], st->scene->arena, &state, &err))
            fail_msg("%s", err.text);
        for (size_t g = 0; g < state.group_count; g++)
            left += state.groups[g].waiting + state.groups[g].pending;
        left += dirty_left(st, queues[q], aggregations[q]) + dirty_left(st, queues[q], "record-stats");
    }
    arena_reset(st->scene->arena);
    return left;
}

static void wait_until_done(struct stage *st, int64_t seconds)
{
    int64_t until_ms = clock_monotonic_ms() + seconds * 1000, left;

    while ((left = left_to_do(st)) != 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld events and keys are not done after %lld s", (long long)left, (long long)seconds);
        sleep_ms(100);
    }
}

/* ------------------------------------------------------------------------------------------------ the comparison */

struct totals {
    int64_t count, unique;
};

/* Of one record on one day: documents, and hours of visitors. */
static struct totals totals_of(const struct model *m, enum kind kind, int record, int day)
{
    struct totals t = {0, 0};

    for (int user = 0; user < USERS; user++)
        for (int hour = 0; hour < 24; hour++) {
            int64_t before = t.count;

            for (int w = 0; w < 3600 / WINDOW_S; w++)
                t.count += *seen_at(m, kind, record, user, (day * 24 + hour) * (3600 / WINDOW_S) + w);
            t.unique += t.count > before;
        }
    return t;
}

static json_t *document(struct stage *st, const char *index, const char *id)
{
    char path[300];

    snprintf(path, sizeof path, "/%s%s/_doc/%s", st->scene->settings->opensearch.prefix, index, id);
    return index_ask(st->scene->settings, "GET", path, NULL);
}

static int64_t number_at(const json_t *object, const char *path)
{
    const json_t *value = json_at(object, path);

    return json_is_number(value) ? (int64_t)json_number_value(value) : -1;
}

static int64_t check_aggregates(struct stage *st, enum kind kind)
{
    int64_t documents = 0;

    for (int record = 0; record < RECORDS; record++)
        for (int day = 0; day < DAYS; day++) {
            struct totals wanted = totals_of(&st->model, kind, record, day);
            char id[80];
            json_t *found;

            if (wanted.count == 0)
                continue;
            if (kind == VIEW)
                snprintf(id, sizeof id, "ui_r%d-2026-11-%02d", record, day + 1);
            else
                snprintf(id, sizeof id, "b%d_f%d-2026-11-%02d", record, record, day + 1);
            found = document(st, kind == VIEW ? "stats-record-view-2026-11" : "stats-file-download-2026-11", id);
            if (number_at(found, "_source.count") != wanted.count ||
                number_at(found, "_source.unique_count") != wanted.unique ||
                (kind == DOWNLOAD && number_at(found, "_source.volume") != wanted.count * (100 + record)))
                fail_msg("%s: %lld and %lld are wanted, not %s", id, (long long)wanted.count, (long long)wanted.unique,
                         json_dumps(found, 0));
            json_decref(found);
            documents++;
        }
    return documents;
}

static void check_record(struct stage *st, int record, const json_t *found)
{
    const char *const words[KINDS] = {"views", "downloads"};

    for (int kind = 0; kind < KINDS; kind++) {
        struct totals own = {0, 0}, all = {0, 0};

        for (int other = 0; other < RECORDS; other++)
            for (int day = 0; day < DAYS && other / PER_PARENT == record / PER_PARENT; day++) {
                struct totals t = totals_of(&st->model, (enum kind)kind, other, day);

                all.count += t.count;
                all.unique += t.unique;
                own.count += other == record ? t.count : 0;
                own.unique += other == record ? t.unique : 0;
            }
        for (int level = 0; level < 2; level++) {
            const struct totals *wanted = level ? &all : &own;
            char path[80];

            snprintf(path, sizeof path, "_source.stats.%s.%s", level ? "all_versions" : "this_version", words[kind]);
            if (number_at(found, path) != wanted->count)
                fail_msg("record %d: %s is to be %lld: %s", record, path, (long long)wanted->count,
                         json_dumps(found, 0));
            snprintf(path, sizeof path, "_source.stats.%s.unique_%s", level ? "all_versions" : "this_version",
                     words[kind]);
            if (number_at(found, path) != wanted->unique)
                fail_msg("record %d: %s is to be %lld: %s", record, path, (long long)wanted->unique,
                         json_dumps(found, 0));
        }
    }
    assert_int_equal(number_at(found, "_version"), 5 + record); /* the platform's own */
}

static void nothing_is_lost_or_doubled_from_click_to_record_by_kills(void **state)
{
    struct stage *st = *state;
    struct http *http = http_new(&(struct http_options){.connect_ms = 2000, .timeout_ms = 10000});
    int kills = number_of("CRIER_KILLS", 20);
    int64_t views, downloads;

    srand((unsigned)number_of("CRIER_SEED", 5));
    for (int day = 0; day < kills; day++) {
        for (int batch = 0; batch < 10; batch++)
            send_batch(st, http);
        if (day % 2)
            recount_and_die(st);
        sleep_ms(rand() % 700);
        server_kill(st->serve);
        server_restart(st->serve);
    }
    http_free(http);
    wait_until_done(st, 120);
    views = check_aggregates(st, VIEW);
    downloads = check_aggregates(st, DOWNLOAD);
    assert_int_equal(index_count(st->scene->settings, "stats-record-view-*"), views); /* and none besides */
    assert_int_equal(index_count(st->scene->settings, "stats-file-download-*"), downloads);
    for (int record = 0; record < RECORDS; record++) {
        char id[20];
        json_t *found;

        snprintf(id, sizeof id, "uuid-%d", record);
        found = document(st, "records", id);
        check_record(st, record, found);
        json_decref(found);
    }
    print_message("%d kills, %d events, %lld aggregates, %d records\n", kills, kills * 10 * BATCH,
                  (long long)(views + downloads), RECORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_lost_or_doubled_from_click_to_record_by_kills, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
