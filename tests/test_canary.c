/* The search for secrets finds them: if it no longer did, every test would pass. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/http.h"
#include "support/canary.h"
#include "support/process.h"
#include "support/scene.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Whether look fails its test; asked in a child that ends by it, and whose words go nowhere. */
static bool fails(void (*look)(void *context), void *context)
{
    pid_t child = fork_bound();
    int status;

    if (child == 0) {
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))
            _exit(126);
        look(context);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    else
        assert_int_equal(WTERMSIG(status), SIGABRT);
    return WIFSIGNALED(status);
}

static void look_at_text(void *text)
{
    canary_check("a text", text);
}

static bool is_found(const char *text)
{
    return fails(look_at_text, (void *)(uintptr_t)text);
}

static void the_word_is_found_plain_and_in_base64_wherever_it_begins(void **state)
{
    static const char *const before[] = {"", "1", "12", "123"};
    char text[100];
    unsigned char encoded[200];

    (void)state;
    assert_false(is_found("nothing of the kind\n"));
    for (size_t i = 0; i < 4; i++) {
        int length = snprintf(text, sizeof text, "%s" CANARY "-more", before[i]);

        assert_true(is_found(text));
        EVP_EncodeBlock(encoded, (const unsigned char *)text, length);
        assert_true(is_found((const char *)encoded));
    }
}

static void what_was_shown_on_purpose_once_is_found_from_then_on(void **state)
{
    (void)state;
    assert_false(is_found(HEX));
    assert_false(is_found("whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"));
    canary_learn("token crier_00112233aabb_" HEX "\nnext whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n");
    assert_true(is_found("a digest? " HEX));
    assert_true(is_found("{\"secret\":\"whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\"}"));
    assert_false(is_found("token 00112233aabb was revoked"));
}

static void run_verb(void *word)
{
    crier_run(NULL, (const char *const[]){word, NULL});
}

static void run_begun(void *word)
{
    pid_t pid = crier_begin((const char *const[]){word, NULL});

    waitpid(pid, NULL, 0);
    free(crier_begun_said(pid));
}

static void a_verb_that_says_a_secret_fails_its_test(void **state)
{
    (void)state;
    assert_false(fails(run_verb, (char[]){"such-verb"}));
    assert_true(fails(run_verb, (char[]){"no-" CANARY "-verb"})); /* "there is no verb ..." */
    assert_false(fails(run_begun, (char[]){"such-verb"}));
    assert_true(fails(run_begun, (char[]){"no-" CANARY "-verb"}));
}

static void free_server(void *serve)
{
    server_free(serve);
}

static void a_service_that_logs_a_secret_fails_its_test(void **state)
{
    struct scene *s = scene_open("[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue q]\nevents = user.*\n");
    struct server *serve = crier_serve_start(s->config_path);
    char path[400];
    FILE *log;

    (void)state;
    server_stop(serve);
    assert_false(fails(free_server, serve));
    snprintf(path, sizeof path, "%s/log", server_folder(serve));
    log = fopen(path, "a");
    assert_non_null(log);
    fputs("a line\npassword " CANARY "\n", log);
    fclose(log);
    assert_true(fails(free_server, serve));
    unlink(path);
    server_free(serve);
    scene_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_word_is_found_plain_and_in_base64_wherever_it_begins),
        cmocka_unit_test(what_was_shown_on_purpose_once_is_found_from_then_on),
        cmocka_unit_test(a_verb_that_says_a_secret_fails_its_test),
        cmocka_unit_test(a_service_that_logs_a_secret_fails_its_test),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
