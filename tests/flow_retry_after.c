/* An OpenSearch that asks to be left alone for a while is left alone: the pause of a handler is as long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "support/pause.h"
#include "support/post_server.h"
#include "support/scene.h"

enum { ASKED_S = 3, LOOKS = 4, PATIENCE_MS = 60000 };

/* When the handler asked for its template. */
struct looks {
    int64_t at_ms[LOOKS];
    int count;
};

static void be_busy(void *context, const struct post_request *request, struct post_reply *reply)
{
    struct looks *looks = context;

    if (strstr(request->path, "_index_template") && looks->count < LOOKS)
        looks->at_ms[looks->count++] = clock_monotonic_ms();
    reply->status = 429;
    reply->retry_after_s = ASKED_S;
}

static int looks_so_far(struct post_server *s, const struct looks *looks)
{
    int count;

    post_server_lock(s);
    count = looks->count;
    post_server_unlock(s);
    return count;
}

static void a_handler_pauses_as_long_as_opensearch_asks_for(void **state)
{
    struct looks looks = {.count = 0};
    struct post_server *search = post_server_start(be_busy, &looks);
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct server *serve;
    struct scene *scene;
    char ini[500];

    (void)state;
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = %s\n[http]\nlisten = 127.0.0.1:0\n[queue q]\nevents = **\n"
             "[handler past]\ntype = history\nqueue = q\n",
             post_server_url(search));
    scene = scene_open(ini);
    serve = crier_serve_start(scene->config_path);
    while (looks_so_far(search, &looks) < LOOKS) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(50);
    }
    server_stop(serve); /* a stop ends the pause at once */
    for (int i = 1; i < LOOKS; i++)
        if (looks.at_ms[i] - looks.at_ms[i - 1] < ASKED_S * 1000 - 100)
            fail_msg("asked again after %d ms", (int)(looks.at_ms[i] - looks.at_ms[i - 1]));
    server_free(serve);
    scene_close(scene);
    post_server_free(search);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_pauses_as_long_as_opensearch_asks_for),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
