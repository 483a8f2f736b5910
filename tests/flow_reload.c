/* SIGHUP to a service: whatever the file says then, and however the new beginning goes, it serves on in the end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "support/pause.h"
#include "support/process.h"
#include "support/scene.h"

enum { PATIENCE_MS = 60000, LOOK_AGAIN_MS = 20, FILE_BYTES_MOST = 4 << 20, SAID_BYTES = 500 };

/* What systemd would be told: a third of it is between two words. */
#define WATCHDOG_US "900000"

/* Takes the first event and is silent from then on, as does what it started; both are noted. */
static const char program_text[] = "import os, subprocess, sys, time\n"
                                   "sys.stdin.readline()\n"
                                   "child = subprocess.Popen(['sleep', '300'])\n"
                                   "with open(sys.argv[1], 'a') as notes:\n"
                                   "    notes.write('%d %d\\n' % (os.getpid(), child.pid))\n"
                                   "time.sleep(300)\n";

struct stage {
    struct scene *scene;
    struct server *serve;
    int systemd;                 /* the socket that words to it come to, */
    int fed, waiting, reloading; /* and how many came: the watchdog's, those of waiting for Redis, of a reload */
    int fed_before;              /* the last word of a reload */
    char notes[400];
    char *good; /* text of the configuration */
};

/* Goes on hearing what systemd is told: whoever says more than the socket holds would hang. */
static void look_again(struct stage *st)
{
    char word[SAID_BYTES];
    ssize_t length;

    pause_ms(LOOK_AGAIN_MS);
    while ((length = recv(st->systemd, word, sizeof word - 1, 0)) > 0) {
        word[length] = '\0';
        st->fed += strstr(word, "WATCHDOG=1") != NULL;
        st->waiting += strstr(word, "STATUS=waiting for Redis") != NULL;
        if (strstr(word, "RELOADING=1")) {
            st->reloading++;
            st->fed_before = st->fed;
        }
    }
}

static char *text_of(const char *path)
{
    struct buf text = BUF_INIT;
    struct error err;

    if (!file_read(path, FILE_BYTES_MOST, &text, &err))
        fail_msg("%s", err.text);
    return buf_take(&text);
}

static void write_file(const char *path, const char *text)
{
    struct error err;

    if (!file_replace(path, 0644, text, strlen(text), &err))
        fail_msg("%s", err.text);
}

static int open_systemd(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int made = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s/systemd", test_folder());
    assert_int_equal(bind(made, (const struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, true);
    setenv("WATCHDOG_USEC", WATCHDOG_US, true);
    return made;
}

static int setup(void **state)
{
    static struct stage st;
    char ini[2000], program[400];

    st.systemd = open_systemd();
    snprintf(program, sizeof program, "%s/program.py", test_folder());
    snprintf(st.notes, sizeof st.notes, "%s/notes", test_folder());
    write_file(program, program_text);
    write_file(st.notes, "");
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[service]\ndrain = 4s\n"
             "[audit]\nfile = %s/audit.ndjson\n[queue q]\nevents = user.*\n"
             "[handler mine]\ntype = exec\nqueue = q\nschedule = at once\ncommand = /usr/bin/env python3 %s %s\n"
             "[handler trail]\ntype = audit\nqueue = q\nindex =\n",
             test_folder(), program, st.notes);
    st.scene = scene_open(ini);
    st.serve = crier_serve_start(st.scene->config_path);
    st.good = text_of(st.scene->config_path);
    *state = &st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    server_free(st->serve);
    scene_close(st->scene);
    free(st->good);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- asking, and waiting */

static void configure(const struct stage *st, const char *word, const char *by)
{
    char *text = scene_replaced(st->good, word, by);

    assert_string_not_equal(text, st->good);
    write_file(st->scene->config_path, text);
    free(text);
}

static void reload(const struct stage *st)
{
    assert_int_equal(kill(server_pid(st->serve), SIGHUP), 0);
}

static int said(const struct stage *st, const char *words)
{
    char path[400], *text;
    int count = 0;

    snprintf(path, sizeof path, "%s/log", server_folder(st->serve));
    text = text_of(path);
    for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
        count++;
    free(text);
    return count;
}

static void await_said(struct stage *st, const char *words, int count)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (said(st, words) < count) {
        if (clock_monotonic_ms() > until_ms)
            server_fail(st->serve, words);
        look_again(st);
    }
}

static void await_live(struct stage *st)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!server_answers_get(st->serve, "/health/live")) {
        if (clock_monotonic_ms() > until_ms)
            server_fail(st->serve, "does not serve");
        look_again(st);
    }
}

