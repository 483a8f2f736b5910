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
#include "support/counting.h"
#include "support/pause.h"
#include "support/process.h"
#include "support/search_index.h"
#include "support/work.h"

enum { USERS = 30, RECORDS = 40, PER_PARENT = 3, DAYS = 3, WINDOW_S = 10, DAY_S = 86400, BATCH = 40 };

#define FIRST_DAY_US INT64_C(1793491200000000) /* 2026-11-01 */
#define WINDOWS      (DAYS * DAY_S / WINDOW_S)

enum kind { VIEW, DOWNLOAD, KINDS };

/* Who did what when: all that must be counted follows from it. */
struct model {
    unsigned char *seen[KINDS]; /* [record][user][window] */
};

struct stage {
    struct counting counting;
    struct model model;
};

static int number_of(const char *name, int fallback)
{
    const char *given = getenv(name);

    return given && *given ? atoi(given) : fallback;
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
    counting_open(&st->counting, "[redis]\nurl = REDIS\ntimeout = 2s\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                                 "[http]\nlisten = 127.0.0.1:0\n"
                                 "[event record-view]\nprofile = invenio-record-view\n"
                                 "[event file-download]\nprofile = invenio-file-download\n"
                                 "[handler events-stats-record-view]\nschedule = every 100ms\ndeadline = 10s\n"
                                 "[handler events-stats-file-download]\nschedule = every 100ms\ndeadline = 10s\n"
                                 "[handler record-view-agg]\nschedule = every 200ms\npage = 50\n"
                                 "[handler file-download-agg]\nschedule = every 200ms\npage = 50\n"
                                 "[handler record-stats]\nschedule = every 200ms\nindex = records\npage = 5\n");
    for (int kind = 0; kind < KINDS; kind++) {
        st->model.seen[kind] = calloc((size_t)RECORDS * USERS * WINDOWS, 1);
        assert_non_null(st->model.seen[kind]);
    }
    counting_give_salts(&st->counting, DAYS);
    make_records(st->counting.scene);
    counting_serve(&st->counting, 1);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    counting_close(&st->counting);
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

static void send_batch(struct stage *st)
{
    struct buf body = BUF_INIT;

    buf_add_char(&body, '[');
    for (int i = 0; i < BATCH; i++)
        add_event(&st->model, &body);
    buf_add_char(&body, ']');
    counting_send(&st->counting, 0, "application/json", body.data);
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
        crier_run(NULL, (const char *const[]){"aggregations", "run", "--config", st->counting.scene->config_path,
                                              "--from", "2026-11-01", "--to", "2026-11-03", NULL});
        _exit(0);
    }
    pause_ms(20 + rand() % 300);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
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
            found = counting_document(&st->counting,
                                      kind == VIEW ? "stats-record-view-2026-11" : "stats-file-download-2026-11", id);
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
    struct server *serve = st->counting.services[0];
    const struct settings *settings = st->counting.scene->settings;
    int kills = number_of("CRIER_KILLS", 20);
    int64_t views, downloads;

    srand((unsigned)number_of("CRIER_SEED", 5));
    for (int day = 0; day < kills; day++) {
        for (int batch = 0; batch < 10; batch++)
            send_batch(st);
        if (day % 2)
            recount_and_die(st);
        pause_ms(rand() % 700);
        work_survives(st->counting.scene, "stats-record-view", "events-stats-record-view");
        work_survives(st->counting.scene, "stats-file-download", "events-stats-file-download");
        server_kill(serve);
        server_restart(serve);
    }
    counting_wait(&st->counting);
    views = check_aggregates(st, VIEW);
    downloads = check_aggregates(st, DOWNLOAD);
    assert_int_equal(index_count(settings, "stats-record-view-*"), views); /* and none besides */
    assert_int_equal(index_count(settings, "stats-file-download-*"), downloads);
    for (int record = 0; record < RECORDS; record++) {
        char id[20];
        json_t *found;

        snprintf(id, sizeof id, "uuid-%d", record);
        found = counting_document(&st->counting, "records", id);
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
