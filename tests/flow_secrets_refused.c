/*
 * Servers that refuse a login, each real, and services that crash: what crier says then holds no secret. The looking is
 * done by support/canary.h in all that verbs print and services log; here it is seen that the login was refused indeed.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/postgres.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/mail_server.h"
#include "support/pause.h"
#include "support/postgres_server.h"
#include "support/process.h"
#include "support/scene.h"

enum { PATIENCE_MS = 60000, LOG_BYTES_MOST = 16 << 20 };

/* Fails the test where the words are not in what the verb says. */
static void expect_said(const struct scene *s, const char *words, const char *a, const char *b, const char *c)
{
    char *said;

    crier_run(&said, (const char *const[]){a, "--config", s->config_path, b, c, NULL});
    if (!strstr(said, words))
        fail_msg("%s does not say \"%s\": %s", a, words, said);
    free(said);
}

static void wait_for_log(const struct server *serve, const char *words)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct buf log = BUF_INIT;
    char path[400];
    struct error err;

    snprintf(path, sizeof path, "%s/log", server_folder(serve));
    for (;; pause_ms(50)) {
        buf_reset(&log);
        assert_true(file_read(path, LOG_BYTES_MOST, &log, &err));
        if (strstr(log.data, words))
            break;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the log does not say \"%s\": %s", words, log.data);
    }
    buf_release(&log);
}

/* ----------------------------------------------------------------------------------------------- PostgreSQL */

/* A role of its own that needs a password; all others are trusted. */
static void want_password(const struct server *postgres)
{
    static const char rule[] = "host all locked 127.0.0.1/32 scram-sha-256\n";
    struct postgres *link = postgres_server_link(postgres);
    struct buf rules = BUF_INIT, all = BUF_INIT;
    char path[400];
    struct error err;
    FILE *file;

    postgres_do(link, "CREATE ROLE locked LOGIN PASSWORD '" CANARY "-right'");
    snprintf(path, sizeof path, "%s/data/pg_hba.conf", server_folder(postgres));
    assert_true(file_read(path, 1 << 20, &rules, &err));
    buf_printf(&all, "%s%s", rule, rules.data);
    file = fopen(path, "r+"); /* the owner stays */
    assert_non_null(file);
    assert_int_equal(fwrite(all.data, 1, all.length, file), all.length);
    fclose(file);
    free(postgres_text(link, "SELECT pg_reload_conf()"));
    postgres_free(link);
    buf_release(&rules);
    buf_release(&all);
}

static void a_login_refused_by_postgresql_shows_no_secret(void **state)
{
    static const char refused[] = "password authentication failed for user";
    struct server *postgres = postgres_server_start(), *serve;
    struct scene *s;
    char ini[1500];

    (void)state;
    want_password(postgres);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"
             "[service]\nlog = debug\n[queue changes]\nevents = user.*\n"
             "[outbox platform]\nurl = postgresql://locked@127.0.0.1:%d/crier\npassword = " CANARY "-wrong\n"
             "[source people]\ntype = postgres\nurl = postgresql://locked@127.0.0.1:%d/crier\npassword = " CANARY
             "-wrong\nquery = select id, version, document from people where id = any($1)\n"
             "[handler copy]\ntype = record\nqueue = changes\nindex = people\nsource = people\n",
             server_port(postgres), server_port(postgres));
    s = scene_open(ini);
    expect_said(s, refused, "check", "--online", NULL);
    expect_said(s, refused, "status", NULL, NULL);
    expect_said(s, refused, "status", "--json", NULL);
    expect_said(s, refused, "outbox", "list", NULL);
    serve = crier_serve_start(s->config_path);
    wait_for_log(serve, refused);
    crier_run(NULL, (const char *const[]){"emit", "--type", "user.updated", "--subject", "users/1", "--config",
                                          s->config_path, NULL});
    wait_for_log(serve, "source people: ");
    server_stop(serve);
    server_free(serve);
    scene_close(s);
    server_free(postgres);
}

/* ------------------------------------------------------------------------------------------------------- SMTP */

static void a_login_refused_by_a_mail_server_shows_no_secret(void **state)
{
    struct server *mail, *serve;
    struct scene *s;
    char ini[1500], folder[300], template[400], event[] = "Subject: News\n\nHello\n";
    struct error err;

    (void)state;
    if (!mail_server_there())
        skip();
    mail = mail_server_start(&(struct mail_server_options){.login = "crier:" CANARY "-right"});
    mail_server_behave(mail, "refuse-login");
    folder_make("templates", folder, sizeof folder);
    snprintf(template, sizeof template, "%s/user.updated.en.txt", folder);
    assert_true(file_replace(template, 0644, event, strlen(event), &err));
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[service]\nlog = debug\n"
             "[queue changes]\nevents = user.updated\n[handler mails]\ntype = mail\nqueue = changes\nserver = %s\n"
             "tls = none\nfrom = a@example.org\nto = data.to\ntemplates = %s\nuser = crier\npassword = " CANARY
             "-wrong\nschedule = every 100ms\n",
             mail_server_url(mail), folder);
    s = scene_open(ini);
    expect_said(s, "535", "mail", "test", "a@example.org");
    serve = crier_serve_start(s->config_path);
    crier_run(NULL, (const char *const[]){"emit", "--type", "user.updated", "--data", "{\"to\":\"a@example.org\"}",
                                          "--config", s->config_path, NULL});
    for (int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
         scene_redis(s, "XLEN crier:{mail}:attempts:mails")->integer == 0; pause_ms(50))
        assert_true(clock_monotonic_ms() < until_ms);
    expect_said(s, "535", "mail", "attempts", "--json");
    server_stop(serve);
    server_free(serve);
    scene_close(s);
    server_free(mail);
}