/* The program and what it started, of the line; waits for it. */
static void await_program(struct stage *st, int line, int pids[2])
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    int found = 0;

    while (found != 2) {
        char *text = text_of(st->notes), *at = text;

        for (int i = 0; at && i < line; i++)
            at = (at = strchr(at, '\n')) ? at + 1 : NULL;
        found = at && strchr(at, '\n') ? sscanf(at, "%d %d", &pids[0], &pids[1]) : 0;
        free(text);
        if (clock_monotonic_ms() > until_ms)
            server_fail(st->serve, "starts no program");
        look_again(st);
    }
}

/* A zombie counts as there where it is the service's own. */
static void await_gone(struct stage *st, int pid, bool own)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    char path[60], state = 'R';

    while (kill(pid, 0) == 0) {
        FILE *file;

        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        if (!own && (file = fopen(path, "re"))) {
            if (fscanf(file, "%*d %*s %c", &state) != 1)
                state = 'Z';
            fclose(file);
            if (state == 'Z')
                return;
        }
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%d is still there", pid);
        look_again(st);
    }
}

/* ------------------------------------------------------------------------------------------------------- the tests */

static void what_check_refuses_or_cannot_be_opened_changes_nothing(void **state)
{
    struct stage *st = *state;
    char taken[100], foreign[100], ours[100];
    const struct {
        const char *word, *by, *why;
    } rows[] = {
        {"[http]",        "[http]\ncertificate = /nonexistent\nprivate_key_file = /nonexistent", "certificate"    },
        {ours,            taken,                                                                 "Address already"},
        {ours,            foreign,                                                               "Cannot assign"  },
        {"/audit.ndjson", "/nowhere/audit.ndjson",                                               "/nowhere/audit" },
    };

    snprintf(ours, sizeof ours, "127.0.0.1:%d", server_port(st->serve));
    snprintf(taken, sizeof taken, "127.0.0.1:%d", server_port(st->scene->redis_server));
    snprintf(foreign, sizeof foreign, "192.0.2.1:%d", server_port(st->serve));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        configure(st, rows[i].word, rows[i].by);
        reload(st);
        await_said(st, "the configuration is left as it was", (int)i + 1);
        assert_true(said(st, rows[i].why) > 0);
        assert_true(server_answers_get(st->serve, "/health/live"));
    }
    assert_int_equal(said(st, "beginning anew"), 0);
    write_file(st->scene->config_path, st->good);
}

static void a_beginning_that_fails_is_tried_again_until_it_does_not(void **state)
{
    struct stage *st = *state;

    scene_redis(st->scene, "CONFIG SET maxmemory-policy allkeys-lru");
    reload(st);
    await_said(st, "beginning anew failed", 2);
    scene_redis(st->scene, "CONFIG SET maxmemory-policy noeviction");
    await_live(st);
}

static void a_service_that_waits_for_redis_feeds_the_watchdog_and_takes_another_file(void **state)
{
    struct stage *st = *state;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    char away[100];

    snprintf(away, sizeof away, "redis://127.0.0.1:%d/0", port_find());
    configure(st, redis_server_url(st->scene->redis_server), away);
    st->fed = st->waiting = 0;
    reload(st);
    while (st->waiting < 3 || st->fed < st->waiting + 6) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("asked %d times, and the watchdog was fed %d times", st->waiting, st->fed);
        look_again(st);
    }
    write_file(st->scene->config_path, st->good);
    reload(st);
    await_live(st);
}

static void programs_end_with_a_service_that_does_not_wait_for_them(void **state)
{
    struct stage *st = *state;
    struct event e = scene_event(st->scene, "user.changed", "e1", "users/1", 1, NULL);
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    int first[2], second[2];

    scene_append(st->scene, &e, 1);
    await_program(st, 0, first);
    look_again(st);
    st->fed = st->reloading = 0;
    reload(st);
    while (!st->reloading && clock_monotonic_ms() < until_ms)
        look_again(st);
    assert_true(st->fed_before >= 3);
    await_program(st, 1, second);
    await_gone(st, first[0], true);
    await_gone(st, first[1], false);
    close(st->systemd); /* nobody hears it while it is waited for */
    server_stop(st->serve);
    await_gone(st, second[0], false);
    await_gone(st, second[1], false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_check_refuses_or_cannot_be_opened_changes_nothing),
        cmocka_unit_test(a_beginning_that_fails_is_tried_again_until_it_does_not),
        cmocka_unit_test(a_service_that_waits_for_redis_feeds_the_watchdog_and_takes_another_file),
        cmocka_unit_test(programs_end_with_a_service_that_does_not_wait_for_them),
    };

    /* Where the time to drain is over, a service ends with threads at work: no leak. */
    setenv("TSAN_OPTIONS", "halt_on_error=1:report_thread_leaks=0", 1);
    http_global_init();
    return cmocka_run_group_tests(tests, setup, teardown);
}
