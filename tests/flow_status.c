/* What `crier status` says of the broker that the platform's queues are in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/http.h"
#include "support/scene.h"

/* Its exit code, and what it says; yours. */
static int status_of(const char *broker, const char *option, char **said)
{
    char ini[500];
    struct scene *s;
    int code;

    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\n[queue q]\nevents = **\n[platform]\nurl = %s\n"
             "queues = views=record-view\n",
             broker);
    s = scene_open(*broker ? ini : "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\n[queue q]\nevents = **\n");
    code = crier_run(said, (const char *const[]){"status", "--config", s->config_path, option, NULL});
    scene_close(s);
    return code;
}

static void a_broker_that_answers_is_said_to_be_well(void **state)
{
    char *said;

    (void)state;
    assert_int_equal(status_of("REDIS", NULL, &said), EXIT_DONE);
    assert_non_null(strstr(said, "platform    ok\n"));
    free(said);
    assert_int_equal(status_of("REDIS", "--json", &said), EXIT_DONE);
    assert_non_null(strstr(said, "\"platform\":\"ok\""));
    free(said);
}

static void a_broker_that_does_not_is_named_and_the_status_is_a_bad_one(void **state)
{
    char broker[60], *said;

    (void)state;
    snprintf(broker, sizeof broker, "redis://127.0.0.1:%d/0", port_find());
    assert_int_equal(status_of(broker, NULL, &said), EXIT_UNREACHABLE);
    assert_non_null(strstr(said, "platform    Redis at 127.0.0.1:"));
    free(said);
}

static void where_none_is_named_nothing_is_said_of_it(void **state)
{
    char *said;

    (void)state;
    assert_int_equal(status_of("", NULL, &said), EXIT_DONE);
    assert_null(strstr(said, "platform"));
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_that_answers_is_said_to_be_well),
        cmocka_unit_test(a_broker_that_does_not_is_named_and_the_status_is_a_bad_one),
        cmocka_unit_test(where_none_is_named_nothing_is_said_of_it),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
