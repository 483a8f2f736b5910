/*
 * From the lines of an access log to the counters of records, with `crier import` and `crier serve` killed again and
 * again: in the end every document is as after an undisturbed run.
 *
 * CRIER_KILLS (12) kills of each.
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
#include "base/json.h"
#include "support/counting.h"
#include "support/process.h"
#include "support/search_index.h"
#include "support/work.h"

enum {
    LINES = 18000,
    RECORDS = 30,
    PER_PARENT = 3,
    DAYS = 3,
    DAY_S = 86400,
    IMPORT_MOST_MS = 5,
    SERVE_MOST_MS = 120,
    PATIENCE_MS = 60000
};

#define FIRST_DAY_S INT64_C(1793491200) /* 2026-11-01 */

static const char ini[] =
    "[redis]\nurl = REDIS\ntimeout = 2s\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
    "[http]\nlisten = 127.0.0.1:0\n"
    "[event record-view]\nprofile = invenio-record-view\n"
    "[event file-download]\nprofile = invenio-file-download\n"
    "[handler events-stats-record-view]\nschedule = every 100ms\nbatch = 100\ndeadline = 10s\n"
    "[handler events-stats-file-download]\nschedule = every 100ms\nbatch = 100\ndeadline = 10s\n"
    "[handler record-view-agg]\nschedule = every 200ms\npage = 20\n"
    "[handler file-download-agg]\nschedule = every 200ms\npage = 20\n"
    "[handler record-stats]\nschedule = every 200ms\nindex = records\npage = 5\n"
    "[url download]\npattern = ^/records/(?<recid>(?<parent_recid>p[0-9]+)[.][0-9]+)/files/(?<file_key>[a-z.]+)$\n"
    "event = file-download\ndata = bucket_id=b-{recid} file_id=f-{recid} size={bytes} via_api=false\n"
    "[url page]\npattern = ^/records/(?<recid>(?<parent_recid>p[0-9]+)[.][0-9]+)$\n"
    "event = record-view\ndata = via_api=false\n";

struct fixture {
    struct counting counting;
    char log[400];
};

static int number_of(const char *name, int fallback)
{
    const char *given = getenv(name);

    return given && *given ? atoi(given) : fallback;
}

static void pause_below(int most_ms)
{
    nanosleep(&(struct timespec){0, (rand() % most_ms + 1) * 1000000L}, NULL);
}

/* ------------------------------------------------------------------------------------------------- what is there */

/* Views and downloads of some records by some visitors over three days, and lines that are nothing of the kind. */
static void write_log(const char *path)
{
    FILE *out = fopen(path, "we");

    assert_non_null(out);
    for (int i = 0; i < LINES; i++) {
        int64_t second = FIRST_DAY_S + (int64_t)i * DAYS * DAY_S / LINES;
        int record = rand() % RECORDS;
        char time[64];

        time_format(second * US_PER_SECOND, "%d/%b/%Y:%H:%M:%S +0000", time, sizeof time);
        fprintf(out, "192.0.2.%d - - [%s] \"GET /%s/p%d.%d%s HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0 (X11; %d)\"\n",
                rand() % 20, time, i % 2 ? "records" : "static", record / PER_PARENT, record,
                i % 3 ? "" : "/files/data.csv", 100 + record, i % 2);
    }
    fclose(out);
}

static void make_records(struct counting *c)
{
    struct buf lines = BUF_INIT;

    for (int r = 0; r < RECORDS; r++)
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"uuid-%d\",\"version\":%d,\"version_type\":"
                   "\"external_gte\"}}\n{\"id\":\"p%d.%d\",\"parent\":{\"id\":\"p%d\"},\"title\":\"record %d\"}\n",
                   c->scene->settings->opensearch.prefix, r, 5 + r, r / PER_PARENT, r, r / PER_PARENT, r);
    index_bulk(c->scene->settings, lines.data);
    buf_release(&lines);
}