/* ------------------------------------------------------------------------------------------------------- HTTP */

/* What answers 401 to all, and gives back what it was sent: a search engine, and the platform. */
static void a_login_refused_over_http_shows_no_secret(void **state)
{
    struct hook_server *other = hook_server_start("127.0.0.1");
    struct server *serve;
    struct scene *s;
    char ini[2000];

    (void)state;
    hook_server_answer(other, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
                              "Content-Type: application/json\r\nContent-Length: 26\r\n\r\n"
                              "{\"error\":\"who are you?\"}\r\n\r\n");
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = http://127.0.0.1:%d\nuser = crier\npassword = " CANARY
             "-wrong\n[http]\nlisten = 127.0.0.1:0\n[service]\nlog = debug\n[queue changes]\nevents = user.*\n"
             "[source people]\ntype = http\nurl = http://127.0.0.1:%d/{id}\ntoken = " CANARY "-wrong\n"
             "[handler copy]\ntype = record\nqueue = changes\nindex = people\nsource = people\n"
             "[handler tell]\ntype = post\nqueue = changes\nurl = http://127.0.0.1:%d/x\ntoken = " CANARY "-wrong\n",
             hook_server_port(other), hook_server_port(other), hook_server_port(other));
    s = scene_open(ini);
    expect_said(s, "401", "check", "--online", NULL);
    expect_said(s, "401", "status", NULL, NULL);
    serve = crier_serve_start(s->config_path);
    crier_run(NULL, (const char *const[]){"emit", "--type", "user.updated", "--subject", "users/1", "--config",
                                          s->config_path, NULL});
    wait_for_log(serve, "handler tell: ");
    wait_for_log(serve, "401");
    server_stop(serve);
    server_free(serve);
    scene_close(s);
    hook_server_free(other);
}

static void a_login_refused_by_redis_shows_no_secret(void **state)
{
    struct scene *s = scene_open("[redis]\nurl = REDIS\ntimeout = 1s\n[http]\nlisten = 127.0.0.1:0\n[service]\n"
                                 "log = debug\n[queue changes]\nevents = user.*\n");
    struct server *serve = crier_serve_start(s->config_path);

    (void)state;
    scene_redis(s, "CONFIG SET requirepass " CANARY "-new"); /* changed while the service runs */
    scene_redis(s, "CLIENT KILL TYPE normal SKIPME yes");
    wait_for_log(serve, "NOAUTH");
    expect_said(s, "NOAUTH", "status", NULL, NULL);
    expect_said(s, "NOAUTH", "check", "--online", NULL);
    server_stop(serve);
    server_free(serve);
    scene_close(s);
}

/* ------------------------------------------------------------------------------------------------------ crashes */

/* No core file, and no other with a secret in it; the log is looked at when the service is freed. */
static void look_at_what_is_left(const struct server *serve)
{
    DIR *folder = opendir(server_folder(serve));

    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "log") != 0)
            fail_msg("a crash leaves %s", entry->d_name);
    closedir(folder);
}

/* The sanitizers keep the service from leaving one, too: without that it is crier alone that does. */
static void a_crash_leaves_nothing_with_a_secret(void **state)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS};
    struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
    struct scene *s;

    (void)state;
    setenv("ASAN_OPTIONS", "disable_coredump=0", 1);
    setenv("TSAN_OPTIONS", "disable_coredump=0", 1);
    getrlimit(RLIMIT_CORE, &most);
    most.rlim_cur = most.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_CORE, &most), 0);
    s = scene_open("[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\nuser = crier\npassword = " CANARY
                   "-search\n[http]\nlisten = 127.0.0.1:0\nsigning_secret = whsec_" CANARY CANARY CANARY "\n"
                   "[queue changes]\nevents = user.*\n");
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
        struct server *serve = crier_serve_start(s->config_path);

        server_crash(serve, signals[i]);
        look_at_what_is_left(serve);
        server_free(serve);
    }
    scene_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_refused_by_postgresql_shows_no_secret),
        cmocka_unit_test(a_login_refused_by_a_mail_server_shows_no_secret),
        cmocka_unit_test(a_login_refused_over_http_shows_no_secret),
        cmocka_unit_test(a_login_refused_by_redis_shows_no_secret),
        cmocka_unit_test(a_crash_leaves_nothing_with_a_secret),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
