/*
 * Every secret of a configuration, and all that crier prints about it: each verb, wrong files, servers that refuse it,
 * the log at its most talkative, the pages, the command line. The looking is done by support/canary.h.
 */
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

#include "base/file.h"
#include "base/http.h"
#include "support/canary.h"
#include "support/process.h"
#include "support/scene.h"
#include "support/serve_client.h"

#define WHSEC "whsec_" CANARY CANARY CANARY
#define SEAL  CANARY CANARY CANARY "canarys="

static const char rest[] =
    "[opensearch]\nurl = %s\nuser = crier\npassword = " CANARY "-search\nprefix = %s\n"
    "[http]\nlisten = 127.0.0.1:0\nsignatures = required\nsigning_secret = " WHSEC "\n"
    "[audit]\nfile = %s/secrets.ndjson\nkey = " CANARY CANARY CANARY "\n"
    "[queue changes]\nevents = user.* crier.*\n"
    "[source people]\ntype = http\nurl = http://127.0.0.1:1/{id}\nuser = u\npassword = " CANARY "-source\n"
    "[handler tell]\ntype = post\nqueue = changes\nurl = http://127.0.0.1:1/x\ntoken = " CANARY "-post\n"
    "secret = " WHSEC "\n"
    "[handler hook]\ntype = webhook\nqueue = changes\nurl = https://127.0.0.1:1/\nsecret = " WHSEC "\n"
    "headers = X-Key: " CANARY "-header\nallow = 127.0.0.0/8\nports = 1\n";

struct stage {
    struct scene *scene;
    char path[300];
};

static void write_ini(const struct stage *st, const char *redis, const char *more)
{
    char own[2500], text[4000];
    struct error err;

    snprintf(own, sizeof own, rest,
             getenv("CRIER_TEST_OPENSEARCH") ? getenv("CRIER_TEST_OPENSEARCH") : "http://127.0.0.1:1", test_prefix(),
             test_folder());
    snprintf(text, sizeof text, "[redis]\nurl = %s\nsealing_key = " SEAL "\n%s%s", redis, own, more);
    if (!file_replace(st->path, 0600, text, strlen(text), &err))
        fail_msg("%s", err.text);
}

static void write_good(const struct stage *st)
{
    char redis[200];

    snprintf(redis, sizeof redis, "redis://:" CANARY "-redis@127.0.0.1:%d/0", server_port(st->scene->redis_server));
    write_ini(st, redis, "[service]\nlog = debug\n");
}

static int setup(void **state)
{
    static struct stage st;

    st.scene = scene_open("[redis]\nurl = REDIS\n[queue changes]\nevents = user.*\n");
    scene_redis(st.scene, "CONFIG SET requirepass " CANARY "-redis");
    snprintf(st.path, sizeof st.path, "%s/secrets.ini", test_folder());
    write_good(&st);
    *state = &st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    scene_close(st->scene);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- verbs */

static const char *const verbs[] = {
    "check",
    "check --online",
    "check --json",
    "config show",
    "config show --json",
    "config sample",
    "config reference",
    "status",
    "status --json",
    "queues --json",
    "handlers",
    "emit --type user.updated --subject users/1",
    "run tell",
    "run hook",
    "dead list",
    "dead list --json",
    "operations show op-1",
    "webhooks list --json",
    "webhooks show hook --json",
    "webhooks attempts hook --json",
    "webhooks test hook",
    "tokens list --json",
    "audit verify",
    "mail attempts",
    "outbox list",
    "aggregations list",
    "history --limit 1",
};

/* "exit code: output" is not looked at here: some of these fail, and must do so without a secret. */
static void run_all(const struct stage *st)
{
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++) {
        char line[200], *words[16] = {NULL}, *at = line, *said;
        int count = 0, code;

        snprintf(line, sizeof line, "%s", verbs[i]);
        while (count < 12 && (words[count] = strsep(&at, " ")))
            count++;
        words[count++] = (char *)(uintptr_t) "--config";
        words[count++] = (char *)(uintptr_t)st->path;
        words[count] = NULL;
        code = crier_run(&said, (const char *const *)words);
        if (code > 78)
            fail_msg("%s: %d, %s", verbs[i], code, said);
        free(said);
    }
}

static void no_verb_shows_a_secret(void **state)
{
    const struct stage *st = *state;
    char *said;

    assert_int_equal(crier_run(&said, (const char *const[]){"check", "--config", st->path, NULL}), 0);
    free(said);
    run_all(st);
    crier_run(&said, (const char *const[]){"config", "show", "--config", st->path, NULL});
    assert_non_null(strstr(said, "(hidden)"));
    free(said);
}

