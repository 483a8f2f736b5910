/* The files of the door's certificate: what `check` finds wrong with them, and what `status` says of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/http.h"
#include "support/canary.h"
#include "support/certificates.h"
#include "support/process.h"
#include "support/scene.h"

struct stage {
    struct scene *scene;
    struct authority authority;
    char ca[200], pair[200], key[200];
};

static int setup(void **state)
{
    static struct stage st;
    char ini[1000];

    snprintf(st.ca, sizeof st.ca, "%s/ca.pem", test_folder());
    snprintf(st.pair, sizeof st.pair, "%s/door.pem", test_folder());
    snprintf(st.key, sizeof st.key, "%s/door.key", test_folder());
    authority_make(&st.authority, st.ca);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"
             "certificate = %s\nprivate_key_file = %s\n[queue changes]\nevents = user.*\n",
             st.pair, st.key);
    st.scene = scene_open(ini);
    *state = &st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    scene_close(st->scene);
    authority_release(&st->authority);
    return 0;
}

static void write_text(const char *path, mode_t mode, const char *text)
{
    struct error err;

    if (!file_replace(path, mode, text, strlen(text), &err))
        fail_msg("%s", err.text);
}

static void check_says(const char *certificate, const char *key, const char *wanted)
{
    char path[300], text[1000], *said;
    int code;

    snprintf(path, sizeof path, "%s/check.ini", test_folder());
    snprintf(text, sizeof text,
             "[redis]\nurl = redis://127.0.0.1:1/0\n[http]\ncertificate = %s\nprivate_key_file = %s\n", certificate,
             key);
    write_text(path, 0600, text);
    code = crier_run(&said, (const char *const[]){"check", "--config", path, NULL});
    if (wanted ? code != 78 || !strstr(said, wanted) || !strstr(said, "check.ini:3: ") : code != 0)
        fail_msg("%s %s: %d, %s", certificate, key, code, said);
    free(said);
}

static void join(const char *first, const char *second, const char *to)
{
    struct buf both = BUF_INIT;
    struct error err;

    assert_true(file_read(first, 100000, &both, &err));
    assert_true(file_read(second, 100000, &both, &err));
    write_text(to, 0644, both.data);
    buf_release(&both);
}

static void check_finds_what_is_wrong_with_the_files(void **state)
{
    const struct stage *st = *state;
    char good[200], key[200], other[200], other_key[200], chain[200], open_key[200];

    snprintf(good, sizeof good, "%s/good.pem", test_folder());
    snprintf(key, sizeof key, "%s/good.key", test_folder());
    snprintf(other, sizeof other, "%s/other.pem", test_folder());
    snprintf(other_key, sizeof other_key, "%s/other.key", test_folder());
    snprintf(chain, sizeof chain, "%s/chain.pem", test_folder());
    snprintf(open_key, sizeof open_key, "%s/open.key", test_folder());
    certificate_make(&st->authority, good, key, 90);
    certificate_make(&st->authority, other, other_key, -2);
    check_says(good, key, NULL);
    join(good, st->ca, chain);
    check_says(chain, key, NULL);
    join(st->ca, good, chain);
    check_says(chain, key, "is not signed by the one after it");
    check_says("/nowhere/door.pem", key, "/nowhere/door.pem: No such file");
    check_says(good, "/nowhere/door.key", "/nowhere/door.key: No such file");
    check_says(key, key, "is no certificate in PEM");
    check_says(good, good, "is open to every user");
    check_says(good, other_key, "other.key is not the key of the first certificate in ");
    check_says(other, other_key, "other.pem ended on ");
    check_says(good, "", "has a certificate, but no private_key_file");
    check_says("", key, "has a private_key_file, but no certificate");
    write_text(open_key, 0600, "no key");
    check_says(good, open_key, "is no private key in PEM without a passphrase");
    shell_run(NULL, "openssl ec -in %s -aes128 -passout pass:" CANARY " -out %s 2>/dev/null; chmod 600 %s", key,
              open_key, open_key);
    check_says(good, open_key, "is no private key in PEM without a passphrase");
    check_says(test_folder(), key, ": Is a directory");
    check_says(good, test_folder(), ": ");
    shell_run(NULL, "{ cat %s; head -c 300000 /dev/zero | tr '\\0' 'x'; } > %s; cat %s %s > %s", good, chain, key,
              chain, open_key);
    check_says(chain, key, "chain.pem: ");
    check_says(good, open_key, "open.key: ");
    write_text(chain, 0644, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    check_says(chain, key, "is no certificate in PEM");
    write_text(chain, 0644, "");
    check_says(chain, key, "is no certificate in PEM");
}

static void status_says(const struct stage *st, int wanted_code, const char *wanted)
{
    char *said;
    int code = crier_run(&said, (const char *const[]){"status", "--config", st->scene->config_path, NULL});

    if (code != wanted_code || !strstr(said, wanted))
        fail_msg("%d, %s", code, said);
    free(said);
    crier_run(&said, (const char *const[]){"status", "--config", st->scene->config_path, "--json", NULL});
    assert_non_null(strstr(said, "\"certificate\":\""));
    free(said);
}

static void status_says_when_it_ends(void **state)
{
    const struct stage *st = *state;

    certificate_make(&st->authority, st->pair, st->key, 90);
    status_says(st, 0, ", in 90 days\n");
    certificate_make(&st->authority, st->pair, st->key, -2);
    status_says(st, 1, "door.pem ended on ");
    write_text(st->key, 0600, "-----BEGIN PRIVATE KEY-----\n" CANARY "\n-----END PRIVATE KEY-----\n");
    status_says(st, 1, "is no private key in PEM");
    certificate_make(&st->authority, st->pair, st->key, 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_finds_what_is_wrong_with_the_files),
        cmocka_unit_test(status_says_when_it_ends),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, setup, teardown);
}