static void open_run(struct fixture *f)
{
    counting_open(&f->counting, ini);
    counting_give_salts(&f->counting, DAYS);
    make_records(&f->counting);
    counting_serve(&f->counting, 1);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char folder[300];

    assert_non_null(f);
    srand((unsigned)number_of("CRIER_SEED", 5));
    folder_make("logs", folder, sizeof folder);
    snprintf(f->log, sizeof f->log, "%s/access.log", folder);
    write_log(f->log);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- the runs */

static pid_t begin_import(struct fixture *f)
{
    return crier_begin((const char *const[]){"import", "--config", f->counting.scene->config_path, "--json",
                                             "--backlog", "1000000", "access-log", f->log, NULL});
}

/* True: it was killed, and had not come to its end. */
static bool kill_import(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    free(crier_begun_said(pid));
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

static void finish(struct fixture *f)
{
    free(counting_crier(&f->counting, (const char *const[]){"import", "access-log", f->log, NULL}));
    counting_wait(&f->counting);
}

static int64_t events_taken(struct fixture *f)
{
    struct scene *s = f->counting.scene;

    return scene_redis(s, "XLEN crier:{stats-record-view}:stream")->integer +
           scene_redis(s, "XLEN crier:{stats-file-download}:stream")->integer;
}

static bool is_over(pid_t pid)
{
    siginfo_t info = {0};

    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid == pid;
}

/* Somewhere in the batches that follow; the next import begins within the batch that this one was at. One that was
   killed behind its last batch leaves nothing that could follow. */
static void wait_for_more(struct fixture *f, int64_t taken, pid_t import)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (events_taken(f) == taken && !is_over(import))
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the import does not go on after %lld events", (long long)taken);
    pause_below(IMPORT_MOST_MS);
}

/* The service is killed in its midst, or is away while the import goes on. */
static bool disturb_once(struct fixture *f)
{
    struct server *serve = f->counting.services[0];
    int64_t taken = events_taken(f);
    bool away = rand() % 2, killed;
    pid_t import;

    work_survives(f->counting.scene, "stats-record-view", "events-stats-record-view");
    work_survives(f->counting.scene, "stats-file-download", "events-stats-file-download");
    if (away)
        server_kill(serve);
    import = begin_import(f);
    wait_for_more(f, taken, import);
    killed = kill_import(import);
    if (!away)
        server_kill(serve);
    server_restart(serve);
    pause_below(SERVE_MOST_MS);
    return killed;
}

/* False: where the machine is so busy that the test came late, the import is at its end after a few kills. */
static bool disturb(struct fixture *f, int kills)
{
    int i = 0;

    while (i < kills && disturb_once(f))
        i++;
    print_message("%d kills of each, with %lld events taken by then\n", i, (long long)events_taken(f));
    return i >= kills / 3;
}

/* From the beginning, until it was disturbed often enough. */
static void open_disturbed_run(struct fixture *f, int kills)
{
    enum { TIMES_MOST = 10 };

    open_run(f);
    for (int i = 1; !disturb(f, kills); i++) {
        if (i == TIMES_MOST)
            fail_msg("the import comes to its end each time");
        counting_close(&f->counting);
        open_run(f);
    }
}

/* All that was made of the log, without the moments at which that was. */
static char *outcome(struct fixture *f)
{
    static const char *const patterns[] = {"events-stats-*", "stats-record-view-*", "stats-file-download-*", "records"};
    struct buf all = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++) {
        char *documents = index_dump(f->counting.scene->settings, patterns[i]);

        for (const char *at = documents, *found; *at; at = found) {
            found = strstr(at, "\"updated_timestamp\":\"");
            buf_add(&all, at, found ? (size_t)(found - at) : strlen(at));
            found = found ? strchr(found + strlen("\"updated_timestamp\":\""), '"') : at + strlen(at);
        }
        buf_printf(&all, "-- %s\n", patterns[i]);
        free(documents);
    }
    return buf_take(&all);
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void assert_same(const char *found, const char *wanted)
{
    size_t at = 0, line = 0;

    while (found[at] && found[at] == wanted[at])
        if (found[at++] == '\n')
            line = at;
    if (found[at] || wanted[at])
        fail_msg("%zu and %zu documents; the first that differs:\n%.*s\nwanted\n%.*s", count_lines(found),
                 count_lines(wanted), (int)strcspn(found + line, "\n"), found + line, (int)strcspn(wanted + line, "\n"),
                 wanted + line);
}

static void killed_again_and_again_from_lines_to_records_it_ends_as_undisturbed(void **state)
{
    struct fixture *f = *state;
    char *undisturbed, *disturbed;

    open_run(f);
    finish(f);
    undisturbed = outcome(f);
    counting_close(&f->counting);
    assert_true(count_lines(undisturbed) > LINES / 3);
    assert_non_null(strstr(undisturbed, "\"all_versions\""));

    open_disturbed_run(f, number_of("CRIER_KILLS", 12));
    finish(f);
    disturbed = outcome(f);
    counting_close(&f->counting);
    assert_same(disturbed, undisturbed);
    print_message("%zu documents are the same\n", count_lines(disturbed));
    free(undisturbed);
    free(disturbed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_again_and_again_from_lines_to_records_it_ends_as_undisturbed, setup,
                                        teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
