/* The endpoint of deploy/examples, as it stands there, behind a handler of type post. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/http.h"
#include "support/outside_stage.h"
#include "support/process.h"

static bool listens(const struct server *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
    close(fd);
    return ok;
}

static struct server *start_example(void)
{
    struct server *s = server_new("endpoint", listens);

    server_argument(s, "/usr/bin/env");
    server_argument(s, "python3");
    server_argument(s, SOURCE_DIR "/deploy/examples/endpoint.py");
    server_argument(s, "%d", s->port);
    server_begin(s);
    return s;
}

static void open_stage(struct outside *o, const struct server *endpoint)
{
    char ini[400];

    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[queue q]\nevents = **\n[handler mine]\ntype = post\nqueue = q\n"
             "url = http://127.0.0.1:%d/\ntimeout = 30s\ndeadline = 120s\nschedule = at once\n",
             endpoint->port);
    outside_open(o, ini);
}

static void it_handles_events_and_refuses_those_that_are_wrong(void **state)
{
    struct server *endpoint = start_example();
    struct outside o = {0};
    struct event wrong;

    (void)state;
    open_stage(&o, endpoint);
    wrong = scene_event(o.scene, "user.deleted", "w", NULL, 1, NULL);
    outside_append(&o, 0, 40);
    scene_append(o.scene, &wrong, 1);
    outside_work(&o, 40, 1);
    assert_true(span_is(outside_letters(&o, 1)->event.id, "w"));
    assert_string_equal(outside_letters(&o, 1)->reply, "who was deleted?");
    assert_int_equal(o.away, 0);
    outside_close(&o);
    server_free(endpoint);
}

static void killed_and_started_again_it_gets_the_rest(void **state)
{
    struct server *endpoint = start_example();
    struct outside o = {0};
    struct error err;
    size_t taken;

    (void)state;
    open_stage(&o, endpoint);
    outside_append(&o, 0, 10);
    outside_work(&o, 10, 0);
    server_kill(endpoint);
    outside_append(&o, 10, 300);
    assert_false(lane_pass(o.lane, 0, &taken, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    server_restart(endpoint);
    outside_work(&o, 310, 0);
    outside_letters(&o, 0);
    outside_close(&o);
    server_free(endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_handles_events_and_refuses_those_that_are_wrong),
        cmocka_unit_test(killed_and_started_again_it_gets_the_rest),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
