#include "support/outbox_platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define OUTBOX(rest)                                                                                                   \
    "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\nevent = 4KiB\n"                                               \
    "[queue changes]\nevents = user.* record.*\n"                                                                      \
    "[outbox platform]\nurl = POSTGRES\ntimeout = 5s\n" rest

static struct server *postgres;

int outbox_platform_start(void **state)
{
    (void)state;
    postgres = postgres_server_start();
    return 0;
}

int outbox_platform_stop(void **state)
{
    (void)state;
    server_free(postgres);
    return 0;
}

int outbox_platform_open(void **state)
{
    *state = outbox_stage_open(postgres, OUTBOX("poll = 60s\n"));
    return 0;
}

int outbox_platform_open_crowded(void **state)
{
    *state = outbox_stage_open(postgres, OUTBOX("poll = 100ms\nchannel = none\nbatch = 7\n"));
    return 0;
}

int outbox_platform_open_mark(void **state)
{
    *state = outbox_stage_open(postgres, OUTBOX("poll = 60s\nafter = mark\n"));
    return 0;
}

int outbox_platform_close(void **state)
{
    outbox_stage_close(*state);
    return 0;
}

void outbox_platform_insert(struct outbox_stage *s, int first, int count, int subjects)
{
    char sql[400];

    snprintf(sql, sizeof sql,
             "INSERT INTO crier_outbox (type, subject, revision, payload)"
             " SELECT 'user.updated', 'users/' || n %% %d, n, json_build_object('n', n)"
             " FROM generate_series(%d, %d) AS n",
             subjects, first, first + count - 1);
    postgres_do(s->link, sql);
}

void outbox_platform_order_kept(const struct event *events, size_t count)
{
    int64_t last[SUBJECTS] = {0};

    for (size_t i = 0; i < count; i++) {
        struct span id = event_subject_id(&events[i]);
        int64_t subject = -1;

        assert_true(text_int(id.text, id.length, &subject));
        if (events[i].revision <= last[subject])
            fail_msg("%.*s: %lld after %lld", (int)events[i].subject.length, events[i].subject.text,
                     (long long)events[i].revision, (long long)last[subject]);
        last[subject] = events[i].revision;
    }
}