static void no_mistake_in_the_file_shows_a_secret(void **state)
{
    static const char *const redis[] = {
        "redis://:" CANARY "@127.0.0.1:99999/0",
        "redis://me:" CANARY "@nowhere.invalid:6379/0",
        "rediss://me:" CANARY "@127.0.0.1:6379/0",
        "http://me:" CANARY "@127.0.0.1:6379/0",
        "redis://me:" CANARY "@127.0.0.1:6379/zero",
        "redis://:" CANARY "-wrong@127.0.0.1:6379/0",
        ("redis://:" CANARY),
    };
    static const char *const more[] = {
        "[handler bad]\ntype = post\nqueue = changes\nurl = http://me:" CANARY "@host/\n",
        "[handler bad]\ntype = webhook\nqueue = changes\nurl = https://me:" CANARY "@host/\nsecret = " WHSEC "\n",
        "[handler bad]\ntype = webhook\nqueue = changes\nurl = https://host/\nsecret = " CANARY "\n",
        "[handler bad]\ntype = webhook\nqueue = changes\nurl = https://host/\nsecret = " WHSEC "\nheaders = " CANARY
        "\n",
        "[handler bad]\ntype = mail\nqueue = changes\nserver = smtp://me:" CANARY "@host\n",
        "[source bad]\ntype = postgres\nurl = postgresql://me:" CANARY "@host/db\n",
        "[source bad]\ntype = http\nurl = http://me:" CANARY "@host/{id}\n",
        "[outbox bad]\nurl = postgresql://me:" CANARY "@host/db\n",
        "[platform]\nurl = redis://me:" CANARY "@host:x/0\n",
    };
    const struct stage *st = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(redis); i++) {
        write_ini(st, redis[i], "");
        crier_run(NULL, (const char *const[]){"check", "--config", st->path, NULL});
        crier_run(NULL, (const char *const[]){"status", "--config", st->path, NULL});
    }
    for (size_t i = 0; i < ARRAY_LENGTH(more); i++) {
        write_ini(st, "redis://127.0.0.1:1/0", more[i]);
        crier_run(NULL, (const char *const[]){"check", "--config", st->path, NULL});
        crier_run(NULL, (const char *const[]){"config", "show", "--config", st->path, NULL});
    }
    write_good(st);
}

static void a_refused_login_shows_no_secret(void **state)
{
    const struct stage *st = *state;
    char redis[200];

    snprintf(redis, sizeof redis, "redis://:" CANARY "-wrong@127.0.0.1:%d/0", server_port(st->scene->redis_server));
    write_ini(st, redis, "");
    run_all(st);
    snprintf(redis, sizeof redis, "redis://nobody:" CANARY "-wrong@127.0.0.1:%d/0",
             server_port(st->scene->redis_server));
    write_ini(st, redis, "");
    run_all(st);
    write_good(st);
}

/* ------------------------------------------------------------------------------------------------------ the service */

static void look_at_page(const struct server *serve, const char *path)
{
    struct buf text = BUF_INIT;

    serve_get(serve, path, NULL, &text);
    canary_check(path, text.data);
    buf_release(&text);
}

static void neither_log_nor_pages_nor_command_line_show_a_secret(void **state)
{
    static const char *const pages[] = {"/health/live", "/health/ready", "/metrics",
                                        "/webhooks",    "/operations/x", "/no"};
    const struct stage *st = *state;
    struct server *serve = crier_serve_start(st->path);
    struct buf words = BUF_INIT;
    char path[60];
    struct error err;

    crier_run(NULL, (const char *const[]){"emit", "--type", "user.updated", "--config", st->path, NULL});
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++)
        look_at_page(serve, pages[i]);
    snprintf(path, sizeof path, "/proc/%d/cmdline", server_pid(serve));
    assert_true(file_read(path, 65536, &words, &err));
    for (size_t i = 0; i < words.length; i++)
        if (!words.data[i])
            words.data[i] = ' ';
    canary_check("the command line", words.data);
    buf_release(&words);
    server_kill(st->scene->redis_server); /* what is said of a server that goes */
    look_at_page(serve, "/health/ready");
    server_restart(st->scene->redis_server);
    server_kill(serve);
    server_free(serve);
}

/* The hard limit: the soft one is also lowered by sanitizers. */
static long core_limit_of(const struct stage *st)
{
    static const char name[] = "Max core file size";
    struct server *serve = crier_serve_start(st->path);
    char path[60], line[200], soft[40] = "", hard[40] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/limits", server_pid(serve));
    file = fopen(path, "re");
    assert_non_null(file);
    while (!*hard && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            assert_int_equal(sscanf(line + strlen(name), "%39s %39s", soft, hard), 2);
    fclose(file);
    server_stop(serve);
    server_free(serve);
    return strcmp(hard, "unlimited") == 0 ? -1 : strtol(hard, NULL, 10);
}

static void a_crash_leaves_no_core_with_secrets_unless_it_is_said(void **state)
{
    const struct stage *st = *state;
    struct rlimit here;
    char redis[200];

    snprintf(redis, sizeof redis, "redis://127.0.0.1:%d/0", server_port(st->scene->redis_server));
    write_ini(st, redis, "");
    assert_int_equal(core_limit_of(st), 0);
    write_ini(st, redis, "[service]\ncore_dumps = yes\n");
    getrlimit(RLIMIT_CORE, &here);
    if (here.rlim_max != 0)
        assert_int_not_equal(core_limit_of(st), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_verb_shows_a_secret),
        cmocka_unit_test(no_mistake_in_the_file_shows_a_secret),
        cmocka_unit_test(a_refused_login_shows_no_secret),
        cmocka_unit_test(neither_log_nor_pages_nor_command_line_show_a_secret),
        cmocka_unit_test(a_crash_leaves_no_core_with_secrets_unless_it_is_said), /* Redis asks for no password now */
    };

    http_global_init();
    return cmocka_run_group_tests(tests, setup, teardown);
}
