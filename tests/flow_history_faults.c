/*
 * A history under kill -9 and an OpenSearch that comes and goes: in the end every event that was acknowledged is there
 * once, as it was sent.
 *
 * CRIER_KILLS (6) kills of the service, with as many outages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/json.h"
#include "support/counting.h"
#include "support/fault_proxy.h"
#include "support/pause.h"
#include "support/search_index.h"
#include "support/work.h"

enum { PER_POST = 100 };

struct stage {
    struct server *search;
    struct fault_proxy *proxy;
    struct counting counting;
    struct settings direct; /* past the proxy */
    int sent;
};

static int kills(void)
{
    const char *given = getenv("CRIER_KILLS");

    return given && *given ? atoi(given) : 6;
}

static int setup(void **state)
{
    static char url[100];
    struct stage *st = calloc(1, sizeof *st);
    char ini[1000];

    assert_non_null(st);
    st->search = opensearch_server_start();
    st->proxy = fault_proxy_start(server_port(st->search));
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\ntimeout = 2s\n"
             "[opensearch]\nurl = %s\nprefix = PREFIX\nconnect = 1s\ntimeout = 5s\n"
             "[http]\nlisten = 127.0.0.1:0\n[queue q]\nevents = record.*\n"
             "[handler past]\ntype = history\nqueue = q\nschedule = every 100ms\nbatch = 50\ndeadline = 10s\n",
             fault_proxy_url(st->proxy));
    counting_open(&st->counting, ini);
    st->direct = *st->counting.scene->settings;
    snprintf(url, sizeof url, "%s", opensearch_server_url(st->search));
    st->direct.opensearch.url = url;
    counting_serve(&st->counting, 1);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    index_delete(&st->direct, "history-*");
    counting_close(&st->counting);
    fault_proxy_free(st->proxy);
    server_free(st->search);
    free(st);
    return 0;
}

static void send_some(struct stage *st)
{
    struct buf lines = BUF_INIT;

    for (int i = 0; i < PER_POST; i++, st->sent++)
        buf_printf(&lines,
                   "{\"specversion\":\"1.0\",\"id\":\"e%d\",\"source\":\"r\",\"type\":\"record.changed\",\"subject\":"
                   "\"records/%d\",\"time\":\"2026-11-01T10:00:00Z\",\"data\":{\"n\":%d}}\n",
                   st->sent, st->sent % 10, st->sent);
    counting_send(&st->counting, 0, "application/x-ndjson", lines.data);
    buf_release(&lines);
}

/* Each as it was sent, and nothing else. */
static void check(struct stage *st)
{
    char *documents = index_dump(&st->direct, "history-*"), wanted[100];

    for (int i = 0; i < st->sent; i++) {
        const char *at;

        snprintf(wanted, sizeof wanted, "\"id\":\"e%d\"", i);
        at = strstr(documents, wanted);
        if (!at)
            fail_msg("e%d was acknowledged and is not there", i);
        assert_null(strstr(at + 1, wanted));
        snprintf(wanted, sizeof wanted, "\"data\":{\"n\":%d}}", i);
        at = strstr(at, wanted);
        assert_non_null(at);
    }
    free(documents);
}

/* What goes wrong in turn, beside the kill. */
static struct fault weather(int day)
{
    struct fault f = {.path_with = "_bulk"};

    switch (day % 4) {
    case 0:
        f.status = 503;
        break;
    case 1:
        f.link = FAULT_RESET_AFTER;
        f.times = 3;
        break;
    case 2:
        f.item_status = 429;
        f.item_every = 3;
        break;
    default:
        f.link = FAULT_CUT_REPLY;
        f.times = 3;
    }
    return f;
}

/* The weather is fair until no event is in danger to be taken for the cause of the kills. */
static void live_on(struct stage *st)
{
    if (!work_at_risk(st->counting.scene, "q", "past"))
        return;
    fault_proxy_set(st->proxy, NULL);
    work_survives(st->counting.scene, "q", "past");
}

static void no_event_is_lost_or_doubled_by_kills_and_outages(void **state)
{
    struct stage *st = *state;

    for (int i = 0; i < kills(); i++) {
        struct fault fault = weather(i / 2);
        bool away = i % 2 == 0;

        live_on(st);
        if (away)
            fault_proxy_down(st->proxy);
        else
            fault_proxy_set(st->proxy, &fault);
        send_some(st);
        pause_ms(100 + 70 * (i % 5)); /* the kill comes at another moment of a pass each time */
        server_kill(st->counting.services[0]);
        server_restart(st->counting.services[0]);
        send_some(st);
        if (away)
            fault_proxy_up(st->proxy);
        send_some(st);
    }
    fault_proxy_set(st->proxy, NULL);
    for (int tries = 0; index_count(&st->direct, "history-*") < st->sent; tries++) {
        if (tries > 600)
            fail_msg("of %d events %lld are there", st->sent, (long long)index_count(&st->direct, "history-*"));
        pause_ms(200);
    }
    check(st);
    print_message("%d events, %d kills: none lost, none doubled\n", st->sent, kills());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_event_is_lost_or_doubled_by_kills_and_outages, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
